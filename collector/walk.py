"""Walking up a trace with whole columns: every span takes one step per round, all of them at once (semantics R2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOCAL, CALLING, CALLED = 0, 1, 2
SIDE_OF_KIND: Final = np.array([LOCAL, LOCAL, CALLED, CALLING, CALLING, CALLED], dtype=np.int8)

# What a walk ended at.
ROOT: Final = 0  # no parent id at the top of the chain
ORPHAN: Final = 1  # a parent id that is not stored
AT_CALLING: Final = 2
AT_CALLED: Final = 3
BEHIND_LOCAL: Final = 4  # behind local spans of another service


@dataclass(frozen=True, slots=True)
class Forest:
    """The spans of some traces as arrays; ``parent`` holds row numbers, −1 for none stored."""

    parent: Ints
    has_parent_id: Bools
    side: NDArray[np.int8]
    service: NDArray[np.int32]
    cyclic: Bools  # on a parent cycle: gives no edge

    @property
    def size(self) -> int:
        return len(self.parent)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where each walker's way up ended: ``end`` (one of the constants) and ``at`` (a row, −1 for none).

    ``passed``: local spans that a called span of their own service walked through.
    """

    end: NDArray[np.int8]
    at: Ints
    passed: Bools


def forest(parent: Ints, has_parent_id: Bools, side: NDArray[np.int8], service: NDArray[np.int32]) -> Forest:
    """Spans as a forest: self-parents are parentless, cycles are cut and marked (R2.4)."""
    rows = np.arange(len(parent))
    own = parent == rows
    parent = np.where(own, -1, parent)
    cyclic = _on_cycle(parent)
    lost = cyclic | (
        (parent >= 0) & cyclic[parent]
    )  # what hangs under a cycle hangs under nothing that is known
    return Forest(np.where(lost, -1, parent), has_parent_id & ~own, side, service, cyclic)


def _on_cycle(parent: Ints) -> Bools:
    """After as many jumps as there are spans, only spans on a cycle can be reached."""
    size = len(parent)
    jump = np.append(parent, size)
    jump[jump < 0] = size  # the sink, its own parent
    for _ in range(max(1, size).bit_length()):
        jump = jump[jump]
    reached = np.zeros(size + 1, dtype=bool)
    reached[jump] = True
    return reached[:size]


def walk_up(spans: Forest) -> Walk:
    """From every span up through local spans of one service, its own first, then the caller's (R2.1).

    A run of local spans of one service is climbed in one step, to its top: however deep a trace is, there are two.
    """
    end = np.full(spans.size, ROOT, dtype=np.int8)
    at = np.full(spans.size, -1, dtype=np.int64)
    rows, tops = np.arange(spans.size), _tops(spans)
    here, top = spans.parent, rows
    own = _is_local(spans, here) & (spans.service[here] == spans.service)
    top = np.where(own, tops[here], top)
    here = np.where(own, spans.parent[top], here)
    passed = np.zeros(spans.size, dtype=bool)
    passed[top[own & (spans.side == CALLED)]] = True
    enters = _is_local(spans, here)
    caller = np.where(enters, here, -1)
    top = np.where(enters, tops[here], top)
    here = np.where(enters, spans.parent[top], here)
    _settle(spans, end, at, rows, here, caller, top)
    return Walk(end, at, passed)


def _is_local(spans: Forest, rows: Ints) -> Bools:
    found: Bools = (rows >= 0) & (spans.side[rows] == LOCAL)
    return found


def _tops(spans: Forest) -> Ints:
    """The topmost local span of each local span's run of one service."""
    parent = spans.parent
    goes_on = _is_local(spans, parent) & (spans.side == LOCAL) & (spans.service[parent] == spans.service)
    return representatives(np.where(goes_on, parent, -1))


def _settle(
    spans: Forest, end: NDArray[np.int8], at: Ints, walker: Ints, here: Ints, caller: Ints, top: Ints
) -> None:
    """Write down why these walkers stopped."""
    stored = here >= 0
    beyond = (caller >= 0) & (
        spans.service[here] != spans.service[caller]
    )  # a third service: not theirs to decide
    side = np.where(stored & ~beyond, spans.side[here], LOCAL)
    orphan = ~stored & spans.has_parent_id[top]
    behind = (caller >= 0) & (side == LOCAL)
    end[walker] = np.select(
        [behind, side == CALLING, side == CALLED, orphan], [BEHIND_LOCAL, AT_CALLING, AT_CALLED, ORPHAN], ROOT
    )
    at[walker] = np.where(behind, caller, np.where(stored, here, -1))


def representatives(merged_into: Ints) -> Ints:
    """Follow ``merged_into`` (−1 = stands for itself) to the end of each chain."""
    target = np.where(merged_into < 0, np.arange(len(merged_into)), merged_into)
    for _ in range(max(1, len(target)).bit_length()):
        further = target[target]
        if np.array_equal(further, target):
            break
        target = further
    return target


def depths(merged_into: Ints) -> Ints:
    """How many steps each span is below the one that stands for it; by doubling, so that depth costs nothing."""
    target = np.where(merged_into < 0, np.arange(len(merged_into)), merged_into)
    depth = (merged_into >= 0).astype(np.int64)
    while (further := depth[target]).any():
        depth = depth + further
        target = target[target]
    return depth
