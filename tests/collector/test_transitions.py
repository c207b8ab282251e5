"""Transitions are our own conclusions: what a store does not take waits."""

from __future__ import annotations

import polars as pl

from collector.breaker_edges import TRANSITIONS
from collector.transitions import Transitions
from tests.collector.memory import Memory

ROW = {name: "" if kind == pl.String else 0.0 for name, kind in TRANSITIONS.items()}


class Broken(Memory):
    """Takes nothing while it is broken."""

    broken = True

    def write_transitions(self, transitions: pl.DataFrame) -> None:
        if self.broken:
            raise OSError("the disk is full")
        super().write_transitions(transitions)


def rows(*times: float) -> pl.DataFrame:
    return pl.DataFrame([ROW | {"time": at} for at in times], schema=TRANSITIONS)


def test_what_was_not_taken_comes_with_the_next() -> None:
    store = Broken()
    writer = Transitions(store)
    writer.write(rows(1.0, 2.0))
    assert store.transitions.is_empty()
    store.broken = False
    writer.write(rows(3.0))
    writer.write(rows())
    assert store.transitions["time"].to_list() == [1.0, 2.0, 3.0]


def test_no_more_waits_than_there_is_room_for() -> None:
    store = Broken()
    writer = Transitions(store)
    writer.write(rows(*map(float, range(100_010))))
    store.broken = False
    writer.write(rows(-1.0))
    assert store.transitions["time"].to_list()[0] == 10.0
    assert store.transitions.height == 100_001
