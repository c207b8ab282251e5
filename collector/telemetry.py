"""Our own counters, and the equations that they must satisfy. Per signal, once nothing is in flight:

    requests received = stored + rejected + refused + broken_off
    records received  = stored + unused + rejected + refused

and for spans, once none waits for its calls:

    stored = linked + duplicate + future + failed + recounted

received    came by a door: ``otlp_grpc``, ``otlp_http``, ``otlp_http_json`` or ``zipkin``. Records are counted once
            they are decoded; what cannot be decoded is a request without records. What gRPC or uvicorn themselves turn
            away (too many connections or calls), and what is not authenticated, came by no door.
stored      acknowledged, or would have been had the sender waited
unused      was taken but holds nothing that is kept: mirrored calls and repetitions in access logs, histograms of
            others than Istio
rejected    for good: unreadable, too large, malformed, too old; the sender was told so
refused     for now: a full queue, a failing store, or the sender left before it was queued; it is asked for again
broken_off  the sender left, or was too slow, before its request was queued

linked      counted for the first time;  duplicate: a copy of one that was (R1.2)
late        of a trace that had been let go of, or was stored by an earlier process: some of linked and duplicate
future      stored, but not in the graph (R8);  failed: its trace cannot be derived
recounted   waited for its calls when the store failed: counted from the store, as after a crash

Flaws are counted per stored span, copies too. The span is kept, with what is said here in place of what it says:

    invalid_duration     it ends before it starts: 0 (R8)
    unreadable_weight    the ``ot`` entry of its tracestate, or the configured attribute, cannot be read: 1 (R9)
    extreme_weight       it says that it stands for more than a million: as it says (R9)

and per delivery of a message, once it is counted (what a late span changes is not taken off):

    negative_wait        its consumer starts before its producer ends: no sample (R6.8)
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STORED: Final = "stored"
REJECTED: Final = "rejected"
REFUSED: Final = "refused"
BROKEN_OFF: Final = "broken_off"

_COMMIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Counters:
    """One set per process, handed to whoever counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_requests()
        self._count_records()
        self._measure()

    def _count_requests(self) -> None:
        self.requests_received = self._counter(
            "requests_received", "Export requests that came in.", "signal", "door"
        )
        self.requests = self._counter(
            "requests", "Export requests by signal and outcome.", "signal", "outcome"
        )
        self.bytes = self._counter("received_bytes", "Bytes of export requests, uncompressed.", "signal")

    def _count_records(self) -> None:
        self.records_received = self._counter(
            "records_received", "Spans, log records and points that came in.", "signal", "door"
        )
        self.stored = self._counter(
            "records_stored", "Spans, log records and points that were stored.", "signal"
        )
        self.spans = self._counter("spans", "Stored spans, by what became of them.", "outcome")
        self.unused = self._counter("records_unused", "Records that hold nothing that is kept.", "signal")
        self.refused = self._counter(
            "records_refused", "Records refused for now, to be sent again.", "signal"
        )
        self.rejected = self._counter(
            "records_rejected", "Records refused for good, by reason.", "signal", "reason"
        )
        self.cut = self._counter(
            "records_cut", "Values and names cut, attributes, events and links dropped.", "what"
        )
        self.flaws = self._counter("span_flaws", "Stored spans with something wrong, by what it is.", "flaw")

    def _measure(self) -> None:
        self.commits = Histogram(
            "meshscope_commit_seconds",
            "Time of one group commit.",
            buckets=_COMMIT_SECONDS,
            registry=self.registry,
        )
        self.derivations = Histogram(
            "meshscope_derivation_seconds",
            "Time of one derivation of calls.",
            buckets=_COMMIT_SECONDS,
            registry=self.registry,
        )
        self.queue = Gauge(
            "meshscope_queue_bytes", "Bytes waiting for a group commit.", registry=self.registry
        )
        self.open_spans = Gauge(
            "meshscope_open_spans", "Spans held for deriving again.", registry=self.registry
        )

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"meshscope_{name}", help_text, labels, registry=self.registry)
