"""Node ids in paths: percent-encoded, so that `shop%2Fcheckout` is one segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Path, Request

from web.problems import Problem

_ID = "Node id, percent-encoded."


def before(end: str) -> Callable[..., str]:
    """The id in a path that ends with ``/{node_id:path}`` and then ``end``: a dependency.

    Routes match the decoded path, where a slash within an id looks like any other: whether the path really ends so is
    seen in the encoded one only. Raises a 404 problem where it does not.
    """

    def found(
        request: Request,
        node_id: Annotated[str, Path(description=_ID, examples=["shop/checkout"], max_length=4096)],
    ) -> str:
        raw = request.scope.get("raw_path", b"").partition(b"?")[0]
        if end and raw and not raw.endswith(end.encode()):
            raise Problem(404, "Not Found", f"A path to a node ends with {end}.")
        return node_id

    return found


def no_such(node_id: str) -> Problem:
    """The 404 of a node that is not in the window."""
    shown = "".join(char if char.isprintable() else "�" for char in node_id[:200])
    return Problem(404, "No such node", f"{shown!r} is in no call of this window.")
