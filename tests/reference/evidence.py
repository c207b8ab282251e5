"""R12: what access logs and mesh metrics say of edges, beside the spans."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tests.reference.failure import Answer, Verdict, flags_of, judge

Ends = tuple[str, str]  # source, target
REQUESTS = ("istio_requests", "istio_requests_total")


@dataclass(frozen=True)
class AccessLog:
    """One record. ``reporter`` is "outbound" (client side) or "inbound"; ``source`` "" = only ``peer`` is known."""

    reporter: str
    target: str
    source: str = ""
    peer: str = ""
    code: int | None = None
    grpc: int | None = None
    flags: str = "-"


@dataclass(frozen=True)
class Point:
    """One point of a cumulative counter of one writer."""

    labels: Mapping[str, str]
    value: float
    time_ns: int
    start_ns: int | None = None
    writer: str = "w"
    metric: str = "istio_requests_total"


@dataclass
class Evidence:
    """Counts of one edge by one kind of evidence."""

    calls: float = 0.0
    failed: float = 0.0
    client_calls: float = 0.0
    client_failed: float = 0.0
    server_calls: float = 0.0
    server_failed: float = 0.0
    requests: float = 0.0
    attempts: float = 0.0
    failures: dict[str, float] = field(default_factory=dict)


@dataclass
class Tally:
    """What one reporter saw of one edge."""

    calls: float = 0.0
    failed: float = 0.0
    failures: dict[str, float] = field(default_factory=dict)

    def add(self, count: float, said: Verdict) -> None:
        self.calls += count
        if said.failed and count:
            self.failed += count
            self.failures[said.failure] = self.failures.get(said.failure, 0.0) + count


def both_sides(client: Tally, servers: Iterable[Tally]) -> Evidence:
    """R12: "per side the largest estimate, headline = the larger side, for `calls` and `failed` alike; `requests` =
    client side, `attempts` = the larger side".

    Clarified: without a client side `requests` are the server's (R3.3).
    """
    estimates = list(servers)
    most = max(estimates, key=lambda tally: tally.calls)
    worst = max(estimates, key=lambda tally: tally.failed)
    calls = max(client.calls, most.calls)
    return Evidence(
        calls=calls,
        failed=max(client.failed, worst.failed),
        client_calls=client.calls,
        client_failed=client.failed,
        server_calls=most.calls,
        server_failed=worst.failed,
        requests=client.calls or most.calls,
        attempts=calls,
        failures=max((worst, client), key=lambda tally: tally.failed).failures,
    )


def of_logs(records: Iterable[AccessLog], addresses: Mapping[str, str]) -> dict[Ends, Evidence]:
    """Edges of access logs; ``addresses``: who is known to live at an address (R4.3). F7."""
    seen: dict[Ends, dict[str, Tally]] = defaultdict(lambda: {"outbound": Tally(), "inbound": Tally()})
    for record in records:
        said = judge(Answer(record.reporter == "outbound", record.code, record.grpc, flags_of(record.flags)))
        source = record.source or addresses.get(record.peer, "unknown")
        seen[source, record.target][record.reporter].add(1.0, said)
    return {ends: both_sides(by["outbound"], [by["inbound"]]) for ends, by in seen.items()}


def of_metrics(points: Iterable[Point]) -> dict[Ends, Evidence]:
    """Edges of `istio_requests`: "reporter=source → client side, destination → server side, waypoint → another estimate
    of the server side".
    """
    seen: dict[Ends, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for labels, count in increases(p for p in points if p.metric in REQUESTS):
        ends = source_of(labels), target_of(labels)
        seen[ends][labels.get("reporter", "")].add(count, said_by(labels))
    return {
        ends: both_sides(by["source"], [by["destination"], by["waypoint"]])
        for ends, by in ((ends, defaultdict(Tally, tallies)) for ends, tallies in seen.items())
    }


def increases(points: Iterable[Point]) -> list[tuple[Mapping[str, str], float]]:
    """R12: "Counters per writer: first point without start time = baseline, a decrease = reset (add the new value)"."""
    series: dict[tuple[object, ...], list[Point]] = defaultdict(list)
    for point in points:
        series[point.writer, point.metric, tuple(sorted(point.labels.items()))].append(point)
    found = []
    for of_writer in series.values():
        ordered = sorted(of_writer, key=lambda point: point.time_ns)
        grown = 0.0 if ordered[0].start_ns is None else ordered[0].value
        for before, after in pairwise(ordered):
            grown += after.value - before.value if after.value >= before.value else after.value
        found.append((ordered[0].labels, grown))
    return found


def stated(labels: Mapping[str, str], name: str) -> str:
    """R12: "`unknown` and empty = absent"."""
    value = labels.get(name, "")
    return "" if value == "unknown" else value


def _qualified(name: str, namespace: str) -> str:
    return f"{namespace}/{name}" if name and namespace else name


def source_of(labels: Mapping[str, str]) -> str:
    """R12: "`source_canonical_service` else `source_workload` (+ `source_workload_namespace`)"; none: `unknown`."""
    name = stated(labels, "source_canonical_service") or stated(labels, "source_workload")
    return _qualified(name, stated(labels, "source_workload_namespace")) or "unknown"


def target_of(labels: Mapping[str, str]) -> str:
    """R12: "`destination_service_name` (+ `destination_service_namespace`), else `destination_workload` … No
    destination workload: the target is the host in `destination_service`". J4: one node `blocked`,
    one `passthrough`. J5: bare addresses are grouped in `external IPs`.
    """
    name, workload = stated(labels, "destination_service_name"), stated(labels, "destination_workload")
    if name in ("BlackHoleCluster", "PassthroughCluster"):
        return "blocked" if name == "BlackHoleCluster" else "passthrough"
    host = stated(labels, "destination_service")
    if not workload and host:
        return "external IPs" if _is_address(host) else host
    if name:
        return _qualified(name, stated(labels, "destination_service_namespace"))
    return _qualified(workload, stated(labels, "destination_workload_namespace")) or "unknown"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.rsplit(":", 1)[0] if host.count(":") == 1 else host)
    except ValueError:
        return False
    return True


def said_by(labels: Mapping[str, str]) -> Verdict:
    """R12: "Failure by R10 (`grpc_response_status` goes before `response_code`)". J4: what is blocked has failed."""
    said = judge(
        Answer(
            calling=labels.get("reporter") == "source",
            http=_number(labels.get("response_code", "")),
            grpc=_number(labels.get("grpc_response_status", "")),
            flags=flags_of(labels.get("response_flags", "")),
        )
    )
    if target_of(labels) == "blocked" and not said.failed:
        return Verdict(failed=True, failure="no_response")
    return said


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def tcp_bytes(points: Iterable[Point]) -> dict[Ends, tuple[float, float]]:
    """J8: bytes towards the destination and back: at the source `sent` goes to the destination."""
    found: dict[Ends, tuple[float, float]] = {}
    for name, way in (("istio_tcp_sent_bytes", 0), ("istio_tcp_received_bytes", 1)):
        of_name = (
            p for p in points if p.metric.removesuffix("_total") == name and p.labels["reporter"] == "source"
        )
        for labels, grown in increases(of_name):
            ends = source_of(labels), target_of(labels)
            there, back = found.get(ends, (0.0, 0.0))
            found[ends] = (there + grown, back) if way == 0 else (there, back + grown)
    return found


def percentile_bucket(histograms: Iterable[Mapping[float, float]], quantile: float) -> float:
    """J7: buckets (upper bound → count) of several writers are summed, "then the percentile" (nearest rank): the upper
    bound of the bucket that holds it.
    """
    summed: dict[float, float] = defaultdict(float)
    for histogram in histograms:
        for bound, count in histogram.items():
            summed[bound] += count
    rank, cumulated = quantile * sum(summed.values()), 0.0
    for bound in sorted(summed):
        cumulated += summed[bound]
        if cumulated >= rank:
            return bound
    raise ValueError("no samples")


def chosen(
    spans: Mapping[Ends, float],
    logs: Mapping[Ends, float],
    metrics: Mapping[Ends, float],
    sampled: bool = False,
) -> dict[Ends, tuple[str, float]]:
    """R12: "For one edge one kind of evidence is chosen (spans > logs > metrics for paths, metrics for unsampled
    counts); kinds are never added". The kind and its calls, per edge. F6.

    Clarified: where spans are sampled, the counts are the metrics', else the logs', else the weighted spans'.
    """
    kinds = (("span", spans), ("log", logs), ("metric", metrics))
    order = kinds[::-1] if sampled else kinds
    every = {ends for _, table in kinds for ends in table}
    return {
        ends: next((kind, table[ends]) for kind, table in order if ends in table) for ends in sorted(every)
    }
