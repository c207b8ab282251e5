"""The notation of the cases, wide enough for all of them, read into spans and written for the real receivers.

``t2.1 id<parent KIND service [attributes] {resource} rest`` with, in ``rest``: a duration in ms (``-5``: ends before
it starts), ``+5`` starts 5 ms after the trace (``+-5`` before), ``!`` status ERROR, ``ok`` status OK, ``px`` a proxy
span, ``sh`` Zipkin's shared flag, ``r=x`` the remote endpoint's name (``r=x@1.2.3.4`` with address), ``@x`` instance or
address, ``v=1`` version, ``sdk=x`` and ``scope=x`` telemetry source, ``ot=th:8`` tracestate, ``->t1/1`` or ``->1`` a
link. A service ``-`` says nothing. ``t2.1`` is trace 2 with a high half 1. Values are text; ``k:=5`` gives a typed one
(JSON).
"""

from __future__ import annotations

import ipaddress
import json
import re
import zlib
from collections.abc import Iterable

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.reference.spans import Span, Value, as_text

START = 1_700_000_000 * 10**9
MS = 10**6
OTLP_KINDS = {"U": 0, "I": 1, "S": 2, "C": 3, "P": 4, "N": 5}
ZIPKIN_KINDS = {"S": "SERVER", "C": "CLIENT", "P": "PRODUCER", "N": "CONSUMER"}
_SPAN = re.compile(
    r"(?:t(?P<trace>\d+(?:\.\d+)?) )?(?P<id>\d+)(?:<(?P<parent>\d+))? (?P<kind>[UISCPN]) (?P<service>\S+)(?P<rest>.*)"
)


def parse(text: str, zipkin: bool = False) -> list[Span]:
    """The spans of a case; with ``zipkin`` as a Zipkin client reports them."""
    return [_span(part, zipkin) for part in (p.strip() for p in text.split(";")) if part]


def _span(part: str, zipkin: bool) -> Span:
    # Over 40 lines: the parts of the notation, one after the other.
    match = _SPAN.fullmatch(part)
    if match is None:
        raise ValueError(f"not a span: {part!r}")
    attributes = _pairs(_bracket(match["rest"], "[]"))
    resource = _pairs(_bracket(match["rest"], "{}"))
    words = re.sub(r"\[[^]]*\]|\{[^}]*\}", "", match["rest"]).split()
    named = dict(word.split("=", 1) for word in words if re.match(r"(r|v|sdk|scope|ot)=", word))
    duration = next((int(w) for w in words if re.fullmatch(r"-?\d+", w)), 1)
    offset = next((int(w[1:]) for w in words if re.fullmatch(r"\+-?\d+", w)), 0)
    instance = next((w[1:] for w in words if w.startswith("@")), "")
    trace, service = (
        trace_id(match["trace"] or "1"),
        match["service"].replace("-", "", match["service"] == "-"),
    )
    remote, _, address = named.get("r", "").partition("@")
    extra = {
        "peer.service": remote,
        "network.peer.address": address,
        "component": "proxy" if "px" in words else "",
    }
    about = {
        "host.ip" if zipkin else "service.instance.id": instance,
        "service.version": named.get("v", ""),
        "telemetry.sdk.name": named.get("sdk", ""),
    }
    return Span(
        trace=trace,
        id=span_id(match["id"]),
        parent=span_id(match["parent"]) if match["parent"] else None,
        kind=match["kind"],
        service=service or ("" if zipkin else "unknown_service"),
        start_ns=START + offset * MS,
        duration_ns=duration * MS,
        status="ERROR" if "!" in words else "OK" if "ok" in words else "UNSET",
        name=f"op-{match['id']}",
        attributes=attributes | {k: v for k, v in extra.items() if v} | _zipkin_error(words, zipkin),
        resource=resource | {k: v for k, v in about.items() if v},
        links=tuple(_link(w[2:], trace) for w in words if w.startswith("->")),
        tracestate=f"ot={named['ot']}" if "ot" in named else "",
        shared="sh" in words,
        scope=named.get("scope", ""),
        zipkin=zipkin,
    )


def _zipkin_error(words: list[str], zipkin: bool) -> dict[str, Value]:
    return {"error": "true"} if zipkin and "!" in words else {}


def _bracket(text: str, ends: str) -> str:
    match = re.search(rf"\{ends[0]}([^{ends[1] if ends[1] != ']' else chr(92) + ']'}]*)\{ends[1]}", text)
    return match[1] if match else ""


def _pairs(text: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in filter(None, (p.strip() for p in text.split(","))):
        key, _, value = pair.partition("=")
        typed = key.endswith(":")
        found[key.rstrip(":").strip()] = json.loads(value) if typed else value.strip()
    return found


def _link(text: str, trace: str) -> tuple[str, str]:
    there, _, span = text.rpartition("/")
    return (trace_id(there[1:]) if there else trace), span_id(span)


def trace_id(text: str) -> str:
    low, _, high = text.partition(".")
    return f"{int(high or 0):016x}{int(low):016x}"


def span_id(text: str) -> str:
    """A span id; the cases' 0 is no valid one on the wire, so another stands for it."""
    return f"{int(text) or 2**64 - 1:016x}"


# --- back into the notation --------------------------------------------------------------------------------------


def write(spans: Iterable[Span]) -> str:
    """The spans in the notation, one a line: what a failing property shows."""
    return ";\n".join(_written(span) for span in spans)


def _written(span: Span) -> str:
    resource = dict(span.resource)
    instance = as_text(resource.pop("host.ip" if span.zipkin else "service.instance.id", ""))
    tagged = [
        (k, as_text(resource.pop(name, "")))
        for k, name in (("v", "service.version"), ("sdk", "telemetry.sdk.name"))
    ]
    parts = [
        f"t{_trace(span.trace)} {int(span.id, 16)}" + (f"<{int(span.parent, 16)}" if span.parent else ""),
        span.kind,
        span.service or "-",
        _pairs_written(span.attributes, "[]"),
        _pairs_written(resource, "{}"),
        f"{span.duration_ns // MS}",
        f"+{(span.start_ns - START) // MS}" if span.start_ns != START else "",
        {"ERROR": "" if span.zipkin else "!", "OK": "ok", "UNSET": ""}[span.status],
        "sh" if span.shared else "",
        f"@{instance}" if instance else "",
        *(f"{key}={value}" for key, value in [*tagged, ("scope", span.scope)] if value),
        span.tracestate,
        *(f"->t{_trace(trace)}/{int(to, 16)}" for trace, to in span.links),
    ]
    return " ".join(filter(None, parts))


def _trace(trace: str) -> str:
    high, low = int(trace[:16], 16), int(trace[16:], 16)
    return f"{low}.{high}" if high else f"{low}"


def _pairs_written(pairs: object, ends: str) -> str:
    assert isinstance(pairs, dict)
    items = (f"{k}={v}" if isinstance(v, str) else f"{k}:={json.dumps(v)}" for k, v in pairs.items())
    return f"{ends[0]}{', '.join(items)}{ends[1]}" if pairs else ""


# --- for the receivers -------------------------------------------------------------------------------------------


def to_otlp(spans: Iterable[Span]) -> pb.ExportTraceServiceRequest:
    """One export request with a resource for each span."""
    message = pb.ExportTraceServiceRequest()
    for span in spans:
        group = message.resource_spans.add()
        named = "" if span.service == "unknown_service" else span.service
        namespace, _, name = named.rpartition("/")
        _set(group.resource.attributes, {"service.name": name, "service.namespace": namespace})
        _set(group.resource.attributes, span.resource)
        scope = group.scope_spans.add()
        scope.scope.name = span.scope
        _fill(scope.spans.add(), span)
    return message


def _fill(out: trace_pb2.Span, span: Span) -> None:
    out.trace_id, out.span_id = bytes.fromhex(span.trace), bytes.fromhex(span.id)
    out.parent_span_id = bytes.fromhex(span.parent or "")
    out.kind = OTLP_KINDS[span.kind]  # type: ignore[assignment]
    out.name, out.trace_state = span.name, span.tracestate
    out.start_time_unix_nano, out.end_time_unix_nano = span.start_ns, span.start_ns + span.duration_ns
    out.status.code = {"UNSET": 0, "OK": 1, "ERROR": 2}[span.status]  # type: ignore[assignment]
    for trace, to in span.links:
        link = out.links.add()
        link.trace_id, link.span_id = bytes.fromhex(trace), bytes.fromhex(to)
    for key, value in span.attributes.items():
        _set(out.attributes, {key: value}, empty=True)


def _set(target: Iterable[common_pb2.KeyValue], values: object, empty: bool = False) -> None:
    assert isinstance(values, dict)
    for key, value in values.items():
        if value == "" and not empty:
            continue
        item = target.add()  # type: ignore[attr-defined]
        item.key = key
        field = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}[
            type(value)
        ]
        setattr(item.value, field, value)


def to_zipkin(spans: Iterable[Span]) -> list[dict[str, object]]:
    """The spans as Zipkin v2 JSON objects."""
    return [_zipkin(span) for span in spans]


def _zipkin(span: Span) -> dict[str, object]:
    tags = {key: as_text(value) for key, value in span.attributes.items()}
    remote = _endpoint(tags.pop("peer.service", ""), tags.pop("network.peer.address", ""))
    if span.status == "ERROR":
        tags.setdefault("error", "true")
    fields: dict[str, object] = {
        "traceId": span.trace if int(span.trace[:16], 16) else span.trace[16:],
        "id": span.id,
        "parentId": span.parent,
        "kind": ZIPKIN_KINDS.get(span.kind),
        "name": span.name,
        "timestamp": span.start_ns // 1000,
        "duration": span.duration_ns // 1000,
        "localEndpoint": _endpoint(span.service, as_text(span.resource.get("host.ip"))),
        "remoteEndpoint": remote,
        "tags": tags,
        "shared": span.shared or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _endpoint(service: str, address: str) -> dict[str, str] | None:
    found = {"serviceName": service, "ipv4": _ipv4(address) if address else ""}
    return {key: value for key, value in found.items() if value} or None


def _ipv4(address: str) -> str:
    """The address itself, or one that stands for a name like ``ip1``."""
    try:
        return str(ipaddress.IPv4Address(address))
    except ValueError:
        return str(ipaddress.IPv4Address(0x0A000000 + zlib.crc32(address.encode()) % 2**24))
