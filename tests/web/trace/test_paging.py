"""S4, S5 against the obvious way: all traces with a matching span, sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from web.trace.paging import BLOCK, Asked, Extents, Matches, Start, page

STEP = BLOCK // 3


@dataclass(frozen=True)
class World:
    """Matching spans and the extent of every trace."""

    matching: list[Start]
    extents: dict[str, tuple[int, int]]

    def matches(self) -> Matches:
        def found(low: int, below: int, most: int) -> list[Start]:
            inside = [span for span in self.matching if low <= span[1] < below]
            return sorted(inside, key=lambda span: -span[1])[:most]

        return found

    def looked_up(self) -> Extents:
        return lambda spans: {trace: self.extents[trace] for trace, _ in spans}

    def expected(self, asked: Asked) -> list[str]:
        inside = {trace for trace, start in self.matching if asked.start <= start < asked.end}

        def fits(trace: str) -> bool:
            first, last = self.extents[trace]
            return (asked.shortest or 0) <= last - first <= (asked.longest or last - first)

        return sorted(filter(fits, inside), key=lambda trace: (-self.extents[trace][0], trace))

    def pages(self, asked: Asked, step: int) -> list[list[str]]:
        found: list[list[str]] = []
        while True:
            one = page(asked, self.matches(), self.looked_up(), step)
            found.append([trace for trace, *_ in one.traces])
            if one.end is None:
                return found
            asked = replace(asked, after=one.end)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    extents, matching = {}, []
    for trace in range(draw(st.integers(0, 25))):
        first = draw(st.integers(0, 20)) * STEP + draw(st.integers(0, 2))
        offsets = draw(st.lists(st.integers(0, 15), max_size=4))
        extents[f"{trace:02}"] = first, first + max([0, *offsets]) * STEP
        matching += [(f"{trace:02}", first + offset * STEP) for offset in offsets]
    return World(matching, extents)


@given(worlds(), st.integers(1, 6), st.integers(1, 8), st.integers(0, 20), st.integers(1, 40), st.data())
def test_s5_pages_neither_repeat_nor_miss_a_trace(
    world: World, limit: int, step: int, start: int, length: int, data: st.DataObject
) -> None:
    bound = st.none() | st.integers(1, 15).map(lambda n: n * STEP)
    asked = Asked(start * STEP, (start + length) * STEP, limit, data.draw(bound), data.draw(bound))
    expected, pages = world.expected(asked), world.pages(asked, step)
    assert [trace for one in pages for trace in one] == expected
    assert all(len(one) == limit for one in pages[:-1])
    assert pages[-1] or not expected  # no last page without a trace


def test_s5_a_page_looks_at_little_more_than_it_gives() -> None:
    """A million matching spans: not one query asks for more than a few hundred of them, and there are few."""
    asked_for: list[int] = []

    def matches(low: int, below: int, most: int) -> Sequence[Start]:
        asked_for.append(most)
        return [(str(start), start) for start in range(below - 1, max(low, below - 1 - most), -1)]

    found = page(Asked(0, 1_000_000, 20), matches, lambda spans: {t: (s, s) for t, s in spans})
    assert [start for _, start, _ in found.traces] == list(range(999_999, 999_979, -1))
    assert asked_for == [420]
    asked_for.clear()
    assert found.end is not None
    later = page(
        Asked(0, 1_000_000, 20, after=found.end), matches, lambda spans: {t: (s, s) for t, s in spans}
    )
    assert later.traces[0][1] == 999_979
    assert asked_for == [420]


def test_many_spans_at_one_moment() -> None:
    world = World([(f"{i:03}", 5) for i in range(500)], {f"{i:03}": (5, 5) for i in range(500)})
    assert sum(len(one) for one in world.pages(Asked(0, 10, 7), 2)) == 500
