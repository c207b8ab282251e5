"""Spans that are one side of one call: which of them stands for the side (R7.3), which of them says something (R4.3).

A group is what :attr:`Groups.head` makes one: every span has the row of the span that stands for its group, its own if
it is alone. "Outermost first" is by depth, then the earliest, the longest, the failed one, the lowest id.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collector.walk import Bools, Ints


@dataclass(frozen=True)
class Spans:
    """What the order within a group goes by, row by row."""

    depth: Ints  # below the root of the trace
    start: Ints
    duration: NDArray[np.uint64]
    failed: Bools
    id: NDArray[np.uint64]


@dataclass(frozen=True)
class Groups:
    """The groups of one side. What is asked of a group is worked out for those of several spans only."""

    spans: Spans
    head: Ints

    @cached_property
    def nested(self) -> Ints:
        """The members of groups of several spans, the outermost first."""
        several = np.zeros(len(self.head), dtype=bool)
        several[self.head[self.head != np.arange(len(self.head))]] = True
        rows = np.nonzero(several[self.head])[0]
        of = self.spans
        shortness = np.iinfo(np.int64).max - of.duration[rows].astype(np.int64)
        by = (of.id[rows], ~of.failed[rows], shortness, of.start[rows], of.depth[rows])
        return rows[np.lexsort(by)]

    def first(self, says: Bools) -> Ints:
        """Per head the outermost member that ``says`` something, −1 where none does."""
        rows = np.arange(len(self.head))
        found = np.where(says, rows, -1)
        members = self.nested[says[self.nested]]
        found[self.head[self.nested]] = -1
        found[self.head[members[::-1]]] = members[::-1]
        return found

    def deepest(self) -> Ints:
        """Per head the innermost member, of one depth the first."""
        found = np.arange(len(self.head))
        by_depth = self.nested[np.argsort(-self.spans.depth[self.nested], kind="stable")]
        found[self.head[by_depth[::-1]]] = by_depth[::-1]
        return found

    def best(self, rank: NDArray[np.int8]) -> Ints:
        """Per head the member of the lowest ``rank``, on a tie the innermost (R5.1), then the earliest."""
        rows, of = self.nested, self.spans
        found = np.arange(len(self.head))
        order = rows[np.lexsort((of.id[rows], of.start[rows], -of.depth[rows], rank[rows]))]
        found[self.head[order[::-1]]] = order[::-1]
        return found

    def representative(self, proxy: Bools, *, else_innermost: bool) -> Ints:
        """R7.3: the outermost that is no proxy; else the outermost, or the innermost."""
        application = self.first(~proxy)
        other = self.deepest() if else_innermost else self.first(np.ones(len(self.head), dtype=bool))
        return np.where(application >= 0, application, other)
