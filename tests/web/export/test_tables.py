"""CSV, read back."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given, settings

from tests.web.export.documents import document, documents
from web.export import flat
from web.export.tables import EDGES, NODES, table
from web.export.text import written


def read(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


@settings(max_examples=30)
@given(graph=documents)
def test_it_comes_back_as_it_was(graph: dict[str, Any]) -> None:
    rows = read(table(map(flat.edge, graph["edges"]), EDGES))
    assert len(rows) == len(graph["edges"])
    for row, edge in zip(rows, graph["edges"], strict=True):
        assert row["target"].removeprefix("'") == written(edge["target"]).removeprefix("'")
        assert float(row["calls"]) == edge["calls"]
    assert len(read(table(map(flat.node, graph["nodes"]), NODES))) == len(graph["nodes"])


def test_no_field_is_left_out() -> None:
    graph = document([("a", "b", 1)])
    assert set(flat.edge(graph["edges"][0])) == set(EDGES)
    assert set(flat.node(graph["nodes"][0])) == set(NODES)


def test_what_is_null_is_empty_and_what_would_be_calculated_is_text() -> None:
    (row,) = read(table([dict.fromkeys(NODES) | {"id": "=cmd|' /C calc'!A0"}], NODES))
    assert (row["id"], row["p95_ms"]) == ("'=cmd|' /C calc'!A0", "")
