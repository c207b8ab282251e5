"""The documents of ``/api/v1/traces``, for its documentation: the answers are written as they are."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_SPAN = "00f067aa0ba902b7"
_START = "2026-01-31T12:00:00.000000000Z"


class Root(BaseModel):
    """The span that a trace is called after: the earliest without a parent, else the earliest orphan."""

    service: str = Field(description="Node id of its service", examples=["shop/front"])
    operation: str = Field(description="Its name", examples=["GET /cart"])


class ServiceSpans(BaseModel):
    """What one service has in a trace."""

    service: str = Field(description="Node id", examples=["shop/checkout"])
    spans: int = Field(description="Its spans", examples=[4])
    errors: int = Field(description="Of them with status error", examples=[1])


class _Figures(BaseModel):
    trace_id: str = Field(description="32 hexadecimal digits", examples=[_TRACE])
    start: str = Field(description="Start of its first span, RFC 3339", examples=[_START])
    duration_ms: float = Field(description="From its first start to its last end", examples=[120.5])
    root: Root = Field(description="What it is called after")
    errors: int = Field(description="Spans with status error", examples=[1])
    services: list[ServiceSpans] = Field(description="Per service, by id")
    orphans: int = Field(description="Spans whose parent is not stored", examples=[0])


class TraceSummary(_Figures):
    """One trace of a list."""

    spans: int = Field(description="Spans, identical copies counted once", examples=[12])


class TraceList(BaseModel):
    """A page of a search."""

    traces: list[TraceSummary] = Field(description="Newest start first, ties by id")
    next_cursor: str | None = Field(description="Of the next page; null on the last", examples=[None])


class Event(BaseModel):
    """Something that happened during a span."""

    time: str = Field(description="When, RFC 3339", examples=[_START])
    time_unix_nano: str = Field(description="When, ns since 1970", examples=["1769860800000000000"])
    name: str = Field(description="What", examples=["exception"])
    attributes: dict[str, str] = Field(description="More of it", examples=[{"exception.type": "Timeout"}])


class Link(BaseModel):
    """Another span, of any trace, that a span names."""

    trace_id: str = Field(description="Its trace", examples=[_TRACE])
    span_id: str = Field(description="Its id", examples=[_SPAN])
    attributes: dict[str, str] = Field(description="What is said of the link", examples=[{}])


class Scope(BaseModel):
    """What made a span: a library, usually."""

    name: str = Field(description="Its name", examples=["otelhttp"])
    version: str = Field(description='Its version; "" if it has none', examples=["1.2.0"])
    attributes: dict[str, str] = Field(description="Values as text", examples=[{}])


class TraceSpan(BaseModel):
    """One span as it was sent, with what its trace makes of it."""

    span_id: str = Field(description="16 hexadecimal digits", examples=[_SPAN])
    parent_id: str | None = Field(description="As it was sent; null without one", examples=[None])
    depth: int = Field(description="How deep in the tree; 0 at top level", examples=[0])
    service: str = Field(description="Node id", examples=["shop/front"])
    operation: str = Field(description="Its name", examples=["GET /cart"])
    kind: Literal["unspecified", "internal", "server", "client", "producer", "consumer"] = Field(
        description="Kind", examples=["server"]
    )
    start: str = Field(description="As it was sent, RFC 3339", examples=[_START])
    start_unix_nano: str = Field(description="The same, ns since 1970", examples=["1769860800000000000"])
    duration_ms: float = Field(description="Its duration", examples=[120.5])
    self_ms: float = Field(description="Duration without what its children took of it", examples=[20.5])
    skew_ms: float | None = Field(
        description="What to add to `start` for display; null unless `adjust_skew` was asked for",
        examples=[None],
    )
    status: Literal["unset", "ok", "error"] = Field(description="Status", examples=["unset"])
    scope: Scope = Field(description="Instrumentation scope")
    attributes: dict[str, str] = Field(description="Values as text", examples=[{"http.route": "/cart"}])
    resource: dict[str, str] = Field(description="Of what sent it", examples=[{"service.name": "front"}])
    events: list[Event] = Field(description="In the order in which they were sent")
    links: list[Link] = Field(description="In the order in which they were sent")
    warnings: list[str] = Field(description="What to know before believing it", examples=[[]])


class Trace(_Figures):
    """A trace with all its spans."""

    spans: list[TraceSpan] = Field(description="Each once, parents before their children, by start")
    warnings: list[str] = Field(description="What to know about the trace as a whole", examples=[[]])


class PathSegment(BaseModel):
    """A stretch of the root's time in which one span was what the root waited for."""

    span_id: str = Field(description="That span", examples=[_SPAN])
    start_ms: float = Field(description="From the start of the root", examples=[0.0])
    duration_ms: float = Field(description="How long", examples=[20.5])


class CriticalPath(BaseModel):
    """The root's time, divided: segments follow each other and sum to its duration."""

    trace_id: str = Field(description="32 hexadecimal digits", examples=[_TRACE])
    duration_ms: float = Field(description="Duration of the root", examples=[120.5])
    segments: list[PathSegment] = Field(description="In the order of time")


class Bucket(BaseModel):
    """A range of durations."""

    above_ms: float = Field(description="Longer than this", examples=[94.9])
    to_ms: float = Field(description="Not longer than this", examples=[134.2])


class Exemplar(BaseModel):
    """A stored span that stands for those of its bucket and status: the slowest of them."""

    trace_id: str = Field(description="Its trace", examples=[_TRACE])
    span_id: str = Field(description="Its id", examples=[_SPAN])
    start: str = Field(description="Its start, RFC 3339", examples=[_START])
    service: str = Field(description="Node id", examples=["shop/payments"])
    operation: str = Field(description="Its name", examples=["POST /pay"])
    duration_ms: float = Field(description="Its duration", examples=[120.5])
    status: str = Field(
        description="ok, cancelled, or why it failed: client_error server_error no_response timeout",
        examples=["timeout"],
    )
    bucket: Bucket = Field(description="Its latency bucket; the next one reaches 1.41 times as far")
    spans: int = Field(description="Spans of that bucket and status", examples=[17])


class ExemplarList(BaseModel):
    """Exemplars of calls: one for each latency bucket and status that has any."""

    start: str = Field(description="Start of the window", examples=[_START])
    end: str = Field(description="End of the window", examples=[_START])
    side: Literal["server", "client"] = Field(description="Whose spans they are", examples=["server"])
    exemplars: list[Exemplar] = Field(description="Slowest first")
