from __future__ import annotations

import polars as pl
import pytest

from collector import model
from collector.consumer import Batch, Signal
from collector.points import flatten
from collector.receivers.otlp import decode
from tests.collector.messages import gauges
from tests.collector.notation import START


def read(*batches: Batch) -> pl.DataFrame:
    return flatten([batch.records for batch in batches])


def test_columns_are_those_of_the_model() -> None:
    assert set(read(gauges({"m": 1})).columns) == set(model.POINTS.names)


@pytest.mark.parametrize("field", ["gauge", "sum"])
def test_gauges_and_sums_of_both_number_types(field: str) -> None:
    rows = read(gauges({"m": [1, 2.5, -3], "n": 0}, field=field, cluster="c", service="s", instance="i"))
    assert rows.select("metric", "value").rows() == [("m", 1.0), ("m", 2.5), ("m", -3.0), ("n", 0.0)]
    assert rows.select("time", "service", "instance", "cluster").unique().rows() == [(START, "s", "i", "c")]


def test_mixed_requests_keep_every_point_with_its_owner() -> None:
    rows = read(
        gauges({"m": 1}, service="a"),
        gauges({"h": [None]}, field="histogram"),
        decode(Signal.POINTS, b""),
        gauges({"n": 2}, service="b", field="sum"),
        gauges({"o": 3.5}, service="c"),
    )
    found = rows.sort("service").select("service", "metric", "value").rows()
    assert found == [("a", "m", 1.0), ("b", "n", 2.0), ("c", "o", 3.5)]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_points_without_a_finite_value_are_left_out(value: float | None) -> None:
    """A NaN among gauges once made every later answer about that breaker fail."""
    assert read(gauges({"m": [value, 4]}))["value"].to_list() == [4.0]


@pytest.mark.parametrize("at", [0, 2**63, 2**64 - 1])
def test_any_time_can_be_read(at: int) -> None:
    assert read(gauges({"m": 1}, at=at)).height == 1


def test_no_points() -> None:
    assert read(gauges({})).is_empty()
    assert read(decode(Signal.POINTS, b"")).is_empty()
