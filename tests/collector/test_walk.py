from __future__ import annotations

import numpy as np
import pytest

from collector import walk
from collector.walk import AT_CALLED, AT_CALLING, BEHIND_LOCAL, ORPHAN, ROOT

LOST = -2  # a parent id that is not stored
SIDES = {"S": 2, "C": 3, "I": 1, "U": 0, "P": 4, "N": 5}


def forest(*spans: tuple[str, str, int | None]) -> walk.Forest:
    """Spans as (kind, service, row of the parent)."""
    parents = np.array([-1 if p in (None, LOST) else p for _, _, p in spans], dtype=np.int64)
    stated = np.array([p is not None for _, _, p in spans], dtype=bool)
    kinds = np.array([SIDES[kind] for kind, _, _ in spans], dtype=np.int8)
    services = np.array([ord(service) for _, service, _ in spans], dtype=np.int32)
    return walk.forest(parents, stated, walk.SIDE_OF_KIND[kinds], services)


Spans = list[tuple[str, str, int | None]]
WALKS: dict[str, tuple[Spans, int, int]] = {
    # the last span walks; where it ends, and at which row
    "a root": ([("S", "a", None)], ROOT, -1),
    "its own parent is no parent": ([("S", "a", 0)], ROOT, -1),
    "a lost parent": ([("S", "a", LOST)], ORPHAN, -1),
    "a caller": ([("C", "a", None), ("S", "b", 0)], AT_CALLING, 0),
    "a caller of its own service": ([("C", "a", None), ("S", "a", 0)], AT_CALLING, 0),
    "a server": ([("S", "a", None), ("S", "b", 0)], AT_CALLED, 0),
    "through its own local spans": ([("C", "a", None), ("I", "b", 0), ("U", "b", 1), ("S", "b", 2)], AT_CALLING, 0),
    "through the caller's local spans": ([("C", "a", None), ("I", "a", 0), ("S", "b", 1)], AT_CALLING, 0),
    "through its own, then the caller's": (
        [("C", "a", None), ("I", "a", 0), ("I", "b", 1), ("S", "b", 2)],
        AT_CALLING,
        0,
    ),
    "not through a third one's": ([("C", "a", None), ("I", "a", 0), ("I", "c", 1), ("S", "b", 2)], BEHIND_LOCAL, 2),
    "a chain that ends behind another service": ([("I", "a", None), ("S", "b", 0)], BEHIND_LOCAL, 0),
    "a chain that is broken there": ([("I", "a", LOST), ("S", "b", 0)], BEHIND_LOCAL, 0),
    "its own local spans end at the root": ([("I", "b", None), ("S", "b", 0)], ROOT, -1),
    "its own local spans are broken off": ([("I", "b", LOST), ("S", "b", 0)], ORPHAN, -1),
    "producers call": ([("P", "a", None), ("N", "b", 0)], AT_CALLING, 0),
    "consumers are called": ([("N", "a", None), ("C", "a", 0)], AT_CALLED, 0),
}  # fmt: skip


@pytest.mark.parametrize(("spans", "end", "at"), WALKS.values(), ids=WALKS.keys())
def test_walking_up(spans: Spans, end: int, at: int) -> None:
    walked = walk.walk_up(forest(*spans))
    assert (walked.end[-1], walked.at[-1]) == (end, at)


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_cycle_is_cut_and_what_hangs_on_it_has_no_parent(length: int) -> None:
    ring: Spans = [("I", "a", (i + 1) % length) for i in range(length)]
    spans = forest(*ring, ("S", "b", 0), ("C", "c", None), ("S", "d", length + 1))
    assert spans.cyclic.tolist() == [True] * length + [False] * 3
    walked = walk.walk_up(spans)
    assert (walked.end[length], walked.end[length + 2]) == (ORPHAN, AT_CALLING)


def test_a_hundred_thousand_local_spans_deep() -> None:
    chain: Spans = [("C", "a", None), *(("I", "a", i) for i in range(100_000)), ("S", "b", 100_000)]
    assert walk.walk_up(forest(*chain)).at[-1] == 0


def test_no_spans_at_all() -> None:
    assert walk.walk_up(forest()).at.tolist() == []


@pytest.mark.parametrize(
    ("merged", "expected"),
    [([-1, -1], [0, 1]), ([-1, 0, 1, 2], [0, 0, 0, 0]), ([2, -1, -1, 0], [2, 1, 2, 2]), ([], [])],
)
def test_representatives_are_the_ends_of_chains(merged: list[int], expected: list[int]) -> None:
    assert walk.representatives(np.array(merged, dtype=np.int64)).tolist() == expected


def test_depth_below_what_stands_for_it() -> None:
    chain = np.arange(-1, 50_000)
    assert walk.depths(chain).tolist() == list(range(50_001))
