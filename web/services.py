"""Services of a window, one of them with its neighbours, and its operations: views of graph documents.

Lists and neighbours are parts of the answer that everybody who asks for this graph gets: nothing is computed for them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from web import cursors
from web.answers import Answer
from web.live import Graphs, Question
from web.shapes import Json


def services(answer: Answer, asked: Question, namespace: str, limit: int, cursor: str | None) -> Json:
    """A page of the services (of one namespace, if it is named), by id. Blocks. Problem: 400, bad cursor."""
    callers, callees = answer.degrees
    found = [{"id": node} for node, its in answer.services if namespace in ("", its)]
    page = _page(found, "id", (asked, namespace), limit, cursor)
    items = [orjson.loads(answer.nodes[(each["id"],)]) for each in page["items"]]
    more = [{"callers": callers[node["id"]], "callees": callees[node["id"]]} for node in items]
    return page | {"items": [node | its for node, its in zip(items, more, strict=True)]}


def service(answer: Answer, graphs: Graphs, asked: Question, node: str) -> Json | None:
    """One node with its edges (as they are written) and versions; None where the window has no such node. Blocks."""
    found = answer.nodes.get((node,))
    if found is None:
        return None
    versions = graphs.parts(replace(asked, group_by="version"), node)
    edges = answer.edges.items()
    return {
        "start": answer.head["start"],
        "end": answer.head["end"],
        **orjson.loads(found),
        "inbound": [orjson.Fragment(row) for (_, target, _), row in edges if target == node],
        "outbound": [orjson.Fragment(row) for (source, _, _), row in edges if source == node],
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
