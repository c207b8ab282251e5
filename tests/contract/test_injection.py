"""Attempts to break out of every text parameter of every GET route: into SQL, a pattern, a template, a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contract.world import EDGES, World, concrete, example

# What is true, and the same as something false: who reads either as SQL answers them differently.
PAIRS = {
    "quote": ("x' OR '1'='1", "x' OR '1'='2"),
    "double quote": ('x" OR "1"="1', 'x" OR "1"="2'),
    "backslash": ("x\\' OR 1=1 -- ", "x\\' OR 1=2 -- "),
    "backslash at the end": ("\\", "\\\\"),
    "parenthesis": ("x') OR 1=1 -- ", "x') OR 1=2 -- "),
    "per cent": ("%' OR 1=1 -- ", "%' OR 1=2 -- "),
    "driver": ("%(x)s", "%%(x)s"),
    "bound": ("{x:String}", "{y:String}"),
    "pattern": (".*", "[^a]+"),
    "path": ("../../../../etc/passwd", "../../../../etc/nothing"),
    "statement": ("'; DROP TABLE calls; -- ", "'; DROP TABLE policies; -- "),
    "line end": ("x\r\nSet-Cookie: a=b", "x\r\nSet-Cookie: a=c"),
    "nothing": ("\0", "\0\0"),
}
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|\d+\.\d+|\d{9,}")


def text_parameters(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for parameter in operation.get("parameters", ()):
        kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
        kinds = [kind.get("items", kind) for kind in kinds]
        if parameter["in"] != "header" and any(kind.get("type") == "string" for kind in kinds):
            yield parameter


def asked(
    api: httpx.Client, path: str, operation: dict[str, Any], changed: str, value: str
) -> httpx.Response:
    """The route with its examples where it needs them, and ``value`` in one parameter."""
    query = {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path" and name == changed:
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif parameter["in"] == "query" and name == changed:
            query[name] = value
        elif parameter["in"] == "query" and parameter.get("required"):
            query[name] = example(parameter)
    return api.get(concrete(path, operation), params=query)


def spoken(answer: httpx.Response, value: str) -> object:
    """What an answer says, without figures, times and what was asked for."""
    if "json" not in answer.headers.get("content-type", ""):
        return answer.status_code
    return answer.status_code, _without(answer.json(), value)


def _without(part: Any, value: str) -> Any:
    if isinstance(part, dict):
        # A refusal quotes what it refuses, shortened and escaped.
        return {key: _without(each, value) for key, each in part.items() if key not in ("detail", "message")}
    if isinstance(part, list):
        return [_without(each, value) for each in part]
    if isinstance(part, str):
        return _TIMES.sub("", part.replace(value, ""))
    return None if isinstance(part, float) else part


@pytest.mark.parametrize("name", PAIRS)
def test_text_stays_text(world: World, name: str) -> None:
    told, count = [], 0
    with world.client() as api:
        for _, path, operation in world.operations("get"):
            if path.endswith("/stream"):
                continue  # the same parameters as the document, and no end
            for parameter in text_parameters(operation):
                key, colon, _ = example(parameter).partition(":")  # `target:payments`, `k:v`
                start = key + colon if colon and key.isidentifier() else ""
                answers = [
                    asked(api, path, operation, parameter["name"], start + value) for value in PAIRS[name]
                ]
                count += 1
                said = [spoken(answer, value) for answer, value in zip(answers, PAIRS[name], strict=True)]
                if said[0] != said[1] or any(_broken(answer) for answer in answers):
                    told.append((path, parameter["name"], [answer.text[:300] for answer in answers]))
        assert told == []
        assert count > 15
        assert len(api.get("/api/v1/graph").json()["edges"]) == EDGES
        assert api.get("/api/v1/audit/verify").json()["ok"]
        assert api.get("/readyz").status_code == 200


def _broken(answer: httpx.Response) -> bool:
    return answer.status_code >= 500 or "set-cookie" in answer.headers or "root:" in answer.text
