"""Traces of tests: ``id<parent KIND service start-end``, times in ns; and random ones of any shape."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from web.trace.spans import Span

KINDS = {"U": 0, "I": 1, "S": 2, "C": 3, "P": 4, "N": 5}
_SPAN = re.compile(r"(\w+)(?:<(\w+))? ([UISCPN]) (\S+) (\d+)-(\d+)(.*)")


def spans(text: str) -> list[Span]:
    """``!`` status ERROR, ``@x`` host x, ``sh`` the called half of a shared id, ``untimed`` without timestamp."""
    return [_span(part.strip()) for part in text.split(";")]


def _span(part: str) -> Span:
    match = _SPAN.fullmatch(part)
    assert match is not None, part
    identity, parent, kind, service, start, end, rest = match.groups()
    words = rest.split()
    return Span(
        id=identity,
        parent=parent or "",
        kind=KINDS[kind],
        service=service,
        operation=f"op-{identity}",
        start=int(start),
        duration=int(end) - int(start),
        status=2 if "!" in words else 0,
        failed="!" in words,
        host=next((word[1:] for word in words if word.startswith("@")), ""),
        shared="sh" in words,
        attributes={"zipkin.untimed": "true"} if "untimed" in words else {},
    )


@st.composite
def any_trace(draw: st.DrawFn, most: int = 12) -> list[Span]:
    """Any shape: orphans, circles, several roots, copies, children anywhere in time."""
    count = draw(st.integers(1, most))
    ids = [str(i) for i in range(count)]
    return [
        Span(
            id=draw(st.sampled_from(ids)) if draw(st.integers(0, 9)) == 0 else identity,
            parent=draw(st.sampled_from(["", "lost", *ids])),
            kind=draw(st.integers(0, 5)),
            status=draw(st.integers(0, 2)),
            service=draw(st.sampled_from("ab")),
            operation=identity,
            host=draw(st.sampled_from(["", "x", "y"])),
            start=draw(st.integers(0, 30)),
            duration=draw(st.integers(0, 30)),
            shared=draw(st.booleans()),
        )
        for identity in ids
    ]


@st.composite
def nested_trace(draw: st.DrawFn, most: int = 15) -> list[Span]:
    """One root, no circle, no two of an id; children may start before and end after their parents."""
    return [
        Span(
            id=str(i),
            parent=str(draw(st.integers(0, i - 1))) if i else "",
            kind=draw(st.sampled_from([1, 1, 2, 3, 5])),
            start=draw(st.integers(0, 80)),
            duration=draw(st.integers(0, 60)),
        )
        for i in range(draw(st.integers(1, most)))
    ]
