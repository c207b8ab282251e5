"""The service graph of a window: buckets in, nodes and edges out. Pure functions over frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import model
from collector.directory import Names
from collector.histogram import quantiles
from collector.rollup import CLIENT, SERVER, SUMS, Buckets
from collector.shaping import COLLAPSED_ONLY, NAMED_ONLY, UNKNOWN

EDGE: Final = ["source", "target", "kind"]
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
EVIDENCE_ORDER: Final = ("span", "log", "metric")  # spans > logs > metrics (R12)
_KIND_ORDER: Final = ("gateway", "service", "database", "messaging", "external", "user", "unknown", "")


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """Nodes and edges of one window.

    ``nodes``: id, kind, calls, failed, p50 … p99 (ms).
    ``edges``: source, target, kind, protocol, evidence, the sums of :data:`collector.model.SUMS`, one ``failures_*``
    column per class, ``client_p50`` … ``server_p99`` (ms, null where that side was not seen), first and last (s).
    ``flags``: source, target, kind, flag, n. ``versions``: source, target, kind, version and its figures.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    flags: pl.DataFrame
    versions: pl.DataFrame


def build(
    window: Buckets,
    *,
    messaging: str = "collapsed",
    unidentified: bool = False,
    settled: int = 2**62,
    names: Names | None = None,
) -> ServiceGraph:
    """The graph of ``window``.

    Args:
        window: buckets of the wanted seconds.
        messaging: ``collapsed`` (producer → consumer) or ``expanded`` (with the destination between them).
        unidentified: whether targets without any name are shown.
        settled: calls of an unknown caller are shown up to this second (unix): a caller's span is sent when the
            call has ended, a moment after the called one's, and takes them back.
        names: what the names of targets and the addresses of callers are known to stand for.
    """
    orphan = (pl.col("source") == UNKNOWN) & (pl.col("time") >= settled)
    chosen = Buckets(window.sums.filter(~orphan), window.bins.filter(~orphan))
    chosen = one_evidence(resolved(chosen, names or Names()))
    if messaging == "expanded":
        chosen = _expanded(chosen)
    if not unidentified:
        named = ~pl.col("target").str.starts_with("unidentified(")
        chosen = Buckets(chosen.sums.filter(named), chosen.bins.filter(named))
    linked = pl.col("source") != ""
    edges = Buckets(chosen.sums.filter(linked), chosen.bins.filter(linked))
    return ServiceGraph(_nodes(chosen), _edges(edges), _flags(edges.sums), _versions(edges))


def resolved(window: Buckets, names: Names) -> Buckets:
    """Names and addresses as the services that they are (R4.3, R5.3, R5.4)."""
    table = _renamings(window.sums, names)
    if table is None:
        return window
    return Buckets(_renamed(window.sums, table), _renamed(window.bins, table))


def resolved_series(series: pl.DataFrame, names: Names) -> pl.DataFrame:
    """The same of series (columns :data:`collector.model.SERIES_KEY`, a row each), in their order."""
    table = _renamings(series, names)
    return series if table is None else _renamed(series, table)


_ENDS: Final = ["source", "target", "caller_address", "source_kind", "target_kind"]


def _renamings(rows: pl.DataFrame, names: Names) -> pl.DataFrame | None:
    """What becomes of the ends of ``rows``, where something changes; None where nothing does."""
    known = [_known(row, names) for row in rows.select(_ENDS).unique().iter_rows()]
    changed = [pair for pair in known if pair is not None]
    schema = dict.fromkeys((*_ENDS, *(f"new_{name}" for name in _ENDS)), pl.String)
    return pl.DataFrame(changed, schema=schema, orient="row") if changed else None


def _known(row: tuple[str, ...], names: Names) -> tuple[str, ...] | None:
    """A pair of ends and what they become; None where nothing changes."""
    source, target, address, source_kind, target_kind = row
    new = [source, target, "", source_kind, target_kind]
    known = names.addresses.get(address)
    if known and source_kind in ("user", "unknown"):
        new[0], new[3] = known, "service"
    elif source_kind == NAMED_ONLY:
        new[0], new[3] = names.resolve(source, target.rpartition("/")[0]), "service"
    if known and new[0] == source:  # R5.1: the address of a target that only a URL or a cluster names
        new[1], new[4] = known, "service"
    elif target_kind in (NAMED_ONLY, "external"):
        new[1] = names.resolve(target, source.rpartition("/")[0])
        new[4] = "service" if target_kind == NAMED_ONLY or new[1] in names.services else target_kind
    return None if new == list(row) else (*row, *new)


def _renamed(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    joined = frame.join(table, on=_ENDS, how="left", maintain_order="left")
    return joined.select(
        pl.coalesce(f"new_{name}", name).alias(name) if name in _ENDS else pl.col(name)
        for name in frame.columns
    )


def one_evidence(window: Buckets) -> Buckets:
    """Kinds of evidence are never added: each edge rests on the best one that it has."""
    rank = pl.col("evidence").replace_strict(list(EVIDENCE_ORDER), [0, 1, 2], default=2, return_dtype=pl.Int8)
    seen = window.sums.group_by(*EDGE, "evidence").agg(pl.col("calls").sum()).filter(pl.col("calls") > 0)
    best = seen.sort(rank).unique(EDGE, keep="first", maintain_order=True).select(*EDGE, "evidence")
    on = [*EDGE, "evidence"]
    return Buckets(window.sums.join(best, on=on, how="semi"), window.bins.join(best, on=on, how="semi"))


def _expanded(window: Buckets) -> Buckets:
    """R6.4: producer → destination is the client's side, destination → consumer the server's."""
    between = ~pl.col("via").is_in(["", COLLAPSED_ONLY])
    no_destination = pl.col("via") == ""
    direct = Buckets(window.sums.filter(no_destination), window.bins.filter(no_destination))
    sums, bins = window.sums.filter(between), window.bins.filter(between)
    produced = sums.filter(pl.col("client_calls") != 0)
    to_node = {"target": pl.col("via"), "target_kind": pl.lit("messaging")}
    from_node = {"source": pl.col("via"), "source_kind": pl.lit("messaging")}
    return Buckets(
        pl.concat([direct.sums, _half(produced, "client", to_node), _half(sums, "server", from_node)]),
        pl.concat(
            [
                direct.bins,
                bins.filter(pl.col("side") == CLIENT).with_columns(**to_node),
                bins.filter(pl.col("side") == SERVER).with_columns(**from_node),
            ]
        ),
    )


def _half(sums: pl.DataFrame, side: str, ends: dict[str, pl.Expr]) -> pl.DataFrame:
    other = "server" if side == "client" else "client"
    seen, bad = pl.col(f"{side}_calls"), pl.col(f"{side}_failed")
    zero = pl.lit(0.0)
    return sums.with_columns(
        **ends,
        calls=seen,
        failed=bad,
        # R3.3: a message that is sent again is no new request; a delivery is one.
        requests=pl.min_horizontal("requests", seen) if side == "client" else seen,
        attempts=seen,
        **{f"{other}_calls": zero, f"{other}_failed": zero},
    )


def _edges(window: Buckets) -> pl.DataFrame:
    failures = [
        pl.col("failed" if name != model.CANCELLED else "calls")
        .filter(pl.col("failure") == name)
        .sum()
        .alias(f"failures_{name}")
        for name in (*model.FAILED_CLASSES, model.CANCELLED)
    ]
    busiest = pl.col("protocol").sort_by("calls").last()
    figures = window.sums.group_by(EDGE).agg(
        pl.col(SUMS).sum(),
        *failures,
        protocol=busiest,
        evidence=pl.col("evidence").first(),
        source_kind=pl.col("source_kind").first(),
        target_kind=pl.col("target_kind").first(),
        first=pl.col("time").filter(pl.col("calls") > 0).min(),
        last=pl.col("time").filter(pl.col("calls") > 0).max(),
    )
    for number, side in ((CLIENT, "client"), (SERVER, "server")):
        figures = figures.join(_latency(window.bins, number, f"{side}_", EDGE), on=EDGE, how="left")
    return figures.sort(EDGE)


def _latency(bins: pl.DataFrame, side: int, prefix: str, by: list[str]) -> pl.DataFrame:
    at = {prefix + name: q for name, q in QUANTILES.items()}
    return quantiles(bins.filter(pl.col("side") == side), by, at)


def _nodes(window: Buckets) -> pl.DataFrame:
    """R3.4: what a node served itself; a node without spans of its own: what its callers saw."""
    ends = pl.concat(
        [
            window.sums.select(id="source", kind="source_kind"),
            window.sums.select(id="target", kind="target_kind"),
        ]
    ).filter(pl.col("id") != "")
    rank = pl.col("kind").replace_strict(list(_KIND_ORDER), list(range(8)), default=7, return_dtype=pl.Int8)
    nodes = ends.unique().sort(rank).unique("id", keep="first", maintain_order=True)
    served = window.sums.group_by(id="target").agg(
        pl.col("server_calls", "server_failed", "client_calls", "client_failed").sum()
    )
    own = pl.col("server_calls") > 0
    nodes = nodes.join(served, on="id", how="left").with_columns(
        calls=pl.when(own).then("server_calls").otherwise("client_calls").fill_null(0.0),
        failed=pl.when(own).then("server_failed").otherwise("client_failed").fill_null(0.0),
        own=own.fill_null(value=False),
    )
    bins = window.bins.rename({"target": "id"})
    seen_side = pl.when(pl.col("own")).then(SERVER).otherwise(CLIENT)
    own_bins = bins.join(nodes.select("id", "own"), on="id").filter(pl.col("side") == seen_side)
    latency = quantiles(own_bins, ["id"], QUANTILES)
    return nodes.select("id", "kind", "calls", "failed").join(latency, on="id", how="left").sort("id")


def _flags(sums: pl.DataFrame) -> pl.DataFrame:
    flagged = (
        sums.filter(pl.col("flags") != "").with_columns(flag=pl.col("flags").str.split(",")).explode("flag")
    )
    return flagged.group_by(*EDGE, "flag").agg(n=pl.col("calls").sum()).filter(pl.col("n") > 0).sort("flag")


def _versions(window: Buckets) -> pl.DataFrame:
    by = [*EDGE, "version"]
    side = pl.when(pl.col("server_calls") > 0).then(SERVER).otherwise(CLIENT)
    known = window.sums.filter(pl.col("version") != "")
    figures = known.group_by(by).agg(pl.col("calls", "failed", "server_calls").sum()).with_columns(side=side)
    bins = window.bins.join(figures.select(*by, "side"), on=[*by, "side"], how="semi")
    return (
        figures.drop("server_calls", "side").join(quantiles(bins, by, QUANTILES), on=by, how="left").sort(by)
    )
