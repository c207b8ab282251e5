"""Graphviz' language, read back by its own rule of quoting."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings

from tests.web.export.documents import document, documents
from web.export.dot import dot, quoted
from web.export.text import written

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def read(text: str) -> str:
    """What a quoted name stands for."""
    return re.sub(r"\\(.)", r"\1", text)


@settings(max_examples=30)
@given(graph=documents)
def test_names_stay_names(graph: dict[str, Any]) -> None:
    """Beside quoted names there is nothing but our own words: nothing of an id gets out of its quotes."""
    text = dot(graph).decode()
    rest = _STRING.sub("", text)
    assert re.fullmatch(r"[a-zA-Z\s\[\]{};=,\->]*", rest)
    lines = [[read(name) for name in _STRING.findall(line)] for line in text.splitlines()[3:-1]]
    nodes = lines[: len(graph["nodes"])]
    edges = lines[len(graph["nodes"]) :]
    assert [line[0] for line in nodes] == [written(n["id"]) for n in graph["nodes"]]
    assert [tuple(line[:2]) for line in edges] == [
        (written(e["source"]), written(e["target"])) for e in graph["edges"]
    ]


def test_an_edge() -> None:
    line = dot(document([("a", "b", 20)])).decode().splitlines()[5]
    assert line.startswith('  "a" -> "b" [label="2/s, p95 ')


def test_quotes_and_backslashes() -> None:
    assert quoted('a"\\') == '"a\\"\\\\"'
