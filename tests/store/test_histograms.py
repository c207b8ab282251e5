"""Three sides of bins in two columns."""

from __future__ import annotations

import polars as pl
import pytest

from collector.histogram import bin_of
from collector.rollup import CLIENT, SERVER, WAIT
from collector.waiting import NEGATIVE
from store import histograms

LONGEST = pl.select(bin_of(pl.lit(2.0**64))).item()
SCHEMA = {"side": pl.Int8, "bin": pl.Int16, "n": pl.Float64}
BINS = pl.DataFrame(
    [(side, at, 1.0) for side in (CLIENT, SERVER, WAIT) for at in (-1, 0, LONGEST)] + [(WAIT, NEGATIVE, 2.0)],
    schema=SCHEMA,
    orient="row",
)


@pytest.mark.parametrize("sides", [(), (CLIENT,), (SERVER,), (WAIT,), (SERVER, WAIT), (CLIENT, SERVER, WAIT)])
@pytest.mark.parametrize("there", [(), (CLIENT, SERVER), (SERVER, WAIT), (CLIENT, SERVER, WAIT)])
def test_what_is_stored_is_read_again(sides: tuple[int, ...], there: tuple[int, ...]) -> None:
    """Of the sides that are asked for, whichever there are; two columns of Int16 hold them all."""
    bins = BINS.filter(pl.col("side").is_in([*there]))
    kept = histograms.stored(bins)
    assert kept.schema == pl.Schema(SCHEMA)
    assert {*kept["side"]} <= {*histograms.COLUMNS}
    assert kept.select("side", "bin").is_unique().all()
    told = kept.filter(pl.col("side").is_in([*histograms.columns(sides)]))
    found = histograms.read(told, sides)
    assert found.equals(bins.filter(pl.col("side").is_in([*sides])))


def test_without_waits_nothing_changes() -> None:
    bins = BINS.filter(pl.col("side") != WAIT)
    assert histograms.stored(bins) is bins
    assert histograms.read(bins, (CLIENT, SERVER, WAIT)) is bins
