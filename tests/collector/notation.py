"""The notation of the cases: ``id<parent KIND service [attributes] duration-ms !`` → a real OTLP request.

``1 C a 20; 2<1 S b 10`` is a client span of 20 ms in service a and its server span in b. KIND: C client, S server,
P producer, N consumer, I internal, U unset. ``!`` = status ERROR, ``px`` = a proxy span, ``@x`` = instance x,
``+5`` = starts 5 ms after the trace, ``t2`` = another trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.trace.v1 import trace_pb2

from collector.coded import Coded
from collector.consumer import Signal
from collector.receivers.otlp import decode
from collector.spans import Flattened, flatten
from collector.traces import Traces

START = 1_700_000_000 * 10**9
KINDS = {"U": 0, "I": 1, "S": 2, "C": 3, "P": 4, "N": 5}
_SPAN = re.compile(
    r"(?:t(?P<trace>\d+) )?(?P<id>\w+)(?:<(?P<parent>\w+))? (?P<kind>[UISCPN]) (?P<service>\S+)"
    r"(?: \[(?P<attributes>[^]]*)\])?(?P<rest>.*)"
)


def request(text: str) -> pb.ExportTraceServiceRequest:
    """The spans of a case as one export request."""
    message = pb.ExportTraceServiceRequest()
    for part in filter(None, (p.strip() for p in text.split(";"))):
        _add(message, part)
    return message


def _add(message: pb.ExportTraceServiceRequest, part: str) -> None:
    match = _SPAN.fullmatch(part)
    if match is None:
        raise ValueError(f"not a span: {part!r}")
    rest = match["rest"].split()
    group = message.resource_spans.add()
    namespace, _, name = match["service"].rpartition("/")
    resource = {"service.name": name, "service.namespace": namespace}
    resource["service.instance.id"] = next((r[1:] for r in rest if r.startswith("@")), "")
    _attributes(group.resource.attributes, resource)
    span = group.scope_spans.add().spans.add()
    span.trace_id = int(match["trace"] or 1).to_bytes(16, "big")
    span.span_id = _span_id(match["id"])
    if match["parent"]:
        span.parent_span_id = _span_id(match["parent"])
    span.kind = KINDS[match["kind"]]  # type: ignore[assignment]
    span.name = f"op-{match['id']}"
    offset = next((int(r[1:]) for r in rest if r.startswith("+")), 0)
    duration = next((int(r) for r in rest if r.isdigit()), 1)
    span.start_time_unix_nano = START + offset * 10**6
    span.end_time_unix_nano = span.start_time_unix_nano + duration * 10**6
    span.trace_state = next((r for r in rest if r.startswith("ot=")), "")
    for to in (r[2:] for r in rest if r.startswith("->")):
        trace, _, linked = to.removeprefix("t").partition("/")
        span.links.add(trace_id=int(trace).to_bytes(16, "big"), span_id=_span_id(linked))
    if "!" in rest:
        span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    if "px" in rest:
        _attributes(span.attributes, {"component": "proxy"})
    pairs = (p.split("=", 1) for p in (match["attributes"] or "").split(",") if p.strip())
    _attributes(span.attributes, {k.strip(): v.strip() for k, v in pairs})


def _span_id(text: str) -> bytes:
    return int(text).to_bytes(8, "big")


def _attributes(target: Iterable[object], values: dict[str, str]) -> None:
    for key, value in values.items():
        if value:
            item = target.add()  # type: ignore[attr-defined]
            item.key, item.value.string_value = key, value


def flattened(text: str) -> Flattened:
    """The spans of a case."""
    return flatten([decode(Signal.SPANS, request(text).SerializeToString()).records])


def table(text: str):  # type: ignore[no-untyped-def]
    """The SPANS table of a case."""
    return flattened(text).table


def coded(text: str) -> Coded:
    """The spans of a case, as deriving takes them."""
    return Coded.flattened(flattened(text))


def calls(*batches: str, hops: str | None = "collapsed") -> pl.DataFrame:
    """Signed call rows of a case that arrives in these batches, of one view or (None) of both."""
    traces = Traces()
    parts = []
    for now, text in enumerate(batches):
        derived = traces.derive(coded(text))
        traces.keep(derived, float(now))
        parts.append(derived.rows)
    rows = pl.concat(parts)
    return rows if hops is None else rows.filter(pl.col("hops").is_in(["", hops]))


def edges(*batches: str, hops: str = "collapsed") -> dict[str, str]:
    """``{"a→b": "2/1"}``: calls and failed calls per edge, as the cases write them."""
    return drawn(calls(*batches, hops=hops))


def drawn(rows: pl.DataFrame) -> dict[str, str]:
    """Call rows or sums of buckets, as :func:`edges` writes them."""
    ends = rows.filter(pl.col("source") != "").group_by("source", "target")
    sums = ends.agg(pl.col("calls", "failed").sum())
    found = sums.filter(pl.col("calls").abs() > 1e-9).sort("source", "target").iter_rows(named=True)
    return {f"{r['source']}→{r['target']}": f"{r['calls']:g}/{r['failed']:g}" for r in found}


def side(text: str, edge: str) -> dict[str, float]:
    """Sums of one edge: both sides, requests and attempts."""
    source, target = edge.split("→")
    of_edge = calls(text).filter((pl.col("source") == source) & (pl.col("target") == target))
    names = ("client_calls", "client_failed", "server_calls", "server_failed", "requests", "attempts")
    return {name: float(of_edge[name].sum()) for name in names}
