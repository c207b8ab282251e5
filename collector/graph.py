"""The service graph of a window: buckets in, nodes and edges out. Pure functions over frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from collector import drawing
from collector.directory import Names
from collector.drawing import EDGE, QUANTILES
from collector.grouping import grouped
from collector.hops import bearer
from collector.model import COLLAPSED, EXPANDED
from collector.rollup import CLIENT, SERVER, WAIT, Buckets
from collector.shaping import COLLAPSED_ONLY, NAMED_ONLY, UNKNOWN
from collector.summed import Summed

__all__ = ["EDGE", "QUANTILES", "ServiceGraph", "build", "chosen", "drawn", "one_evidence", "resolved"]

_ENDS: Final = ["source", "target", "caller_address", "source_kind", "target_kind"]
EVIDENCE_ORDER: Final = ("span", "log", "metric")  # spans > logs > metrics (R12)


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """Nodes and edges of one window.

    ``nodes``: id, kind, member (its service where it is a part of one), facet (the version, operation or namespace that
    it is), calls, failed, attempts, requests, one ``failures_*`` column per class, p50 … p99 (ms).
    ``edges``: source, target, kind, protocol, evidence, the sums of :data:`collector.model.SUMS`, one ``failures_*``
    column per class, ``client_p50`` … ``server_p99`` (ms, null where that side was not seen), ``wait_p50``,
    ``wait_p95``, ``wait_p99`` (ms, null without a sample), ``negative_wait`` (null of calls), first and last (s).
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
    hops: str = "collapsed",
    unidentified: bool = False,
    settled: int = 2**62,
    names: Names | None = None,
    group_by: str = "service",
) -> ServiceGraph:
    """The graph of ``window``; the arguments are those of :func:`chosen`."""
    return drawn(
        chosen(
            window,
            messaging=messaging,
            hops=hops,
            unidentified=unidentified,
            settled=settled,
            names=names,
            group_by=group_by,
        )
    )


def chosen(
    window: Buckets,
    *,
    messaging: str = "collapsed",
    hops: str = "collapsed",
    unidentified: bool = False,
    settled: int = 2**62,
    names: Names | None = None,
    group_by: str = "service",
) -> Summed:
    """The calls of ``window`` between the ends that a graph has.

    Args:
        window: buckets of the wanted seconds.
        messaging: ``collapsed`` (producer → consumer) or ``expanded`` (with the destination between them).
        hops: ``collapsed`` or ``expanded`` (proxies are nodes, R7.2): then ``window`` has all calls.
        unidentified: whether targets without any name are shown.
        settled: calls of an unknown caller are shown up to this second (unix): a caller's span is sent when the
            call has ended, a moment after the called one's, and takes them back.
        names: what the names of targets and the addresses of callers are known to stand for.
        group_by: what a node is, one of :data:`collector.grouping.GROUPS`.
    """
    calls = Summed.of(window, pl.col("source") == UNKNOWN, settled)
    return of_summed(
        calls,
        messaging=messaging,
        hops=hops,
        unidentified=unidentified,
        names=names,
        group_by=group_by,
    )


def of_summed(
    calls: Summed,
    *,
    messaging: str = "collapsed",
    hops: str = "collapsed",
    unidentified: bool = False,
    names: Names | None = None,
    group_by: str = "service",
) -> Summed:
    """:func:`chosen` of calls that are added up already, without those of unknown callers that are not settled."""
    rows = _best(resolved_series(calls.rows, names or Names()))
    # What an edge rests on is decided in both views at once: metrics of a call whose hops are drawn are no call more.
    calls = Summed(rows, calls.bins).only(pl.col("hops") != (COLLAPSED if hops == EXPANDED else EXPANDED))
    if messaging == "expanded":
        calls = _expanded(calls)
    if not unidentified:
        calls = calls.only(~pl.col("target").str.starts_with("unidentified("))
    return Summed(grouped(calls.rows, group_by), calls.bins)


def drawn(calls: Summed) -> ServiceGraph:
    """The graph of the calls that :func:`chosen` gives."""
    return ServiceGraph(
        drawing.nodes(calls), drawing.edges(calls), drawing.flags(calls), drawing.versions(calls)
    )


_NAMED_TARGET: Final = pl.col("target_kind").is_in([NAMED_ONLY, "external"])


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


def _renamings(rows: pl.DataFrame, names: Names) -> pl.DataFrame | None:
    """What becomes of the ends of ``rows``, where something changes; None where nothing does."""
    unsure = (pl.col("caller_address") != "") | (pl.col("source_kind") == NAMED_ONLY) | _NAMED_TARGET
    known = [_known(row, names) for row in rows.select(_ENDS).filter(unsure).unique().iter_rows()]
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
        new[0], new[3] = names.resolve(source, bearer(target).rpartition("/")[0]), "service"
    if known and new[0] == source:  # R5.1: the address of a target that only a URL or a cluster names
        new[1], new[4] = known, "service"
    elif target_kind in (NAMED_ONLY, "external"):
        new[1] = names.resolve(target, bearer(source).rpartition("/")[0])
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
    best = _evidence(window.sums)
    return Buckets(
        window.sums.join(best, on=best.columns, how="semi"),
        window.bins.join(best, on=best.columns, how="semi"),
    )


def _best(rows: pl.DataFrame) -> pl.DataFrame:
    best = _evidence(rows)
    return rows.join(best, on=best.columns, how="semi", maintain_order="left")


def _evidence(rows: pl.DataFrame) -> pl.DataFrame:
    """The kind of evidence that each edge rests on."""
    rank = pl.col("evidence").replace_strict(list(EVIDENCE_ORDER), [0, 1, 2], default=2, return_dtype=pl.Int8)
    seen = rows.group_by(*EDGE, "evidence").agg(pl.col("calls").sum()).filter(pl.col("calls") > 0)
    return seen.sort(rank).unique(EDGE, keep="first", maintain_order=True).select(*EDGE, "evidence")


def _expanded(calls: Summed) -> Summed:
    """R6.4: producer → destination is the client's side, destination → consumer the server's, and the wait (R6.8)."""
    direct = calls.only(pl.col("via") == "")
    between = calls.only(~pl.col("via").is_in(["", COLLAPSED_ONLY]))
    produced = between.rows.filter(pl.col("client_calls") != 0)
    to_node = {"target": pl.col("via"), "target_kind": pl.lit("messaging")}
    from_node = {"source": pl.col("via"), "source_kind": pl.lit("messaging")}
    of_client, of_server = (calls.bins.filter(pl.col("side").is_in(s)) for s in ([CLIENT], [SERVER, WAIT]))
    return Summed.together(
        [
            direct,
            Summed(_half(produced, "client", to_node), of_client),
            Summed(_half(between.rows, "server", from_node), of_server),
        ]
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
