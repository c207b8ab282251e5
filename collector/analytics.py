"""Call analytics: figures of the calls of a window, grouped and filtered as asked. Pure functions over frames.

What an edge rests on is decided once for the whole window: one kind of evidence (R12), and for ``side=auto`` one side
(P8). So groups and steps of any size add up to the same totals (P5).

Over 300 lines: the steps from calls to figures, each of which reads what the one before gives, stay beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from collector import model, waiting
from collector.directory import Names
from collector.graph import EDGE, EVIDENCE_ORDER, resolved_series
from collector.histogram import quantiles_of_merged, value_of
from collector.rollup import CLIENT, SERVER, WAIT
from collector.shaping import UNKNOWN
from collector.slab import Slab

PERCENTILES: Final = {
    "p50": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p95": 0.95,
    "p99": 0.99,
    "p999": 0.999,
    "max": 1.0,
}
LATENCIES: Final = (*PERCENTILES, "mean")
"""ms; the others are numbers, shares, numbers per second, and bytes."""
WAITS: Final = {f"wait_{name}": q for name, q in waiting.QUANTILES.items()}
"""ms that messages waited (R6.8): of the edge, whichever side is asked for, in the groups that this side saw."""
COUNTS: Final = ("calls", "rate", "failed", "error_rate", "requests", "attempts", "retries")
BYTES: Final = ("bytes_in", "bytes_out")
METRICS: Final = (*COUNTS, *LATENCIES, *WAITS, *BYTES)
SIDES: Final = ("auto", "client", "server")

_OWNED: Final = pl.col("target_kind").is_in(["service", "gateway"])  # only these have a namespace
_STATUS: Final = pl.col("failure").replace_strict(
    {model.OK: "ok", model.CANCELLED: "cancelled"}, default="failed", return_dtype=pl.String
)
_NAMESPACE: Final = pl.when(_OWNED).then(pl.col("target").str.extract(r"^(.*)/[^/]*$")).fill_null("")
GROUPS: Final[dict[str, pl.Expr]] = {
    **{name: pl.col(name) for name in ("source", "target", "kind", "operation", "protocol")},
    "status": _STATUS,
    **{name: pl.col(name) for name in ("failure", "version", "instance", "evidence")},
    "namespace": _NAMESPACE,
}
"""What calls are grouped and filtered by, of the names of their series; "" where it is not known."""

_SIDED: Final = ("client_calls", "client_failed", "server_calls", "server_failed")
_WHOLE: Final = ("requests", "attempts", *BYTES)  # of calls, whichever side saw them
_NOTHING: Final = 1e-9
_BINS: Final = 1 << 16  # that an Int16 can name


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about calls.

    Args:
        metrics: of :data:`METRICS`.
        group_by: of :data:`GROUPS`.
        side: of :data:`SIDES`.
        filters: key and its values, one of which must be met; of several all hold.
        step: s of a bucket of time; None for the window as a whole.
        unidentified: whether targets without any name count.
    """

    metrics: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    side: str = "auto"
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    step: int | None = None
    unidentified: bool = False

    @property
    def keys(self) -> set[str]:
        """All groups that are asked for, by any parameter."""
        return {*self.group_by, *(key for key, _ in self.filters)}

    @property
    def series(self) -> set[str]:
        """The names of series that the answer depends on."""
        told = {name for key in self.keys for name in GROUPS[key].meta.root_names()}
        return {*EDGE, "evidence", "source_kind", "target_kind", "caller_address", *told}

    @property
    def sums(self) -> set[str]:
        """The sums that the answer depends on."""
        whole = {"retries": ("requests", "attempts")}
        told = {name for metric in self.metrics for name in whole.get(metric, (metric,))}
        return {"calls", "samples", *_SIDED, *(told & {*model.SUMS})}

    @property
    def sides(self) -> tuple[int, ...]:
        """Whose histograms the answer depends on."""
        waits = (WAIT,) if self.waits else ()
        if not self.histograms:
            return waits
        return (*{"client": (CLIENT,), "server": (SERVER,)}.get(self.side, (CLIENT, SERVER)), *waits)

    @property
    def percentiles(self) -> dict[str, float]:
        """Those that are asked for."""
        return {name: q for name, q in PERCENTILES.items() if name in self.metrics}

    @property
    def histograms(self) -> bool:
        """Whether a latency is asked for."""
        return any(name in LATENCIES for name in self.metrics)

    @property
    def waits(self) -> bool:
        """Whether a wait is asked for."""
        return any(name in WAITS for name in self.metrics)


@dataclass(frozen=True, slots=True)
class Span:
    """``[start, end)`` in unix seconds, seen at ``now``."""

    start: int
    end: int
    now: float

    def elapsed(self, first: int, last: int) -> float:
        """Seconds of ``[first, last)`` that lie in the window and have passed: what rates divide by (P3)."""
        return max(1.0, min(float(last), self.end, self.now) - max(first, self.start))


def table(
    calls: Slab,
    asked: Asked,
    span: Span,
    names: Names,
    settled: int = 2**62,
    ranks: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The figures, a row for each group (and bucket of ``step``) that has calls, in no order.

    Args:
        calls: what began in the window, as it is stored.
        asked: the question.
        span: the window.
        names: what the names of targets and the addresses of callers are known to stand for.
        settled: calls of an unknown caller count up to this second (see :func:`collector.graph.build`).
        ranks: the bins of the percentiles that are asked for, of series that are a group of their own (see
            :func:`sides`), under their stored names: they have no bins in ``calls``.

    Returns:
        ``time`` (bucket start, unix s; with ``step`` only), the groups (null where not known), the metrics
        (Float64; latencies in ms; null where there is no sample, or no call to divide by).
    """
    # Over 40 lines: what it takes and gives is half of them.
    stored = calls.series
    calls, edges = chosen(calls, names, asked.unidentified, settled)
    series = calls.series.join(_sides(edges, asked.side), on=EDGE, how="left", maintain_order="left")
    groups, number = _grouped(series, asked)
    step = asked.step
    bucket = (pl.col("time") // step * step if step else pl.lit(span.start, pl.Int64)).alias("time")
    of_series = pl.DataFrame({"group": number, "server": series["server"]}).with_row_index("series")
    of_series = of_series.filter(pl.col("group").is_not_null())
    figures = _counted(calls.sums.with_columns(bucket).join(of_series, on="series"))
    if asked.histograms:
        side = series.select(pl.when("server").then(SERVER).otherwise(CLIENT).cast(pl.Int8)).to_series()
        latencies = _latencies(
            _bins(calls, number, bucket, side), asked.percentiles, mean="mean" in asked.metrics
        )
        if ranks is not None:
            latencies = pl.concat([latencies, _placed(ranks, stored, number, span)], how="diagonal")
        figures = figures.join(latencies, on=["time", "group"], how="left")
    if asked.waits:
        samples = _bins(calls, number, bucket, WAIT).filter(pl.col("bin") != waiting.NEGATIVE)
        at = {name: q for name, q in WAITS.items() if name in asked.metrics}
        figures = figures.join(_latencies(samples, at, mean=False), on=["time", "group"], how="left")
    figures = _rates(figures, span, step)
    named = pl.concat([figures, groups[figures["group"]]], how="horizontal")
    return named.select(*(["time"] if step else []), *asked.group_by, *asked.metrics)


def rests_on(calls: Slab, asked: Asked, names: Names, settled: int = 2**62) -> pl.DataFrame:
    """What the figures of each edge rest on; parameters as of :func:`table`.

    Returns:
        source, target, kind, ``evidence`` and ``others`` (kinds of evidence that were left aside), ``side``
        (client or server), ``calls`` (weighted) and ``samples`` (as many as were seen) of what the filters leave.
    """
    calls, edges = chosen(calls, names, asked.unidentified, settled)
    series = calls.series.join(_sides(edges, asked.side), on=EDGE, how="left", maintain_order="left")
    _, number = _grouped(series, replace(asked, group_by=()))
    counted = calls.sums.group_by("series").agg(pl.col("calls", "samples").sum())
    met = series.select(*EDGE).with_row_index("series").filter(number.is_not_null())
    totals = met.join(counted, on="series").group_by(EDGE).agg(pl.col("calls", "samples").sum())
    side = pl.when("server").then(pl.lit("server")).otherwise(pl.lit("client")).alias("side")
    told = edges.select(*EDGE, "evidence", "others").join(_sides(edges, asked.side), on=EDGE)
    return told.join(totals, on=EDGE).select(*EDGE, "evidence", "others", side, "calls", "samples").sort(EDGE)


def sides(calls: Slab, asked: Asked, names: Names, settled: int) -> pl.DataFrame:
    """Of each series of ``calls``: ``server``, whether its server's side counts (null: it does not count at all), and
    ``alone``, whether it is a group of its own.
    """
    found, edges = chosen(calls, names, asked.unidentified, settled)
    series = found.series.join(_sides(edges, asked.side), on=EDGE, how="left", maintain_order="left")
    groups = pl.DataFrame({"server": series["server"], "group": _grouped(series, asked)[1]})
    one = pl.col("group").is_not_null() & (pl.len().over("group") == 1)
    return groups.select("server", alone=one)


def chosen(calls: Slab, names: Names, unidentified: bool, settled: int) -> tuple[Slab, pl.DataFrame]:
    """The calls of edges, names resolved, of one kind of evidence each; and what they rest on.

    The second: source, target, kind, ``evidence``, ``others`` that were left aside, ``client_calls``, ``server_calls``.
    """
    series = resolved_series(calls.series, names)
    counts = calls.sums.filter(~_unsettled(calls.series, settled))
    totals = counts.group_by("series").agg(pl.col("calls", "client_calls", "server_calls").sum())
    rows = series.select(*EDGE, "evidence").with_row_index("series").join(totals, on="series")
    rows = rows.filter(pl.col("source") != "")
    if not unidentified:
        rows = rows.filter(~pl.col("target").str.starts_with("unidentified("))
    seen = rows.group_by(*EDGE, "evidence").agg(pl.col("calls", "client_calls", "server_calls").sum())
    rank = pl.col("evidence").replace_strict(EVIDENCE_ORDER, [0, 1, 2], default=2, return_dtype=pl.Int8)
    seen = seen.filter(pl.col("calls") > _NOTHING).sort(rank)
    others = seen.group_by(EDGE).agg(others=pl.col("evidence").slice(1))
    edges = seen.unique(EDGE, keep="first", maintain_order=True).join(others, on=EDGE)
    kept = rows.join(edges, on=[*EDGE, "evidence"], how="semi").select("series")
    there = pl.int_range(series.height, dtype=pl.UInt32, eager=True).is_in(kept["series"].implode())
    bins = calls.bins.filter(there.gather(calls.bins["series"]))
    if UNKNOWN in calls.series["source"]:
        bins = bins.filter(~_unsettled(calls.series, settled))
    return Slab(series, counts.join(kept, on="series", how="semi"), bins), edges


def _unsettled(series: pl.DataFrame, settled: int) -> pl.Expr:
    orphans = series.with_row_index("n").filter(pl.col("source") == UNKNOWN)["n"].implode()
    return (pl.col("time") >= settled) & pl.col("series").is_in(orphans)


def _sides(edges: pl.DataFrame, side: str) -> pl.DataFrame:
    """P8: whether the figures of an edge are its server side's."""
    server = pl.col("server_calls") > _NOTHING if side == "auto" else pl.lit(side == "server")
    return edges.select(*EDGE, server=server)


def _grouped(series: pl.DataFrame, asked: Asked) -> tuple[pl.DataFrame, pl.Series]:
    """The different groups, and of each series which one it is in; null for what is filtered away."""
    met = pl.col("server").is_not_null()  # of an edge that is chosen
    for key, values in asked.filters:
        met &= GROUPS[key].is_in(list(values))
    one = pl.lit(0).alias("_one")  # without any key all are one group
    said = series.select(one, *(GROUPS[name].alias(name) for name in asked.group_by), _met=met)
    keys = ["_one", *asked.group_by]
    groups = said.filter("_met").select(keys).unique(maintain_order=True)
    number = said.join(groups.with_row_index("group"), on=keys, how="left", maintain_order="left")
    known = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in asked.group_by]
    return groups.select("_one", *known), number.select(pl.when("_met").then("group")).to_series()


def _counted(sums: pl.DataFrame) -> pl.DataFrame:
    """What the chosen side of each edge counted. Groups in which it saw nothing are left out: no zeros."""
    of_side = [
        pl.when("server").then(f"server_{name}").otherwise(f"client_{name}").sum().alias(name)
        for name in ("calls", "failed")
    ]
    figures = sums.group_by("time", "group").agg(*of_side, pl.col(_WHOLE).sum())
    seen = pl.any_horizontal(pl.col("calls", *BYTES) > _NOTHING)
    return figures.filter(seen)


def _bins(calls: Slab, number: pl.Series, bucket: pl.Expr, side: pl.Series | int) -> pl.DataFrame:
    """The samples of one side of series that have a group: ``time``, ``group``, ``bin``, ``n``."""
    at = calls.bins["series"]
    wanted = side.gather(at) if isinstance(side, pl.Series) else side
    told = number.is_not_null().gather(at) & (calls.bins["side"] == wanted)
    return calls.bins.with_columns(bucket, number.rename("group").gather(at)).filter(told)


def _latencies(bins: pl.DataFrame, at: dict[str, float], *, mean: bool) -> pl.DataFrame:
    """Grouped by one number (bucket of time, group, bin): half the work of grouping by three."""
    by, times = ["time", "group"], bins["time"].unique().sort()
    size = pl.col("group").max().cast(pl.Int64) + 1
    code = pl.lit(times.search_sorted(bins["time"])).cast(pl.Int64) * size + pl.col("group").cast(pl.Int64)
    key = bins.select(
        "n", "time", "group", "bin", key=code * _BINS + pl.col("bin").cast(pl.Int64) + _BINS // 2
    )
    merged = (
        key.sort("key")
        .group_by("key", maintain_order=True)
        .agg(pl.col("n").sum(), pl.col(*by, "bin").first())
    )
    merged = merged.filter(pl.col("n") > _NOTHING).drop("key")
    found = quantiles_of_merged(merged, by, at)
    if not mean:
        return found
    weighted = (value_of(pl.col("bin")) * pl.col("n")).sum() / pl.col("n").sum() / 1e6
    return found.join(merged.group_by(by).agg(mean=weighted), on=by)


def _placed(ranks: pl.DataFrame, stored: pl.DataFrame, number: pl.Series, span: Span) -> pl.DataFrame:
    """Percentiles (ms) by their bins; ``number``: the group of each of the ``stored`` series."""
    names = [name for name in ranks.columns if name not in PERCENTILES]
    at = [name for name in ranks.columns if name in PERCENTILES]
    known = stored.select(names).with_columns(number.alias("group")).join(ranks, on=names)
    known = known.filter(pl.col("group").is_not_null() & pl.col(at[0]).is_not_null())
    values = [(value_of(pl.col(name)) / 1e6).alias(name) for name in at]
    return known.select(pl.lit(span.start, pl.Int64).alias("time"), "group", *values)


def _rates(figures: pl.DataFrame, span: Span, step: int | None) -> pl.DataFrame:
    """P3: rates divide by what is covered of the window, or of the bucket."""
    length = step if step else span.end - span.start
    times = figures["time"].unique()
    covered = pl.DataFrame(
        {"time": times, "seconds": [span.elapsed(first, first + length) for first in times]},
        schema={"time": pl.Int64, "seconds": pl.Float64},
    )
    calls = pl.col("calls")
    return figures.join(covered, on="time").with_columns(
        rate=calls / pl.col("seconds"),
        error_rate=pl.when(calls > _NOTHING).then(pl.col("failed") / calls),
        retries=(pl.col("attempts") - pl.col("requests")).clip(lower_bound=0.0),
    )
