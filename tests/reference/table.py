"""Call analytics, slowly: every figure of every group from the calls of the reference, one sample at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.reference.calls import Call, Side, version_of
from tests.reference.figures import Samples
from tests.reference.spans import Key, Span

QS = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}
_PROTOCOLS = (
    ("messaging.system", ""),
    ("db.system.name", ""),
    ("db.system", ""),
    ("rpc.system", ""),
    ("rpc.grpc.status_code", "grpc"),
    ("http.request.method", "http"),
    ("http.method", "http"),
    ("http.response.status_code", "http"),
    ("http.status_code", "http"),
)


@dataclass(frozen=True)
class Row:
    """One server of a call, or a call without any. Its client's side goes with the heaviest server."""

    call: Call
    client: Side | None
    server: Side | None
    weight: float
    failure: str
    requests: float
    attempts: float


def rows(found: Iterable[Call]) -> list[Row]:
    """R3.2, R3.3, R9, R10: as :func:`tests.reference.figures.figures` adds them up, row by row."""
    by_client: dict[tuple[str, str, str, Key], list[Call]] = defaultdict(list)
    made = []
    for call in found:
        if call.client is not None:
            by_client[call.source, call.target, call.kind, call.client.key].append(call)
        else:
            weight = call.weight if call.server is None else call.server.weight
            made.append(Row(call, None, call.server, weight, _failure(call.server), weight, weight))
    for calls in by_client.values():
        made += _of_client(calls)
    return made


def _of_client(calls: list[Call]) -> list[Row]:
    client = calls[0].client
    assert client is not None
    told = [(max(client.weight, c.server.weight), c) for c in calls if c.server is not None]
    told.sort(key=lambda item: (-item[0], _server(item[1]).start_ns, _server(item[1]).key[2]))
    told = told or [(client.weight, calls[0])]
    failures = [_failure(call.server) for _, call in told]
    if not any(f not in ("ok", "cancelled") for f in failures):
        of_client = _failure(client)
        if of_client not in ("ok", "cancelled") or (of_client == "cancelled" and "cancelled" not in failures):
            failures[0] = of_client
    tries = max(client.attempts * told[0][0], sum(weight for weight, _ in told))
    return [
        Row(
            call,
            client if n == 0 else None,
            call.server,
            weight,
            failures[n],
            told[0][0] if n == 0 and not client.resend else 0.0,
            tries if n == 0 else 0.0,
        )
        for n, (weight, call) in enumerate(told)
    ]


def _server(call: Call) -> Side:
    assert call.server is not None
    return call.server


def _failure(side: Side | None) -> str:
    if side is None:
        return "ok"
    return "cancelled" if side.verdict.cancelled else side.verdict.failure if side.verdict.failed else "ok"


def said(row: Row, spans: Mapping[Key, Span]) -> dict[str, str]:
    """What a row is grouped by."""
    call = row.call
    client = spans[call.client.key] if call.client else None
    server = spans[row.server.key] if row.server else None
    owned = not (call.database or call.target.startswith("unidentified("))
    status = row.failure if row.failure in ("ok", "cancelled") else "failed"
    return {
        "source": call.source,
        "target": call.target,
        "kind": call.kind,
        "namespace": call.target.rpartition("/")[0] if owned else "",
        "status": status,
        "failure": row.failure,
        "evidence": "span",
        "operation": (server.name if server else "") or (client.name if client else ""),
        "protocol": (_protocol(client) if client else "") or (_protocol(server) if server else ""),
        # Where the target shows no side, what its caller's proxy chose.
        "version": version_of(server) if server else (client.text("upstream.version") if client else ""),
        "instance": server.instance if server else "",
    }


def _protocol(span: Span) -> str:
    for name, protocol in _PROTOCOLS:
        if stated := span.text(name):
            return protocol or stated
    return ""


Group = tuple[str | int, ...]


def table(
    found: list[Row],
    spans: Mapping[Key, Span],
    by: tuple[str, ...],
    side: str,
    step: int | None,
    wanted: Mapping[str, str],
) -> dict[Group, dict[str, float | None]]:
    """Figures of each group that has calls; with ``step`` (s) the first of its values is the start of the bucket."""
    served: dict[Group, bool] = defaultdict(bool)
    for row in found:
        served[row.call.source, row.call.target, row.call.kind] |= row.server is not None
    groups: dict[Group, list[tuple[Row, Side | None]]] = defaultdict(list)
    for row in found:
        names = said(row, spans)
        if any(names[key] != value for key, value in wanted.items()):
            continue
        of_server = (
            served[row.call.source, row.call.target, row.call.kind] if side == "auto" else side == "server"
        )
        time = (row.call.second // step * step,) if step else ()
        groups[(*time, *(names[name] for name in by))].append((row, row.server if of_server else row.client))
    return {group: _figures(pairs) for group, pairs in groups.items() if any(end for _, end in pairs)}


def _figures(pairs: list[tuple[Row, Side | None]]) -> dict[str, float | None]:
    ends = [end for _, end in pairs if end is not None]
    calls = sum(end.weight for end in ends)
    failed = sum(end.weight for end in ends if end.verdict.failed)
    samples = [(end.duration_ns, end.weight) for end in ends]
    waits = [row.call.wait for row, _ in pairs if row.call.wait is not None and row.call.wait[0] >= 0]
    requests, attempts = (sum(getattr(row, name) for row, _ in pairs) for name in ("requests", "attempts"))
    return {
        "calls": calls,
        "failed": failed,
        "error_rate": failed / calls,
        "requests": requests,
        "attempts": attempts,
        "retries": max(0.0, attempts - requests),
        "mean": sum(duration * weight for duration, weight in samples) / calls / 1e6,
        **{name: nearest_rank(samples, q) for name, q in QS.items()},
        **{f"wait_{name}": nearest_rank(waits, QS[name]) for name in ("p50", "p95", "p99")},
    }


def nearest_rank(samples: Samples, q: float) -> float | None:
    """P1: "the smallest value whose cumulated weight reaches q·W", in ms."""
    whole, cumulated = sum(weight for _, weight in samples), 0.0
    for duration, weight in sorted(samples):
        cumulated += weight
        if cumulated >= q * whole * (1 - 1e-12):
            return duration / 1e6
    return None
