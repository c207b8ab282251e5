"""The graph as the API writes it: frames in, plain dictionaries out (see ``GET /api/v1/graph``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from collector import waiting
from collector.drawing import CLASSES
from collector.graph import EDGE, QUANTILES, ServiceGraph
from collector.grouping import NO_NAMESPACE
from collector.hops import bearer
from web.health import DEFAULT, HealthRules, Thresholds, discrepancy, health, interval
from web.window import Window, rfc3339

Json = dict[str, Any]
BreakerOf = Callable[[str, str], Json | None]


@dataclass(frozen=True, slots=True)
class Beside:
    """What a graph shows beside its calls."""

    breaker: BreakerOf = lambda _source, _target: None
    instances: Mapping[str, int] = field(default_factory=dict)
    rules: HealthRules = DEFAULT
    group_by: str = "service"
    node_breaker: Callable[[str], Json | None] = lambda _node: None


_CLASSES: Final = {name: f"failures_{name}" for name in CLASSES}
_LATENCIES: Final = {
    side: {name: f"{side}{name}" for name in QUANTILES} for side in ("", "client_", "server_")
}


def graph(built: ServiceGraph, window: Window, now: float, beside: Beside) -> Json:
    """The document of one window."""
    head, nodes, edges = rows(built, window, now, beside)
    return head | {"nodes": list(nodes), "edges": list(edges)}


def rows(
    built: ServiceGraph, window: Window, now: float, beside: Beside
) -> tuple[Json, Iterator[Json], Iterator[Json]]:
    """The times of the document, its nodes and its edges, one by one: whoever writes them at once holds none."""
    seconds = window.elapsed(now)
    head = {
        "start": rfc3339(window.start),
        "end": rfc3339(min(window.end, now)),
        "partial": window.end > now,
    }
    flags, versions = _by_edge(built.flags), _by_edge(_plain(built.versions))
    shares = _version_shares(built.versions)
    nodes = (_node(row, seconds, beside, shares) for row in _plain(built.nodes).iter_rows(named=True))
    edges = (
        _edge(row, seconds, beside, flags, versions) for row in _plain(built.edges).iter_rows(named=True)
    )
    return head, nodes, edges


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Figures as they are written, all at once: latencies with six digits, sums of weights with six decimals.

    What float addition leaves of a whole number is a whole number.
    """
    figures = [name for name, kind in rows.schema.items() if kind == pl.Float64]
    latencies = [name for name in figures if name.endswith(tuple(QUANTILES))]
    sums = [name for name in figures if name not in latencies]
    return rows.with_columns(pl.col(latencies).round_sig_figs(6), pl.col(sums).round(6) + 0.0)


def _node(row: Json, seconds: float, beside: Beside, shares: dict[str, dict[str, float]]) -> Json:
    at = _rules(beside, row["id"], row["member"])
    return {
        "id": row["id"],
        **names(row, beside.group_by),
        "kind": row["kind"] or "unknown",
        **_figures(row, seconds, at),
        "latency_ms": _latency(row, ""),
        "instances": beside.instances.get(row["id"]),
        "versions": shares.get(row["id"], {}),
        **_seen(row),
        "breaker": beside.node_breaker(row["id"]),
    }


def names(row: Json, group_by: str) -> Json:
    """What a node is: its service and namespace, and the version or operation of it that it stands for."""
    facet, part = row["facet"] or None, {"version": None, "operation": None}
    if group_by == "namespace" and facet:
        return {"service": facet, "namespace": None if facet == NO_NAMESPACE else facet, **part}
    member = row["member"]
    own = row["kind"] in ("service", "gateway")
    service = bearer(member)
    namespace, _, name = service.rpartition("/") if own else ("", "", member)
    if own and service != member:  # a hop is where its service is (R7.2)
        name = f"proxy({name})"
    if group_by in part:
        part[group_by] = facet
    return {"service": name, "namespace": namespace or None, **part}


def _rules(beside: Beside, node: str, member: str) -> Thresholds:
    """Of a namespace that is a node, what its services have in common."""
    return beside.rules.of(f"{node}/*" if beside.group_by == "namespace" else bearer(member))


def _figures(row: Json, seconds: float, at: Thresholds) -> Json:
    """What nodes and edges have alike."""
    calls, failed = row["calls"], row["failed"]
    return {
        "calls": calls,
        "failed": failed,
        "rate": _rounded(calls / seconds),
        "error_rate": _share(failed, calls),
        "error_interval": [_rounded(end) for end in interval(failed, calls)] if calls > 0 else None,
        "health": health(failed, calls, at),
        "failures": {name: row[column] for name, column in _CLASSES.items()},
        "attempts": row["attempts"],
        "requests": row["requests"],
        "amplification": _share(row["attempts"], row["requests"]),
    }


def _edge(row: Json, seconds: float, beside: Beside, flags: Any, versions: Any) -> Json:
    key = tuple(row[name] for name in EDGE)
    at = _rules(beside, row["target"], row["target_member"])
    return {
        "source": row["source"],
        "target": row["target"],
        "protocol": row["protocol"] or None,
        "kind": row["kind"],
        **_figures(row, seconds, at),
        "client": side(row, "client"),
        "server": side(row, "server"),
        "wait_ms": _wait(row),
        "negative_wait": row["negative_wait"],
        "discrepancy": discrepancy(row, at),
        "retries": _number(max(0.0, row["attempts"] - row["requests"])),
        "flags": {flag["flag"]: _number(flag["n"]) for flag in flags.get(key, ())},
        "versions": {v["version"]: _version(v) for v in versions.get(key, ())},
        "breaker": beside.breaker(row["source"], row["target"]),
        "mtls": None,
        "evidence": [row["evidence"]],
        "virtual": row["server_calls"] <= 0,
        "inferred": row["inferred"] > 0,
        **_seen(row),
    }


def _seen(row: Json) -> Json:
    return {f"{name}_seen": rfc3339(row[name]) if row[name] else None for name in ("first", "last")}


def side(row: Json, name: str) -> Json:
    """One side of an edge; ``latency_ms`` is null where it was not seen."""
    return {
        "calls": row[f"{name}_calls"],
        "failed": row[f"{name}_failed"],
        "latency_ms": _latency(row, f"{name}_"),
    }


def _wait(row: Json) -> Json | None:
    """R6.8: null without a sample."""
    return None if row["wait_p50"] is None else {name: row[f"wait_{name}"] for name in waiting.QUANTILES}


def _version(row: Json) -> Json:
    return {
        "calls": row["calls"],
        "failed": row["failed"],
        "error_rate": _share(row["failed"], row["calls"]),
        "latency_ms": _latency(row, ""),
    }


def _version_shares(versions: pl.DataFrame) -> dict[str, dict[str, float]]:
    calls = versions.filter(pl.col("calls") > 0).group_by("target", "version").agg(pl.col("calls").sum())
    shares: dict[str, dict[str, float]] = {}
    for row in calls.sort("target", "version").iter_rows(named=True):
        shares.setdefault(row["target"], {})[row["version"]] = _number(row["calls"])
    return shares


def _by_edge(frame: pl.DataFrame) -> dict[tuple[str, ...], list[Json]]:
    rows: dict[tuple[str, ...], list[Json]] = {}
    for row in frame.iter_rows(named=True):
        rows.setdefault(tuple(row[name] for name in EDGE), []).append(row)
    return rows


def _latency(row: Json, prefix: str) -> Json | None:
    """Null without a sample: then there is no percentile at all."""
    columns = _LATENCIES[prefix]
    return None if row[columns["p50"]] is None else {name: row[column] for name, column in columns.items()}


def _share(part: float, whole: float) -> float | None:
    return _rounded(part / whole) if whole > 0 else None


def _number(value: float) -> float:
    """Sums of weights; what float addition leaves of a whole number is a whole number."""
    return round(value, 6) + 0.0


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def totals(edges: Iterable[Json]) -> tuple[float, float]:
    """Calls and failed calls over edges."""
    calls = failed = 0.0
    for edge in edges:
        calls, failed = calls + edge["calls"], failed + edge["failed"]
    return calls, failed
