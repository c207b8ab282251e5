"""Services of a window, one of them with its neighbours, and its operations: views of graph documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

from web import cursors
from web.live import Graphs, Question
from web.shapes import Json

SERVICES: Final = ("service", "gateway")


def services(graphs: Graphs, asked: Question, namespace: str, limit: int, cursor: str | None) -> Json:
    """A page of the services (of one namespace, if it is named), by id. Blocks. Problem: 400, bad time or cursor."""
    document = graphs.graph(asked)
    callers = Counter(edge["target"] for edge in document["edges"])
    callees = Counter(edge["source"] for edge in document["edges"])
    items = [
        node | {"callers": callers[node["id"]], "callees": callees[node["id"]]}
        for node in document["nodes"]
        if node["kind"] in SERVICES and namespace in ("", node["namespace"])
    ]
    return _page(items, "id", (asked, namespace), limit, cursor)


def service(graphs: Graphs, asked: Question, node: str) -> Json | None:
    """One node with its edges and versions; None where the window has no such node. Blocks."""
    document = graphs.graph(asked)
    found = next((each for each in document["nodes"] if each["id"] == node), None)
    if found is None:
        return None
    versions = graphs.parts(replace(asked, group_by="version"), node)
    return {
        "start": document["start"],
        "end": document["end"],
        **found,
        "inbound": [edge for edge in document["edges"] if edge["target"] == node],
        "outbound": [edge for edge in document["edges"] if edge["source"] == node],
        "by_version": [each for each in versions if each["version"]],
    }


def operations(graphs: Graphs, asked: Question, node: str, limit: int, cursor: str | None) -> Json | None:
    """A page of the operations of one node, by name; None where the window has no such node. Blocks."""
    found = graphs.parts(replace(asked, group_by="operation"), node)
    if not found:
        return None
    named = sorted((each for each in found if each["operation"]), key=lambda each: str(each["operation"]))
    return _page(named, "operation", (asked, node), limit, cursor)


def _page(items: list[Json], key: str, question: object, limit: int, cursor: str | None) -> dict[str, Any]:
    """What comes after the cursor's item, whether that is still there or not."""
    if cursor is not None:
        after = cursors.read(cursor, question)
        if not isinstance(after, str):
            raise cursors.wrong("is no cursor that this API gave")
        items = [each for each in items if each[key] > after]
    page, rest = items[:limit], items[limit:]
    return {"items": page, "next_cursor": cursors.written(question, page[-1][key]) if rest else None}
