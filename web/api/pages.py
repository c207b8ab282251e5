"""What collections share: `limit`, `cursor`, `{"items": […], "next_cursor": …}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.", examples=[100])]
Cursor = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,15}$", description="`next_cursor` of the page before.", examples=["41"]),
]
Name = Annotated[
    str | None,
    Query(pattern=r"^[ -~]{1,253}$", description="Only of this name.", examples=["payments-canary"]),
]


def below(cursor: str | None) -> int | None:
    """The number that the items of the next page stay under."""
    return None if cursor is None else int(cursor)
