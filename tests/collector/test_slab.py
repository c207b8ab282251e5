"""Series as numbers and back."""

from __future__ import annotations

import polars as pl

from collector.rollup import buckets
from collector.slab import Slab
from tests.collector.notation import calls

TEXT = "1 C a; 2<1 S b; t2 1 C a [peer.service=x]; t3 1 C a; t3 2<1 S b !"


def test_names_come_back() -> None:
    made = buckets(calls(TEXT))
    sums, bins = Slab.of(made.sums, made.bins).named()
    assert sums.equals(made.sums)
    assert bins.equals(made.bins)


def test_parts_with_other_series_add_up() -> None:
    one, other = (buckets(calls(text)) for text in (TEXT, "1 C c; 2<1 S b; t2 1 C a; t2 2<1 S b"))
    merged = Slab.merge([Slab.of(part.sums, part.bins) for part in (one, other)])
    assert merged.series.height == merged.series.unique().height
    total = pl.concat([one.sums, other.sums])["calls"].sum()
    sums, bins = merged.named()
    assert sums["calls"].sum() == total
    assert sums.filter(pl.col("source") == "c")["calls"].to_list() == [1.0]
    assert bins["n"].sum() == pl.concat([one.bins, other.bins])["n"].sum()


def test_a_part_of_the_time() -> None:
    made = buckets(calls("1 C a; t2 1 C a +1000"))
    first = made.sums["time"].min()
    assert isinstance(first, int)
    slab = Slab.of(made.sums, made.bins)
    assert slab.between(first, first + 1).sums.height == 1
    assert slab.between(first + 5, first + 9).bins.is_empty()
