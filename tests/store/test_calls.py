from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from collector.rollup import SERIES, SUMS, Buckets, buckets
from store import calls
from store.telemetry import calls as table
from tests.collector import notation

SECOND = notation.START // 10**9


def made(*batches: str) -> Buckets:
    return buckets(notation.calls(*batches))


def rows(part: Buckets) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    bins = part.bins.select("time", *SERIES, "side", "bin", "n")
    return sorted(part.sums.select("time", *SERIES, *SUMS).rows()), sorted(bins.rows())


def merge_parts(engine: Engine, name: str = table.name) -> None:
    """What ClickHouse does in the background, now."""
    with engine.connect() as connection:
        connection.execute(sa.text(f"OPTIMIZE TABLE {name} FINAL"))


def negative(part: Buckets) -> Buckets:
    return Buckets(part.sums.with_columns(-pl.col(SUMS)), part.bins.with_columns(-pl.col("n")))


CASE = "1 C a 20; 2<1 S b 10 !; 3 C a [peer.service=c] 7 +1500 ot=th:fd70a4; 4 P a [messaging.destination.name=o]"


@pytest.mark.parametrize("merged", [False, True])
def test_sums_and_histograms_come_back_exactly(telemetry: Engine, merged: bool) -> None:
    part = made(CASE)
    calls.write(telemetry, part)
    if merged:
        merge_parts(telemetry)
    assert rows(calls.between(telemetry, SECOND, SECOND + 9)) == rows(part)


@pytest.mark.parametrize("merged", [False, True])
def test_differences_add_up_and_take_back(telemetry: Engine, merged: bool) -> None:
    for text in (["1 C a [peer.service=x] 20"], ["1 C a [peer.service=x] 20", "2<1 S b 10"]):
        calls.write(telemetry, made(*text))
    calls.write(telemetry, negative(made("1 C a [peer.service=x] 20")))
    if merged:
        merge_parts(telemetry)
    assert rows(calls.between(telemetry, SECOND, SECOND + 9)) == rows(made("1 C a 20; 2<1 S b 10"))


def test_what_was_taken_back_altogether_is_gone(telemetry: Engine) -> None:
    calls.write(telemetry, made(CASE))
    calls.write(telemetry, negative(made(CASE)))
    assert rows(calls.between(telemetry, SECOND, SECOND + 9)) == ([], [])
    merge_parts(telemetry)
    assert rows(calls.between(telemetry, SECOND, SECOND + 9)) == ([], [])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, [0]), (0, 2, [0, 1]), (1, 1, []), (1, 2, [1]), (2, 5, [2]), (3, 9, []), (-5, 0, [])],
)
def test_windows_are_closed_on_the_left_and_open_on_the_right(
    telemetry: Engine, start: int, end: int, expected: list[int]
) -> None:
    calls.write(telemetry, made("1 S a +0; 2 S a +1999; 3 S a +2000"))
    found = calls.between(telemetry, SECOND + start, SECOND + end)
    assert sorted(t - SECOND for t in found.sums["time"]) == expected
    assert sorted(t - SECOND for t in found.bins["time"]) == expected


numbers = st.floats(-1e15, 1e15, allow_nan=False).filter(lambda n: abs(n) > 1e-6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(numbers, min_size=len(SUMS), max_size=len(SUMS)),
    st.dictionaries(st.integers(-1, 2047), numbers, max_size=5),
)
def test_any_number_comes_back_exactly(telemetry: Engine, sums: list[float], bins: dict[int, float]) -> None:
    with telemetry.connect() as connection:
        connection.execute(sa.text(f"TRUNCATE TABLE {table.name}"))
    one = made("1 S a")
    key = one.sums.select("time", *SERIES)
    counts = pl.DataFrame([sums], schema=dict.fromkeys(SUMS, pl.Float64), orient="row")
    histogram = pl.DataFrame(
        {"bin": list(bins), "n": list(bins.values())}, schema={"bin": pl.Int16, "n": pl.Float64}
    )
    sides = [key.join(histogram, how="cross").with_columns(side=pl.lit(side, pl.Int8)) for side in (0, 1)]
    part = Buckets(
        pl.concat([key, counts], how="horizontal"),
        pl.concat(sides).select("time", *SERIES, "side", "bin", "n"),
    )
    calls.write(telemetry, part)
    assert rows(calls.between(telemetry, SECOND, SECOND + 1)) == rows(part)


def test_names_may_be_anything(telemetry: Engine) -> None:
    part = made("1 S a")
    odd = ["o'brien", "tab\tnew\nline", "ü€\0", "%(x)s", "", "\\"]
    parts = [
        Buckets(
            *(f.with_columns(operation=pl.lit(name), target=pl.lit(name)) for f in (part.sums, part.bins))
        )
        for name in odd
    ]
    calls.write(telemetry, Buckets.merge(parts))
    found = calls.between(telemetry, SECOND, SECOND + 1)
    assert sorted(found.sums["target"]) == sorted(odd)
    assert sorted(found.bins["operation"]) == sorted(odd)


def test_nothing_writes_and_reads_nothing(telemetry: Engine) -> None:
    calls.write(telemetry, Buckets.empty())
    assert rows(calls.between(telemetry, 0, SECOND)) == ([], [])


def test_a_sample_that_moves_alone_is_kept(telemetry: Engine) -> None:
    """A longer copy of a span changes no sum, only a bin."""
    short, long = made("1 S a 5"), made("1 S a 50")
    negative = Buckets(short.sums.with_columns(-pl.col(SUMS)), short.bins.with_columns(-pl.col("n")))
    moved = Buckets.merge([negative, long])
    assert moved.sums.is_empty()
    for part in (short, moved):
        calls.write(telemetry, part)
    assert rows(calls.between(telemetry, SECOND, SECOND + 1)) == rows(long)
