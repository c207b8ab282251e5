"""Slabs that are packed, and what is held of ten seconds: the same calls, whatever shape they have."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.held import SECONDS, Held
from collector.packed import Packed
from collector.rollup import Buckets, LiveWindow, buckets
from collector.slab import Slab
from tests.collector.notation import calls
from tests.collector.test_rollup import SECOND, parts, rows

LATEST = 2**62
ONE = buckets(calls("1 S a"))


def slab(part: Buckets) -> Slab:
    return Slab.merge([Slab.of(part.sums, part.bins)])


def shifted(part: Buckets, seconds: int) -> Buckets:
    later = pl.col("time") + seconds
    return Buckets(part.sums.with_columns(later), part.bins.with_columns(later))


def without_time(bins: pl.DataFrame) -> list[tuple[object, ...]]:
    """The bins of all seconds together."""
    keys = [name for name in bins.columns if name not in ("time", "n")]
    summed = bins.group_by(keys).agg(pl.col("n").sum()).filter(pl.col("n") != 0)
    return sorted(summed.rows())


@pytest.fixture(scope="module", autouse=True)
def _little_is_worth_packing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.held.WORTH", 1)
        yield


@settings(max_examples=30, deadline=None)
@given(parts())
def test_packing_changes_nothing(part: Buckets) -> None:
    packed, whole = Packed.of(slab(part), SECOND), slab(part)
    for found, expected in zip(packed.slab().named(), whole.named(), strict=True):
        assert found.schema == expected.schema
        assert sorted(found.rows()) == sorted(expected.rows())
    sums, bins = packed.total().named()
    assert sorted(sums.rows()) == sorted(whole.named()[0].rows())
    assert without_time(bins) == without_time(whole.named()[1])
    assert bins["time"].unique().to_list() in ([], [SECOND])


@pytest.mark.parametrize(
    "amount",
    [0.0, 1.0, 255.0, 256.0, 65_536.0, 2.0**32, 2.0**53, 0.1, -1.0, 1e300, float("inf"), float("nan")],
)
def test_every_weight_comes_back(amount: float) -> None:
    bins = pl.DataFrame({"time": [SECOND], "series": [0], "side": [1], "bin": [2047], "n": [amount]})
    names = slab(Buckets.empty()).series.clear(1).fill_null("")
    packed = Packed.of(Slab(names, slab(Buckets.empty()).sums, bins.cast({"series": pl.UInt32})), SECOND)
    assert packed.slab().bins["n"].equals(bins["n"])
    assert packed.total().bins["n"].equals(bins["n"])
    assert packed.slab().bins["bin"].to_list() == [2047]


def test_packed_bins_take_a_fraction_of_the_memory() -> None:
    cells = pl.DataFrame({"bin": range(0, 2000, 3)}, schema={"bin": pl.Int16})
    times = pl.DataFrame({"time": range(SECOND, SECOND + SECONDS)})
    bins = times.join(cells, how="cross").select(
        "time", pl.lit(0, pl.UInt32).alias("series"), pl.lit(0, pl.Int8).alias("side"), "bin", n=pl.lit(1.0)
    )
    whole = Slab(slab(Buckets.empty()).series.clear(1), slab(Buckets.empty()).sums, bins)
    packed = Packed.of(whole, SECOND)
    assert (len(packed.bins) + packed.totals.estimated_size()) * 5 < bins.estimated_size()
    assert packed.without_bins().slab().bins.is_empty()
    assert packed.slab(bins=False).bins.is_empty()


@settings(max_examples=20, deadline=None)
@given(parts(), parts())
def test_what_comes_late_lands_in_its_own_second(early: Buckets, late: Buckets) -> None:
    first = SECOND // SECONDS * SECONDS
    held = Held(first).added(slab(early)).tidied(now=first + 1000).added(slab(late))
    assert (held.packed is None) == (rows(Buckets.merge([early])) == ([], []))
    expected = rows(Buckets.merge([early, late]))
    for shape in (held, held.tidied(now=first + 1000)):
        found = shape.between(0, LATEST, settled=-LATEST, bins=True)
        assert rows(Buckets(*Slab.merge(found).named())) == expected
        sums = Slab.merge(shape.without_bins().between(0, LATEST, settled=-LATEST, bins=True))
        assert rows(Buckets(*sums.named())) == (expected[0], [])


def test_seconds_are_packed_when_they_are_over_and_again_when_much_came_late() -> None:
    first = SECOND // SECONDS * SECONDS
    one = Buckets.merge([shifted(ONE, second) for second in range(8)])
    held = Held(first).added(slab(one))
    assert held.tidied(now=first + SECONDS).packed is None
    packed = held.tidied(now=first + 3 * SECONDS)
    assert packed.packed is not None
    assert packed.pieces == ()
    little = packed.added(slab(ONE)).tidied(now=first + 3 * SECONDS)
    assert (little.packed, len(little.pieces)) == (packed.packed, 1)
    much = packed.added(slab(one)).tidied(now=first + 3 * SECONDS)
    assert much.pieces == ()


def test_what_is_little_is_not_packed_but_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.held.WORTH", 4096)
    first = SECOND // SECONDS * SECONDS
    held = Held(first)
    for _ in range(5):
        held = held.added(slab(ONE))
    assert len(held.tidied(now=first).pieces) == 5
    over = held.tidied(now=first + 1000)
    assert (over.packed, len(over.pieces)) == (None, 1)
    (sums,) = (piece.sums for piece in over.pieces)
    assert sums["calls"].to_list() == [5]


@pytest.mark.parametrize("settled", [-LATEST, SECOND + 4, LATEST])
@pytest.mark.parametrize(("start", "end"), [(0, 10), (0, 9), (1, 10), (3, 7), (-5, 4), (4, 25), (12, 15)])
def test_a_window_has_exactly_its_seconds(start: int, end: int, settled: int) -> None:
    live = LiveWindow()
    assert SECOND % SECONDS == 0
    live.add(Buckets.merge([shifted(ONE, second) for second in range(10)]), now=SECOND + 100)
    found = live.between(SECOND + start, SECOND + end, settled=settled)
    expected = len(range(max(start, 0), min(end, 10)))
    assert (found.sums["calls"].sum(), found.bins["n"].sum()) == (expected, expected)


additions = st.lists(st.tuples(parts(), st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(additions, st.integers(-5, 70), st.integers(0, 70), st.integers(-5, 75))
def test_every_window_is_the_sum_of_all_differences(
    added: list[tuple[Buckets, int, int]], start: int, length: int, settled: int
) -> None:
    """Whatever came when: time goes on with each addition, so that slabs are packed before others come late."""
    live, now, everything = LiveWindow(keep=10**6), SECOND, []
    for part, at, later in added:
        now += later
        everything.append(shifted(part, at))
        live.add(everything[-1], now=now)
    first, end = SECOND + start, SECOND + start + length
    expected = Buckets.merge(everything).between(first, end)
    assert rows(live.between(first, end)) == rows(expected)
    assert rows(live.between(first, end, bins=False)) == (rows(expected)[0], [])

    found, limit = live.between(first, end, settled=SECOND + settled), SECOND + settled
    assert sorted(found.sums.rows()) == sorted(expected.sums.rows())
    for seconds in (pl.col("time") < limit, pl.col("time") >= limit):
        assert without_time(found.bins.filter(seconds)) == without_time(expected.bins.filter(seconds))
    assert rows(found.between(limit, end)) == rows(expected.between(limit, end))
    assert found.bins.filter(~pl.col("time").is_between(first, end - 1)).is_empty()
