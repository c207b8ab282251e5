"""What the store computes itself is what we compute."""

from __future__ import annotations

import random

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.histogram import quantiles
from store import functions, telemetry

AT = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}


def ranked(engine: Engine, histogram: dict[int, float]) -> dict[str, int | None]:
    pairs = [part for item in sorted(histogram.items()) for part in item]
    counts = functions.counted(sa.func.map(*pairs))
    found = telemetry.read(
        engine, sa.select(*(functions.rank_bin(counts, q).label(n) for n, q in AT.items()))
    )
    return {name: found[name][0].as_py() for name in AT}


def test_the_rank_of_a_histogram(telemetry: Engine) -> None:
    """Weights of whole numbers and of sampled calls; bins of which nothing is left but what floats leave."""
    chance = random.Random(4)  # noqa: S311 - repeatable
    for _ in range(20):
        weights = [1.0, 2.0, 8.0, 1 / 0.3, 0.1 + 0.2, 1e-12]
        histogram = {
            chance.randrange(-40, 900): chance.choice(weights) * chance.randrange(1, 20)
            for _ in range(chance.randrange(1, 60))
        }
        bins = pl.DataFrame(
            {"g": 1, "bin": [*histogram], "n": [*histogram.values()]}, schema_overrides={"bin": pl.Int16}
        )
        found = ranked(telemetry, histogram)
        expected = quantiles(bins, ["g"], AT)
        if expected.is_empty():
            assert set(found.values()) == {None}
        for name in AT if expected.height else ():
            at = pl.DataFrame({"g": 1, "bin": [found[name]], "n": 1.0}).cast({"bin": pl.Int16})
            assert quantiles(at, ["g"], {"x": 1.0})["x"][0] == expected[name][0]


def test_nothing_has_no_rank(telemetry: Engine) -> None:
    assert ranked(telemetry, {5: 1e-12}) == dict.fromkeys(AT)
    assert ranked(telemetry, {0: 1.0}) == dict.fromkeys(AT, 0)
