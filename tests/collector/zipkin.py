"""The notation of the cases as a Zipkin v2 report: ``1<0 S b sh @10.0.0.2 r=x 20``.

As in :mod:`tests.collector.notation`; ``sh`` = shared, ``r=x`` = remote endpoint, ``@x`` = the local address,
``-`` as service = no local service name, ``t64:a`` before it = trace id a in 16 digits, ``t128:a`` = in 32.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from collector.coded import Coded
from collector.receivers.zipkin import decode
from collector.spans import flatten
from collector.traces import Traces
from tests.collector.notation import START, drawn
from tests.collector.written_out import whole

US = START // 1000
SPAN: dict[str, Any] = {
    "traceId": "5AF7183FB1D4CF5F",
    "parentId": "6b221d5bc9e6496c",
    "id": "352bff9a74ca9ad2",
    "kind": "CLIENT",
    "name": "GET /Carts",
    "timestamp": US,
    "duration": 20731,
    "localEndpoint": {"serviceName": "CheckOut", "ipv4": "10.0.0.7", "port": 8080},
    "remoteEndpoint": {"serviceName": "Cart", "ipv4": "10.0.0.8", "port": 9090},
    "tags": {"http.method": "GET", "http.status_code": "503", "error": "503"},
    "annotations": [{"timestamp": US + 5, "value": "ws"}, {"timestamp": US + 9, "value": "wr"}],
}
"""One span that says everything."""

_KINDS = {"S": "SERVER", "C": "CLIENT", "P": "PRODUCER", "N": "CONSUMER"}
_SPAN = re.compile(
    r"(?:(?P<trace>t\S+) )?(?P<id>\w+)(?:<(?P<parent>\w+))? (?P<kind>[USCPN]) (?P<service>\S+)"
    r"(?: \[(?P<tags>[^]]*)\])?(?P<rest>.*)"
)


def spans(text: str) -> list[dict[str, Any]]:
    """The spans of a case."""
    return [_span(part.strip()) for part in text.split(";")]


def _span(part: str) -> dict[str, Any]:
    match = _SPAN.fullmatch(part)
    if match is None:
        raise ValueError(f"not a span: {part!r}")
    rest = match["rest"].split()
    tags = dict(pair.strip().split("=", 1) for pair in (match["tags"] or "").split(",") if pair.strip())
    offset = next((int(r[1:]) for r in rest if r.startswith("+")), 0)
    duration = next((int(r) for r in rest if r.isdigit()), 1)
    span: dict[str, Any] = {
        "traceId": _trace_id(match["trace"] or "t64:1"),
        "id": _span_id(match["id"]),
        "name": "Op",
        "timestamp": US + offset * 1000,
        "duration": duration * 1000,
        "tags": tags | ({"error": ""} if "!" in rest else {}),
    }
    if match["parent"]:
        span["parentId"] = _span_id(match["parent"])
    if match["kind"] in _KINDS:
        span["kind"] = _KINDS[match["kind"]]
    address = next((r[1:] for r in rest if r.startswith("@")), "")
    named = {"serviceName": match["service"] if match["service"] != "-" else "", "ipv4": address}
    local = {key: value for key, value in named.items() if value}
    if local:
        span["localEndpoint"] = local
    if remote := next((r[2:] for r in rest if r.startswith("r=")), ""):
        span["remoteEndpoint"] = {"serviceName": remote}
    if "sh" in rest:
        span["shared"] = True
    return span


def _span_id(text: str) -> str:
    """0 is a good id in the cases, but none on the wire."""
    return (text if text != "0" else "f0").rjust(16, "0")


def _trace_id(text: str) -> str:
    """``t64:a`` → 000000000000000a; ``t128:a`` → the same low half under a high one of its own."""
    size, _, digits = text[1:].partition(":")
    return digits.rjust(16, "0") if size == "64" else digits.rjust(16, "0").rjust(32, "9")


def table(report: list[dict[str, Any]]) -> pa.Table:
    """The SPANS table of a report."""
    return whole(flatten([decode(orjson.dumps(report)).records]))


def row(**changes: Any) -> dict[str, Any]:
    """The one row of ``SPAN`` with changes; None takes a field out."""
    changed = {key: value for key, value in (SPAN | changes).items() if value is not None}
    found: dict[str, Any] = table([changed]).to_pylist()[0]
    return found | {"attributes": dict(found["attributes"]), "resource": dict(found["resource"])}


def coded(report: list[dict[str, Any]]) -> Coded:
    """The spans of a report, as deriving takes them."""
    return Coded.flattened(flatten([decode(orjson.dumps(report)).records]))


def drawn_from(*reports: list[dict[str, Any]]) -> pl.DataFrame:
    """Signed call rows of reports that come one after the other."""
    traces = Traces()
    parts = []
    for now, report in enumerate(reports):
        derived = traces.derive(coded(report))
        traces.keep(derived, float(now))
        parts.append(derived.rows)
    return pl.concat(parts)


def edges(*batches: str) -> dict[str, str]:
    """``{"a→b": "2/1"}`` of a case that comes in these reports."""
    return drawn(drawn_from(*(spans(text) for text in batches)))
