"""Two windows of one mesh, side by side: what their nodes and edges differ in, and what of it is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import drawing, significance
from collector.drawing import EDGE
from collector.histogram import quantiles
from collector.rollup import CLIENT, SERVER
from collector.significance import LEAST_CALLS, LEAST_CHANGE
from collector.summed import Summed

METRICS: Final = ("rate", "error_rate", "p95")
_P95: Final = 0.95


@dataclass(frozen=True, slots=True)
class Seen:
    """The calls of a window (see :func:`collector.graph.chosen`) and the seconds of it that have passed."""

    calls: Summed
    seconds: float


def edges(a: Seen, b: Seen) -> pl.DataFrame:
    """Per edge of either window what :func:`_compared` gives. The p95 is that of a side that both windows have."""
    figures = [
        seen.calls.rows.filter(pl.col("source") != "")
        .group_by(EDGE)
        .agg(pl.col("calls", "failed", "client_calls", "server_calls").sum())
        for seen in (a, b)
    ]
    both = figures[0].join(figures[1], on=EDGE, suffix="_b")
    has = {
        side: (pl.col(f"{side}_calls") > 0) & (pl.col(f"{side}_calls_b") > 0) for side in ("client", "server")
    }
    side = pl.when(has["server"]).then(SERVER).when(has["client"]).then(CLIENT)
    sides = both.select(*EDGE, side=side.cast(pl.Int8)).drop_nulls()
    bins = [seen.calls.bins.join(seen.calls.rows.select("series", *EDGE), on="series") for seen in (a, b)]
    samples = [part.join(sides, on=[*EDGE, "side"], how="semi") for part in bins]
    kept = [part.select(*EDGE, "calls", "failed") for part in figures]
    return _compared(EDGE, kept, samples, (a.seconds, b.seconds))


def nodes(a: Seen, b: Seen) -> pl.DataFrame:
    """The same of nodes: what they served (R3.4)."""
    figures = [drawing.nodes(seen.calls).select("id", "calls", "failed") for seen in (a, b)]
    return _compared(
        ["id"], figures, [drawing.node_bins(seen.calls) for seen in (a, b)], (a.seconds, b.seconds)
    )


def _compared(
    key: list[str], figures: list[pl.DataFrame], samples: list[pl.DataFrame], seconds: tuple[float, float]
) -> pl.DataFrame:
    """Figures of both windows, side by side.

    Returns:
        ``key``; ``in_a``, ``in_b``; per metric of :data:`METRICS` ``…_a``, ``…_b`` (null without calls or samples),
        ``…_p`` (p-value, null where there is too little) and ``…_significant``. Rates are per second, p95 in ms.
    """
    one, other = (part.with_columns(here=pl.lit(value=True)) for part in figures)
    found = one.join(other, on=key, how="full", coalesce=True, suffix="_b").sort(key)
    found = found.join(_latencies(key, samples), on=key, how="left", maintain_order="left")
    counts = ["calls", "failed", "calls_b", "failed_b", "n", "n_b", "above", "above_b"]
    found = found.with_columns(pl.col(counts).fill_null(0.0), in_a=pl.col("here").is_not_null())
    found = found.with_columns(
        in_b=pl.col("here_b").is_not_null(),
        rate_a=pl.col("calls") / seconds[0],
        rate_b=pl.col("calls_b") / seconds[1],
        error_rate_a=_share("failed", "calls"),
        error_rate_b=_share("failed_b", "calls_b"),
        rate_p=significance.rates(found["calls"], found["calls_b"], *seconds),
        error_rate_p=significance.shares(
            found["failed"],
            found["calls"],
            found["failed_b"],
            found["calls_b"],
            least=LEAST_CALLS["error_rate"],
        ),
        p95_p=significance.shares(
            found["above"], found["n"], found["above_b"], found["n_b"], least=LEAST_CALLS["p95"]
        ),
    )
    found = found.with_columns(
        (significance.discoveries(found[f"{name}_p"]) & _matters(found, name)).alias(f"{name}_significant")
        for name in METRICS
    )
    return found.select(
        *key, "in_a", "in_b", *(f"{name}_{of}" for name in METRICS for of in ("a", "b", "p", "significant"))
    )


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _matters(found: pl.DataFrame, name: str) -> pl.Series:
    a, b = pl.col(f"{name}_a"), pl.col(f"{name}_b")
    size = (b - a).abs() if name == "error_rate" else (b - a).abs() / a.abs()  # from 0 it is infinite
    return found.select(size.fill_nan(0.0).fill_null(0.0) >= LEAST_CHANGE[name]).to_series()


def _latencies(key: list[str], samples: list[pl.DataFrame]) -> pl.DataFrame:
    """Per key the p95 (ms) of both, and how many of the calls of each are above the p95 of all, those at it half."""
    found = quantiles(samples[0], key, {"p95_a": _P95}).join(
        quantiles(samples[1], key, {"p95_b": _P95}), on=key, how="full", coalesce=True
    )
    counted = [part.group_by(*key, "bin").agg(pl.col("n").sum()) for part in samples]
    both = pl.concat(counted).group_by(*key, "bin").agg(pl.col("n").sum()).sort("bin")
    reached = pl.col("n").cum_sum() >= _P95 * pl.col("n").sum() * (1 - 1e-12)
    at = both.group_by(key).agg(p95_bin=pl.col("bin").filter(reached).first())
    for part, suffix in zip(counted, ("", "_b"), strict=True):
        over = pl.col("n").filter(pl.col("bin") > pl.col("p95_bin")).sum()
        above = over + pl.col("n").filter(pl.col("bin") == pl.col("p95_bin")).sum() / 2
        sums = part.join(at, on=key).group_by(key).agg(pl.col("n").sum(), above=above)
        found = found.join(sums.rename({"n": f"n{suffix}", "above": f"above{suffix}"}), on=key, how="left")
    return found
