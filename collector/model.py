"""The Arrow schemas that travel through the collector: every column, its unit, its source.

SPANS    one row per span, what calls are derived from. Ids are raw bytes; an absent parent is eight zero bytes.
STORED   one row per span, as stored: what few combinations decide is one text for all of it.
CALLS    one row per changed (second, series): signed differences, ready to be summed.
POINTS   one row per metric data point that we read (breaker gauges, versions).
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(6)
STATUS_UNSET, STATUS_OK, STATUS_ERROR = range(3)
KIND_NAMES: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUS_NAMES: Final = ("unset", "ok", "error")

# Failure classes (semantics R10.5). `cancelled` is counted beside the failed ones, never among them.
OK: Final = "ok"
CANCELLED: Final = "cancelled"
FAILED_CLASSES: Final = ("client_error", "server_error", "no_response", "timeout")
FAILURES: Final = (OK, CANCELLED, *FAILED_CLASSES)

_TEXT = pa.string()
_CODED = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("ns", tz="UTC")

SPANS: Final = pa.schema(
    [
        ("trace_id", pa.binary(16)),
        ("span_id", pa.binary(8)),
        ("parent_span_id", pa.binary(8)),
        ("start", _TIME),
        ("arrived", pa.timestamp("s", tz="UTC")),  # when the collector stored it
        ("duration", pa.uint64()),  # ns; end < start is stored as 0 (R8)
        ("kind", pa.int8()),  # as OTLP numbers them
        ("status", pa.int8()),  # as OTLP numbers them
        ("service", _TEXT),  # node id: namespace/service, or service
        ("version", _TEXT),  # resource service.version
        ("instance", _TEXT),  # resource service.instance.id, else pod, else host address
        ("operation", _TEXT),  # span name, templated
        ("protocol", _TEXT),  # http, grpc, sql, … from the attributes
        ("peer", _TEXT),  # name of the target if no server span comes (R5), "" if none
        ("peer_kind", _TEXT),  # named, database, messaging, external; service of a caller
        ("peer_rank", pa.int8()),  # how good the name is: 0 is best (R5.1)
        ("destination", _TEXT),  # messaging node system:destination, "" if none
        (
            "messaging",
            _TEXT,
        ),  # create, send or receive, "" if it is no producing or receiving span (R6.1, R6.6)
        ("peer_version", _TEXT),  # version that a proxy says it chose
        ("failure", _TEXT),  # one of FAILURES
        ("flags", _TEXT),  # Envoy response flags, "" if none
        ("proxy", pa.bool_()),  # R7.1
        ("role", _TEXT),  # what a proxy's node id says it is, gateway or sidecar; else service
        ("attempts", pa.uint16()),  # upstream attempts that a proxy states, else 1
        ("resend", pa.bool_()),  # http.request.resend_count > 0
        ("weight", pa.float64()),  # sampling weight (R9)
        ("scope", _TEXT),
        ("telemetry", _TEXT),  # what reported it: SDK and distribution, else the scope (R7.5)
        ("address", _TEXT),  # of the service's host or pod, "" if not stated
        (
            "peer_address",
            _TEXT,
        ),  # socket peer: of a calling span with port, of a called one if private (R4.3, R5.4)
        ("shared", pa.bool_()),  # Zipkin: the called half of a span id that two sides share
        ("timed", pa.bool_()),  # whether its duration is known: Zipkin spans may never have finished
        ("links.trace_id", pa.list_(pa.binary(16))),
        ("links.span_id", pa.list_(pa.binary(8))),
    ]
)

READING: Final = (
    "kind",
    "status",
    "protocol",
    "peer",
    "peer_kind",
    "peer_rank",
    "destination",
    "messaging",
    "peer_version",
    "failure",
    "flags",
    "proxy",
    "role",
    "attempts",
    "resend",
    "weight",
    "peer_address",
    "shared",
    "timed",
)
"""What a span's attributes, kind and status say, in the order of the text that the store keeps of it."""

REPORTER: Final = ("service", "version", "instance", "address", "telemetry", "scope")
"""What resource and scope say; the resource's keys and values follow in that text, then those of the scope."""

# Texts as collector.packing joins them.
STORED: Final = pa.schema(
    [
        *(SPANS.field(n) for n in ("trace_id", "span_id", "parent_span_id", "start", "arrived", "duration")),
        ("operation", _CODED),
        ("reading", _CODED),  # READING
        ("reporter", _CODED),  # REPORTER, then key, value, key, value … of the resource
        ("attribute_keys", _CODED),  # each behind a UNIT
        ("attribute_values", _TEXT),  # as many, joined with UNIT
        ("event_texts", _TEXT),  # ns, name, key, value … of each event, joined with RECORD
        ("link_texts", _TEXT),  # trace and span id in hex, key, value … of each link, joined with RECORD
    ]
)

# The views of proxies that are no ends of calls (R7.2, R7.4).
COLLAPSED: Final = "collapsed"
EXPANDED: Final = "expanded"

SERIES_KEY: Final = (
    "source",
    "target",
    "kind",  # call or messaging
    "protocol",
    "operation",
    "version",  # of the target
    "instance",  # of the target
    "failure",
    "flags",
    "evidence",  # span, log or metric
    "source_kind",
    "target_kind",
    "via",  # the messaging destination between them, "" if none
    "caller_address",  # of a caller not known otherwise; else of a target that a URL or cluster names (R5.1); ""
    "hops",  # the view that has it: collapsed, expanded (proxies are nodes, R7.2), "" in both
)
SUMS: Final = (
    "calls",
    "failed",
    "client_calls",
    "client_failed",
    "server_calls",
    "server_failed",
    "requests",
    "attempts",
    "inferred",  # of calls: those whose edge is inferred (R2.2, R4.3)
    "bytes_out",  # towards the target, of TCP connections as the source's end counts them (R12)
    "bytes_in",  # and back
    "samples",  # calls as they were seen, each 1 whatever it stands for
)
_HISTOGRAM = pa.map_(pa.int16(), pa.float64())

CALLS: Final = pa.schema(
    [("time", pa.timestamp("s", tz="UTC"))]
    + [(name, _TEXT) for name in SERIES_KEY]
    + [(name, pa.float64()) for name in SUMS]
    + [("client_histogram", _HISTOGRAM), ("server_histogram", _HISTOGRAM)]
)

POINTS: Final = pa.schema(
    [
        ("time", _TIME),
        ("service", _TEXT),
        ("instance", _TEXT),
        ("metric", _TEXT),
        ("cluster", _TEXT),
        ("value", pa.float64()),
    ]
)
