"""Zipkin v2 JSON as the Arrow columns of an OTLP request (semantics R11), so that one rule reads both.

    localEndpoint    one resource per endpoint: service.name, host.ip, and the port; telemetry.sdk.name = zipkin
    remoteEndpoint   attributes peer.service and network.peer.address, network.peer.port
    shared           attribute zipkin.shared: the called half of a span id that two sides share
    annotations      events

Zipkin's JSON has no fixed keys (tags), so it is read into Python values and turned into columns field by field; nothing
is decided per span here but what its endpoints are called.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from collector import model
from collector.consumer import Batch, Rejected, Signal
from collector.receivers import nesting, otlp
from collector.receivers.zipkin_fault import fault
from collector.receivers.zipkin_pieces import whole

SDK: Final = "zipkin"
SHARED: Final = "zipkin.shared"
UNTIMED: Final = "zipkin.untimed"  # sent without a timestamp: its start is that of its neighbours
UNFINISHED: Final = "zipkin.unfinished"  # sent without a duration: 0 is none
PORT: Final = "zipkin.port"  # of the local endpoint

_KINDS: Final = {
    "CLIENT": model.CLIENT,
    "SERVER": model.SERVER,
    "PRODUCER": model.PRODUCER,
    "CONSUMER": model.CONSUMER,
}
_LONGEST: Final = 4e15  # µs: more than a century fits in no duration of ours
_EMPTY: Final = (
    16  # bytes for each object and list: spans have 30 at the least, and most have 100; {},{},… has 3
)
_MANY: Final = 1 << 16  # objects and lists, up to which that is not asked
_LATEST: Final = 9e15  # µs, more than 64 bits of nanoseconds would hold further on

Span = Mapping[str, Any]
Endpoint = tuple[str, str, str]  # service name, address, port; "" where not stated
_NOBODY: Final[Endpoint] = ("", "", "")
_UNREADABLE: Final = (
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    pa.ArrowException,
)


def decode(body: bytes) -> Batch:
    """The JSON list of one report to a batch.

    Raises:
        Rejected: the body is no such list; says what is wrong, where, and what would be right.
    """
    things = body.count(b"{") + body.count(b"[")
    if things > _MANY and things * _EMPTY > len(body):
        raise Rejected(
            f"the body has {things} objects and lists in {len(body)} bytes: most of them say nothing"
        )
    try:
        spans = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the body is not JSON: {error}; send a list of Zipkin v2 spans") from None
    if not isinstance(spans, list):
        raise Rejected(f"the body is a JSON {type(spans).__name__}; send a list of Zipkin v2 spans: [{{…}}]")
    try:
        records = _records(whole(spans))
    except _UNREADABLE as error:
        raise Rejected(fault(spans) or f"the spans cannot be read: {error}") from None
    return Batch(Signal.SPANS, records, len(body))


@cache
def _request() -> pa.ListType:
    return otlp.schema(Signal.SPANS).field("resource_spans").type


def _records(spans: Sequence[Span]) -> pa.RecordBatch:
    """One resource per local endpoint, with one scope each; the spans stand in the order of their endpoints."""
    by_endpoint: dict[Endpoint, list[Span]] = {}
    for span in spans:
        by_endpoint.setdefault(_endpoint(span.get("localEndpoint")), []).append(span)
    ordered = [span for group in by_endpoint.values() for span in group]
    ends = np.cumsum([0, *(len(group) for group in by_endpoint.values())])
    group_type = _request().value_type
    scope_type = group_type.field("scope_spans").type
    scope = nesting.structs(
        scope_type.value_type.field("scope").type,
        {"name": pa.repeat(SDK, len(by_endpoint)), "version": ""},
    )
    spans_type = scope_type.value_type.field("spans").type
    scopes = nesting.structs(
        scope_type.value_type,
        {"scope": scope, "spans": nesting.lists(spans_type, ends, _spans(spans_type.value_type, ordered))},
    )
    groups = nesting.structs(
        group_type,
        {
            "resource": _resources(group_type.field("resource").type, by_endpoint),
            "scope_spans": nesting.lists(scope_type, range(len(by_endpoint) + 1), scopes),
        },
    )
    request = nesting.lists(_request(), [0, len(by_endpoint)], groups)
    return pa.RecordBatch.from_arrays([request], schema=otlp.schema(Signal.SPANS))


def _endpoint(said: Mapping[str, Any] | None) -> Endpoint:
    if not said:
        return _NOBODY
    name = said.get("serviceName") or ""
    port = said.get("port")
    return name.lower(), _address(said), str(port) if port else ""


def _address(said: Mapping[str, Any]) -> str:
    """The address of an endpoint; some senders write the number 0 for none."""
    address = said.get("ipv4") or said.get("ipv6") or ""
    if not isinstance(address, str):
        raise TypeError("an address is text")
    return address


def _resources(kind: pa.StructType, endpoints: Iterable[Endpoint]) -> pa.Array:
    facts = [
        {"service.name": name, "host.ip": address, PORT: port, "telemetry.sdk.name": SDK}
        for name, address, port in endpoints
    ]
    stated = [{key: value for key, value in row.items() if value} for row in facts]
    return nesting.structs(kind, {"attributes": _attributes(kind.field("attributes").type, stated)})


def _spans(kind: pa.StructType, spans: Sequence[Span]) -> pa.Array:
    start, untimed = _starts(spans)
    duration = np.nan_to_num(np.asarray([span.get("duration") for span in spans], dtype=np.float64))
    end = start + np.clip(duration, 0, _LONGEST).astype(np.uint64) * np.uint64(1000)
    end -= ((duration < 0) & (end > 0)).astype(np.uint64)  # before the start, as it was sent (R8)
    stated = [_stated(span, late) for span, late in zip(spans, untimed.tolist(), strict=True)]
    status = [_status(tags) for tags in stated]
    return nesting.structs(
        kind,
        {
            "trace_id": _ids([span["traceId"] for span in spans], 16),
            "span_id": _ids([span["id"] for span in spans], 8),
            "parent_span_id": _ids([span.get("parentId") or "0" for span in spans], 8),
            "trace_state": "",
            "name": pc.utf8_lower(pa.array([span.get("name") or "" for span in spans], pa.string())),
            "kind": pa.array(
                [_kind(span, tags) for span, tags in zip(spans, stated, strict=True)], pa.int32()
            ),
            "start_time_unix_nano": pa.array(start),
            "end_time_unix_nano": pa.array(end),
            "attributes": _attributes(kind.field("attributes").type, stated),
            "events": _events(kind.field("events").type, [span.get("annotations") or () for span in spans]),
            "links": nesting.lists(
                kind.field("links").type, np.zeros(len(spans) + 1), _none(kind.field("links").type)
            ),
            "status": nesting.structs(
                kind.field("status").type, {"code": pa.array(status, pa.int32()), "message": ""}
            ),
            "flags": 0,
        },
    )


def _status(tags: Mapping[str, Any]) -> int:
    """As OpenTelemetry's exporters write it; else the tag ``error``, whatever it says but false (R10)."""
    said = tags.get("otel.status_code")
    if said == "OK":
        return model.STATUS_OK
    failed = said == "ERROR" or str(tags.get("error", False)).lower() != "false"
    return model.STATUS_ERROR if failed else model.STATUS_UNSET


def _none(kind: pa.ListType) -> pa.Array:
    return pa.array([], kind.value_type)


def _ids(texts: Sequence[str], length: int) -> pa.Array:
    """Hexadecimal ids, shorter ones with zeros on the left (S7)."""
    digits = 2 * length
    raw = bytes.fromhex("".join([text.rjust(digits, "0") for text in texts]))
    if len(raw) != length * len(texts) or any(len(text) > digits for text in texts):
        raise ValueError("an id is longer than it may be, or has spaces in it")
    return pa.Array.from_buffers(pa.binary(length), len(texts), [None, pa.py_buffer(raw)]).cast(pa.binary())


def _kind(span: Span, tags: Mapping[str, str]) -> int:
    """Without a kind, a span that names both of its ends was reported by the client (R11)."""
    if said := span.get("kind"):
        return _KINDS[said]
    local = span.get("localEndpoint")
    return model.CLIENT if "peer.service" in tags and local and local.get("serviceName") else 0


def _stated(span: Span, untimed: bool) -> Mapping[str, str]:
    """The tags, and what the remote endpoint and the flags say."""
    remote = _endpoint(span.get("remoteEndpoint"))
    more = {}
    if remote is not _NOBODY:
        keys = ("peer.service", "network.peer.address", "network.peer.port")
        more = {key: value for key, value in zip(keys, remote, strict=True) if value}
    if span.get("shared"):
        more[SHARED] = "true"
    if untimed:
        more[UNTIMED] = "true"
    if span.get("duration") is None:
        more[UNFINISHED] = "true"
    tags: Mapping[str, str] = span.get("tags") or {}
    return {**tags, **more} if more else tags


def _attributes(kind: pa.ListType, rows: Sequence[Mapping[str, str]]) -> pa.ListArray:
    keys: list[str] = []
    values: list[Any] = []
    offsets = [0]
    for row in rows:
        keys += row
        values += row.values()
        offsets.append(len(keys))
    return nesting.key_values(kind, offsets, keys, _texts(values))


def _texts(values: Sequence[Any]) -> pa.Array:
    """Values of tags are text; numbers and truth values of careless senders become text."""
    try:
        return pa.array(values, pa.string()).fill_null("")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        plain = (str, type(None))
        texts = [value if isinstance(value, plain) else orjson.dumps(value).decode() for value in values]
        return pa.array(texts, pa.string()).fill_null("")


def _events(kind: pa.ListType, rows: Sequence[Sequence[Mapping[str, Any]]]) -> pa.ListArray:
    offsets = np.cumsum([0, *map(len, rows)])
    items = [item for row in rows for item in row]
    if not items:
        return nesting.lists(kind, offsets, _none(kind))
    entry = kind.value_type
    attributes = entry.field("attributes").type
    events = {
        "time_unix_nano": pa.array(_nanoseconds(item.get("timestamp") for item in items)),
        "name": pa.array([item.get("value") or "" for item in items], pa.string()),
        "attributes": nesting.lists(attributes, np.zeros(len(items) + 1), _none(attributes)),
    }
    return nesting.lists(kind, offsets, nesting.structs(entry, events))


def _nanoseconds(microseconds: Iterable[float | None]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Unix times; 0 where none is stated. Microseconds of our time are exact in a float."""
    stated = np.nan_to_num(np.asarray(list(microseconds), dtype=np.float64))
    return np.clip(stated, 0, _LATEST).astype(np.uint64) * np.uint64(1000)


def _starts(spans: Sequence[Span]) -> tuple[np.ndarray[Any, np.dtype[np.uint64]], np.ndarray[Any, Any]]:
    """Starts in ns, and which of them were not stated.

    A span without timestamp starts with its first annotation, else with the first span of its trace in this report,
    else now.
    """
    start = _nanoseconds(span.get("timestamp") for span in spans)
    untimed = start == 0
    if untimed.any():
        first: dict[str, int] = {}
        for row in np.nonzero(~untimed)[0].tolist():
            trace = spans[row]["traceId"]
            first[trace] = min(first.get(trace, 2**63), int(start[row]))
        now = time.time_ns()
        for row in np.nonzero(untimed)[0].tolist():
            noted = _nanoseconds(note.get("timestamp") for note in spans[row].get("annotations") or ())
            start[row] = min(noted[noted > 0].tolist(), default=first.get(spans[row]["traceId"], now))
    return start, untimed
