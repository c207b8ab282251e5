"""Every route, parameter and field that is ours is described, with an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from proxy_plugin.policy import TrafficPolicy
from web.api.policy_schema import policy_schema

pytestmark = pytest.mark.anyio


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property at any depth, with its path."""
    if isinstance(node, list):
        for each in node:
            yield from properties(each, path)
    elif isinstance(node, dict):
        for name, part in node.get("properties", {}).items():
            inner = f"{path}.{name}" if path else name
            yield inner, part
            yield from properties(part, inner)
        for key, each in node.items():
            if key != "properties":
                yield from properties(each, path + "[]" if key == "items" else path)


def test_every_field_of_a_policy_is_described() -> None:
    found = dict(properties(policy_schema()))
    assert {path for path in found if "." not in path} == {
        field.alias or name for name, field in TrafficPolicy.model_fields.items()
    }
    matches = {f"target.route.headers.{how}" for how in ("exact", "prefix", "regex")}
    missing = [path for path, part in found.items() if "description" not in part or "examples" not in part]
    assert set(missing) <= matches


def test_the_schema_needs_nothing_outside_itself() -> None:
    assert "$ref" not in str(policy_schema())


async def test_every_parameter_and_field_of_the_api_is_described(app: FastAPI) -> None:
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], f"{method} {path}"
            for parameter in operation.get("parameters", []):
                where = f"{method} {path} {parameter['name']}"
                assert parameter.get("description"), where
                assert parameter.get("examples") or parameter["schema"].get("examples"), where
    for name, schema in document["components"]["schemas"].items():
        if name in ("HTTPValidationError", "ValidationError"):
            continue
        for field, part in schema.get("properties", {}).items():
            assert part.get("description"), f"{name}.{field}"
            assert part.get("examples") or "$ref" in str(part), f"{name}.{field}"


async def test_bodies_may_be_json_or_yaml(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path, method in (
        ("", "post"),
        ("/{name}", "put"),
        ("/{name}/plan", "post"),
        ("/{name}/apply", "post"),
    ):
        content = paths[f"/api/v1/policies{path}"][method]["requestBody"]["content"]
        assert content.keys() == {"application/json", "application/yaml"}
