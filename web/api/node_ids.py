"""Node ids in paths: percent-encoded, so that `shop%2Fcheckout` is one segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Request

from web.problems import Problem

Id = Annotated[
    str,
    Path(description="Node id, percent-encoded.", examples=["shop/checkout"], max_length=4096),
]


def ends(request: Request, end: str) -> bool:
    """Whether the path ends with ``end``, and not a node id in it.

    Routes match the decoded path, where a slash within an id looks like any other; the encoded one tells.
    """
    raw: bytes = request.scope.get("raw_path", b"").partition(b"?")[0]
    return not raw or raw.endswith(end.encode())


def before(end: str) -> Callable[..., str]:
    """A dependency: the id in a path that ends with ``/{node_id:path}`` and then ``end``; 404 for any other path."""

    def found(request: Request, node_id: Id) -> str:
        if not ends(request, end):
            raise Problem(404, "Not Found", f"A path to a node ends with {end}.")
        return node_id

    return found


def no_such(node_id: str) -> Problem:
    """The 404 of a node that is not in the window."""
    shown = "".join(char if char.isprintable() else "�" for char in node_id[:200])
    return Problem(404, "No such node", f"{shown!r} is in no call of this window.")
