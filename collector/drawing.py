"""Summed calls → the nodes and edges of a graph. Pure functions over frames."""

from __future__ import annotations

from typing import Final

import polars as pl

from collector import model, waiting
from collector.histogram import quantiles
from collector.rollup import CLIENT, SERVER, SUMS, WAIT
from collector.summed import Summed

EDGE: Final = ["source", "target", "kind"]
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
CLASSES: Final = (*model.FAILED_CLASSES, model.CANCELLED)
_KIND_ORDER: Final = ("gateway", "service", "database", "messaging", "external", "user", "unknown", "")
_OF_NODE: Final = ["target", "target_member"]
_USED: Final = {"first": pl.col("first").min(), "last": pl.col("last").max()}


def edges(calls: Summed) -> pl.DataFrame:
    """See :class:`collector.graph.ServiceGraph`."""
    rows = calls.rows.filter(pl.col("source") != "")
    failures = [
        pl.col("failed" if name != model.CANCELLED else "calls")
        .filter(pl.col("failure") == name)
        .sum()
        .alias(f"failures_{name}")
        for name in CLASSES
    ]
    figures = rows.group_by(EDGE).agg(
        pl.col(SUMS).sum(),
        *failures,
        *(pl.col(name).first() for name in ("evidence", "source_kind", "target_kind", "target_member")),
        **_USED,
    )
    by_protocol = rows.group_by(*EDGE, "protocol").agg(pl.col("calls").sum())
    busiest = by_protocol.sort("calls", "protocol").unique(EDGE, keep="last").select(*EDGE, "protocol")
    figures = figures.join(busiest, on=EDGE, how="left")
    waits = calls.bins.filter(pl.col("side") == WAIT)
    durations = calls.bins.filter(pl.col("side") != WAIT) if waits.height else calls.bins
    latency = _latency(Summed(rows, durations), EDGE, ["side"])
    for number, side in ((CLIENT, "client"), (SERVER, "server")):
        of_side = latency.filter(pl.col("side") == number).drop("side")
        named = of_side.rename({name: f"{side}_{name}" for name in QUANTILES})
        figures = figures.join(named, on=EDGE, how="left")
    return _waited(figures, Summed(rows, waits)).sort(EDGE)


def _waited(figures: pl.DataFrame, waits: Summed) -> pl.DataFrame:
    """R6.8: with ``wait_p50`` … ``wait_p99`` (ms) and ``negative_wait``, which edges of calls have not."""
    message = pl.col("kind") == "messaging"
    below = pl.col("bin") == waiting.NEGATIVE
    found = _latency(Summed(waits.rows, waits.bins.filter(~below)), EDGE)
    found = found.select(*EDGE, **{f"wait_{name}": name for name in waiting.QUANTILES})
    negative = waits.bins.filter(below).join(waits.rows.select("series", *EDGE), on="series")
    counted = negative.group_by(EDGE).agg(negative_wait=pl.col("n").sum())
    figures = figures.join(found, on=EDGE, how="left").join(counted, on=EDGE, how="left")
    return figures.with_columns(negative_wait=pl.when(message).then(pl.col("negative_wait").fill_null(0.0)))


def _latency(calls: Summed, by: list[str], more: list[str] | None = None) -> pl.DataFrame:
    """Percentiles (ms) by columns of the rows, and by ``more`` ones of the bins; numbers are grouped, not names."""
    names = calls.rows.select(by).unique(maintain_order=True).with_row_index("group")
    number = calls.rows.select("series", *by).join(names, on=by).select("series", "group")
    found = quantiles(calls.bins.join(number, on="series"), ["group", *(more or [])], QUANTILES)
    return found.join(names, on="group").drop("group")


def nodes(calls: Summed) -> pl.DataFrame:
    """R3.4: what a node served itself; a node without spans of its own: what its callers saw.

    ``first`` and ``last``: of all calls to it or from it, unix s; null without any.
    """
    rows = _served(calls.rows)
    served = rows.group_by(id="target").agg(
        calls=_seen("calls").sum(),
        failed=_seen("failed").sum(),
        attempts=pl.col("attempts").filter(pl.col("source") != "").sum(),
        requests=pl.col("requests").filter(pl.col("source") != "").sum(),
        **{f"failures_{name}": _seen("failed").filter(_class(name)).sum() for name in model.FAILED_CLASSES},
        **{f"failures_{model.CANCELLED}": _seen("calls").filter(_class(model.CANCELLED)).sum()},
        **_USED,
    )
    ends = [served.select("id", *_USED), rows.group_by(id="source").agg(**_USED)]
    used = pl.concat(ends).group_by("id").agg(**_USED)
    found = _ends(rows).join(served.drop(*_USED), on="id", how="left").join(used, on="id", how="left")
    figures = [name for name in served.columns if name not in ("id", *_USED)]
    latency = quantiles(node_bins(calls), ["id"], QUANTILES)
    return found.with_columns(pl.col(figures).fill_null(0.0)).join(latency, on="id", how="left").sort("id")


def node_bins(calls: Summed) -> pl.DataFrame:
    """The samples of nodes, of the side that tells of each: ``id``, ``bin``, ``n``."""
    own = _served(calls.rows).select("series", "own", id="target")
    bins = calls.bins.join(own, on="series")
    return bins.filter(pl.col("side") == pl.when("own").then(SERVER).otherwise(CLIENT)).select(
        "id", "bin", "n"
    )


def _served(rows: pl.DataFrame) -> pl.DataFrame:
    """Whether the target tells of itself, as ``own``."""
    return rows.with_columns(own=pl.col("server_calls").sum().over(_OF_NODE) > 0)


def _class(name: str) -> pl.Expr:
    return pl.col("failure") == name


def _seen(figure: str) -> pl.Expr:
    return pl.when("own").then(f"server_{figure}").otherwise(f"client_{figure}")


def _ends(rows: pl.DataFrame) -> pl.DataFrame:
    """Every node with what it is; of several kinds the first in order."""
    ends = pl.concat(
        rows.select(id=end, kind=f"{end}_kind", member=f"{end}_member", facet=f"{end}_facet").unique()
        for end in ("source", "target")
    ).filter(pl.col("id") != "")
    rank = pl.col("kind").replace_strict(list(_KIND_ORDER), list(range(8)), default=7, return_dtype=pl.Int8)
    return ends.sort(rank, "member").unique("id", keep="first", maintain_order=True)


def flags(calls: Summed) -> pl.DataFrame:
    """Calls by Envoy response flag: ``EDGE``, ``flag``, ``n``."""
    rows = calls.rows.filter((pl.col("flags") != "") & (pl.col("source") != ""))
    flagged = rows.with_columns(flag=pl.col("flags").str.split(",")).explode("flag")
    return flagged.group_by(*EDGE, "flag").agg(n=pl.col("calls").sum()).filter(pl.col("n") > 0).sort("flag")


def versions(calls: Summed) -> pl.DataFrame:
    """Calls by version of the target: ``EDGE``, ``version``, ``calls``, ``failed`` and percentiles (ms)."""
    by = [*EDGE, "version"]
    known = calls.rows.filter((pl.col("version") != "") & (pl.col("source") != ""))
    figures = known.group_by(by).agg(pl.col("calls", "failed").sum(), own=pl.col("server_calls").sum() > 0)
    sides = known.select("series", *by).join(figures.select(*by, "own"), on=by).select("series", "own")
    bins = calls.bins.join(sides, on="series")
    seen = bins.filter(pl.col("side") == pl.when("own").then(SERVER).otherwise(CLIENT))
    latency = _latency(Summed(known, seen.drop("own")), by)
    return figures.drop("own").join(latency, on=by, how="left").sort(by)
