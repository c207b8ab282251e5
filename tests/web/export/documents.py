"""Graph documents of any shape, for the formats that they are written in."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from collector import graph
from tests.collector.series import versioned
from web.shapes import Beside
from web.shapes import graph as shaped
from web.window import Window

NASTY = [
    "shop/a", "a b", 'q"uo"te', "back\\slash\\", "<script>alert(1)</script>", "&amp;", "]]>", "a;b->c", "ü/☃", "=1+1",
    "@x", "\x00\x07", "line\nbreak", "tab\tab", " lead", "trail ", "\u2028", "'", "--", "\ufffe", "%s{0}", "graph",
]  # fmt: skip
names = st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=8).filter(lambda text: text != "user"))


def document(rows: list[tuple[str, str, int]]) -> dict[str, Any]:
    """A graph of so many calls between these ends."""
    window = versioned([(source, target, "v1", "op", calls, 0) for source, target, calls in rows])
    return shaped(graph.build(window), Window(0, 10), 10.0, Beside())


documents = st.lists(st.tuples(names, names, st.integers(1, 100)), min_size=1, max_size=6).map(document)
