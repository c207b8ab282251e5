"""What is kept from one question to the next is what adding everything up anew gives."""

from __future__ import annotations

import random

import polars as pl
import pytest

from collector import model
from collector.rollup import BINS_SCHEMA, SUMS_SCHEMA, Buckets, LiveWindow
from collector.shaping import UNKNOWN
from collector.standing import _MOST_ROWS, Standing
from collector.summed import Summed

START = 1_700_000_000
SUMS = list(model.SUMS)


def made(chance: random.Random, first: int, last: int) -> Buckets:
    """Some calls of some series, each with a sample."""
    sums, bins = [], []
    for _ in range(chance.randrange(1, 9)):
        source = chance.choice([UNKNOWN, "a", "b", ""])
        names = dict.fromkeys(model.SERIES_KEY, "") | {"source": source, "target": chance.choice("xyz")}
        names |= {"instance": chance.choice("ij"), "version": chance.choice(["", "v1"])}
        key, n = {"time": chance.randrange(first, last), **names}, float(chance.choice([1, 1, 1, 8]))
        sums.append(key | {name: n * (name != "failed") for name in SUMS})
        bins.append(key | {"side": chance.randrange(2), "bin": chance.randrange(600, 604), "n": n})
    return Buckets.merge(
        [Buckets(pl.DataFrame(sums, schema=SUMS_SCHEMA), pl.DataFrame(bins, schema=BINS_SCHEMA))]
    )


def told(calls: Summed) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """All that rows and bins say, whatever the numbers of the series are."""
    names = ["source", "target", "version", "instance"]
    bins = calls.bins.join(calls.rows.select("series", *names), on="series")
    added = bins.group_by(*names, "side", "bin").agg(pl.col("n").sum()).filter(pl.col("n").abs() > 1e-9)
    rows = calls.rows.select(*names, "first", "last", *SUMS)
    return sorted(rows.rows(), key=repr), sorted(added.rows(), key=repr)


@pytest.mark.parametrize("seed", range(5))
def test_a_window_that_moves_on(seed: int) -> None:
    """Calls come late and are taken back; windows of several lengths move by some seconds each time."""
    chance, live, gone = random.Random(seed), LiveWindow(keep=600), []  # noqa: S311
    standing = Standing(live)
    for step in range(12):
        now = START + step * chance.randrange(1, 40)
        late = chance.random() < 0.3
        more = made(chance, now - (300 if late else 15), now + 1)
        live.add(more, now)
        gone.append(more)
        if chance.random() < 0.3:
            live.add(gone.pop(chance.randrange(len(gone))).negated(), now)
        for length in (7, 90, 550):
            start, end, settled = now - length, now + 1, now - 4
            expected = Summed.of(
                live.between(start, end, settled=settled), pl.col("source") == UNKNOWN, settled
            )
            assert told(standing.summed(start, end, settled)) == told(expected)


def test_the_middle_is_added_up_once() -> None:
    live = LiveWindow()
    chance = random.Random(1)  # noqa: S311
    for second in range(0, 900, 5):
        live.add(made(chance, START + second, START + second + 5), START + second + 5)
    standing = Standing(live)
    firsts = [START + n for n in range(100, 800, 10)]
    first = standing._middle(live.slots, firsts, expanded=False)
    assert standing._middle(live.slots, firsts, expanded=False) is first
    live.add(made(chance, START + 500, START + 501), START + 901)
    assert standing._middle(live.slots, firsts, expanded=False) is not first


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _MOST_ROWS > 10**6
    monkeypatch.setattr("collector.standing._MOST_ROWS", 10)
    live, chance = LiveWindow(), random.Random(2)  # noqa: S311
    for second in range(0, 900, 5):
        live.add(made(chance, START + second, START + second + 5), START + second + 5)
    standing = Standing(live)
    for length in range(100, 900, 100):
        standing.summed(START, START + length, START + 10**6)
    assert len(standing._kept) == 1


def test_nothing() -> None:
    assert Standing(LiveWindow()).summed(START, START + 900, START + 900).rows.is_empty()
