"""The graph as the API writes it: frames in, plain dictionaries out (see ``GET /api/v1/graph``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import polars as pl

from collector import model
from collector.graph import EDGE, QUANTILES, ServiceGraph
from web.window import Window, rfc3339

Json = dict[str, Any]
BreakerOf = Callable[[str, str], Json | None]

# Health needs volume and evidence: the lower end of the 95 % Wilson interval must pass the mark.
MIN_CALLS: Final = 5
DEGRADED, FAILING = 0.01, 0.05
_Z: Final = 1.96


def graph(
    built: ServiceGraph, window: Window, now: float, breaker: BreakerOf, instances: dict[str, int]
) -> Json:
    """The document of one window."""
    seconds = window.elapsed(now)
    flags, versions = _by_edge(built.flags), _by_edge(built.versions)
    edges = [_edge(row, seconds, breaker, flags, versions) for row in built.edges.iter_rows(named=True)]
    shares = _version_shares(built.versions)
    nodes = [_node(row, seconds, instances, shares) for row in built.nodes.iter_rows(named=True)]
    return {
        "start": rfc3339(window.start),
        "end": rfc3339(min(window.end, now)),
        "partial": window.end > now,
        "nodes": nodes,
        "edges": edges,
    }


def _node(row: Json, seconds: float, instances: dict[str, int], shares: dict[str, dict[str, float]]) -> Json:
    namespace, _, name = (
        row["id"].rpartition("/") if row["kind"] in ("service", "gateway") else ("", "", row["id"])
    )
    return {
        "id": row["id"],
        "service": name,
        "namespace": namespace or None,
        "kind": row["kind"] or "unknown",
        "calls": _number(row["calls"]),
        "failed": _number(row["failed"]),
        "rate": _rounded(row["calls"] / seconds),
        "error_rate": _share(row["failed"], row["calls"]),
        "latency_ms": _latency(row, ""),
        "health": health(row["failed"], row["calls"]),
        "instances": instances.get(row["id"]),
        "versions": shares.get(row["id"], {}),
        "breaker": None,
    }


def _edge(row: Json, seconds: float, breaker: BreakerOf, flags: Any, versions: Any) -> Json:
    key = tuple(row[name] for name in EDGE)
    return {
        "source": row["source"],
        "target": row["target"],
        "protocol": row["protocol"] or None,
        "kind": row["kind"],
        "calls": _number(row["calls"]),
        "failed": _number(row["failed"]),
        "rate": _rounded(row["calls"] / seconds),
        "error_rate": _share(row["failed"], row["calls"]),
        "health": health(row["failed"], row["calls"]),
        "client": side(row, "client"),
        "server": side(row, "server"),
        "failures": {
            name: _number(row[f"failures_{name}"]) for name in (*model.FAILED_CLASSES, model.CANCELLED)
        },
        "attempts": _number(row["attempts"]),
        "requests": _number(row["requests"]),
        "retries": _number(max(0.0, row["attempts"] - row["requests"])),
        "flags": {flag["flag"]: _number(flag["n"]) for flag in flags.get(key, ())},
        "versions": {v["version"]: _version(v) for v in versions.get(key, ())},
        "breaker": breaker(row["source"], row["target"]),
        "mtls": None,
        "evidence": [row["evidence"]],
        "virtual": row["server_calls"] <= 0,
        "inferred": row["inferred"] > 0,
        "first_seen": rfc3339(row["first"]) if row["first"] else None,
        "last_seen": rfc3339(row["last"]) if row["last"] else None,
    }


def side(row: Json, name: str) -> Json:
    """One side of an edge; ``latency_ms`` is null where it was not seen."""
    return {
        "calls": _number(row[f"{name}_calls"]),
        "failed": _number(row[f"{name}_failed"]),
        "latency_ms": _latency(row, f"{name}_"),
    }


def health(failed: float, calls: float) -> str:
    """healthy, degraded, failing; ``idle`` without calls. No red on one failure of two calls."""
    if calls <= 0:
        return "idle"
    if calls < MIN_CALLS or failed <= 0:
        return "healthy"
    low = wilson_low(failed, calls)
    return "failing" if low >= FAILING else "degraded" if low >= DEGRADED else "healthy"


def wilson_low(failed: float, calls: float) -> float:
    """Lower end of the 95 % Wilson score interval of a share."""
    share = min(1.0, failed / calls)
    centre = share + _Z**2 / (2 * calls)
    spread = _Z * math.sqrt(share * (1 - share) / calls + _Z**2 / (4 * calls**2))
    return (centre - spread) / (1 + _Z**2 / calls)


def _version(row: Json) -> Json:
    return {
        "calls": _number(row["calls"]),
        "failed": _number(row["failed"]),
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
    figures = {name: row[prefix + name] for name in QUANTILES}
    if any(value is None for value in figures.values()):
        return None
    return {name: _rounded(value) for name, value in figures.items()}


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
