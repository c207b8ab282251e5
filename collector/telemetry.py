"""Our own counters, and the equations that they must satisfy.

    received = stored + rejected + refused            per signal, once nothing is in flight
    batches  = commits × batches per commit           how well grouping works

``rejected`` rows were malformed or too old (the sender was told so); ``refused`` ones met a full queue or a failing
store and were asked for again.

Flaws are counted per stored span, copies too. The span is kept, with what is said here in place of what it says:

    invalid_duration     it ends before it starts: 0 (R8)
    unreadable_weight    the ``ot`` entry of its tracestate cannot be read: 1 (R9)
    extreme_weight       it says that it stands for more than a million: as it says (R9)
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_COMMIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Counters:
    """One set per process, handed to whoever counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "requests", "Export requests by signal and outcome.", "signal", "outcome"
        )
        self.stored = self._counter(
            "records_stored", "Spans, log records and points that were stored.", "signal"
        )
        self.spans = self._counter("spans", "Stored spans, by what became of them.", "outcome")
        self.rejected = self._counter(
            "records_rejected", "Records refused for good, by reason.", "signal", "reason"
        )
        self.cut = self._counter(
            "records_cut", "Values and names cut, attributes, events and links dropped.", "what"
        )
        self.flaws = self._counter("span_flaws", "Stored spans with something wrong, by what it is.", "flaw")
        self.bytes = self._counter("received_bytes", "Bytes of export requests, uncompressed.", "signal")
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
