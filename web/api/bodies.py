"""Request bodies that people write: one mapping, as JSON or as YAML."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

import yaml
from fastapi import Request

from web.problems import Problem

MOST_BYTES = 64 * 1024
MOST_LEVELS = 20
_MOST_DIGITS = 40  # of a number in YAML; reading one takes time that grows with their square
JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_mapping(request: Request) -> dict[str, Any]:
    """The body as a mapping. YAML is also what has no Content-Type: JSON is YAML.

    Problems: 400 for what cannot be read, 413 for what is too large, 415 for another type.
    """
    kind = request.headers.get("content-type", YAML_TYPES[0]).partition(";")[0].strip().lower()
    if kind not in JSON_TYPES + YAML_TYPES and not kind.endswith("+json"):
        raise Problem(415, detail=f"Send {JSON_TYPES[0]} or {YAML_TYPES[0]}.")
    text = await _text(request)
    try:
        value = await asyncio.to_thread(_yaml, text) if kind in YAML_TYPES else _json(text)
        _check(value)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(400, "Unreadable body", f"Not valid {kind}: {reason}"[:500]) from error
    if not isinstance(value, Mapping):
        raise Problem(400, "Unreadable body", "The body must be one object, with fields and values.")
    return dict(value)


async def _text(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(413, detail=f"A body has at most {MOST_BYTES} bytes.")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "Unreadable body", f"Not UTF-8: {error.reason} at byte {error.start}.") from error


def _check(value: object) -> None:
    """No deeper than a policy can be, no integer that not every store can keep; ValueError."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [part for each in level for part in _parts(each)]
    if any(isinstance(each, (Mapping, list)) for each in level):
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels")


def _parts(value: object) -> list[object]:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number is too large")
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _yaml(text: str) -> object:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Plain YAML: no aliases (a few lines could stand for gigabytes), tags, field twice, dates, endless numbers."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML declares it
        first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("aliases are not read")
        if getattr(self.peek_event(), "tag", None) is not None:  # type: ignore[no-untyped-call]
            raise ValueError("tags are not read")
        return super().compose_node(parent, index)

    def construct_number(self, node: yaml.ScalarNode) -> object:
        if len(node.value) > _MOST_DIGITS:
            raise ValueError(f"a number is too long, near line {node.start_mark.line + 1}")
        whole = node.tag == "tag:yaml.org,2002:int"
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise ValueError(f"a field is given twice, near line {node.start_mark.line + 1}")
        return found


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_number)
