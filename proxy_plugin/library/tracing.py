"""Client and server spans by the semantic conventions for HTTP. Without the SDK (extra `otlp`) they cost little.

The context of the caller is W3C Trace Context. A request that carries one already, where no span is current (an
app that copies headers, as beside a sidecar), is a child of that.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import httpx
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SOURCE_HEADER = "x-meshscope-source"
"""Who calls, as a service id: the header that sidecars send each other."""

_W3C = TraceContextTextMapPropagator()
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


def tracer(provider: TracerProvider | None) -> Tracer:
    """Of `provider`, by default the process's own."""
    return trace.get_tracer("proxy_plugin.library", tracer_provider=provider)


def client_span(tracer: Tracer, request: httpx.Request, target: str, version: str, resent: int) -> Span:
    """One attempt. Name and address are those the app meant, not where the target really is."""
    url = request.url
    attributes: dict[str, str | int] = {
        **_method(request.method),
        "url.full": str(url.copy_with(username=None, password=None) if url.userinfo else url),
        "server.address": url.host,
        "server.port": url.port or (443 if url.scheme == "https" else 80),
        **_peer(target),
    }
    if resent:
        attributes["http.request.resend_count"] = resent
    if version:
        attributes["meshscope.target.version"] = version
    name = attributes["http.request.method"]
    return tracer.start_span(
        "HTTP" if name == "_OTHER" else str(name),
        _parent(request.headers),
        SpanKind.CLIENT,
        attributes=attributes,
    )


def server_span(tracer: Tracer, scope: Mapping[str, object], headers: Mapping[str, str]) -> Span:
    """A request that came in."""
    method = str(scope["method"])
    attributes: dict[str, str | int] = {
        **_method(method),
        "url.path": str(scope["path"]),
        "url.scheme": str(scope.get("scheme", "http")),
    }
    if (query := scope.get("query_string")) and isinstance(query, bytes):
        attributes["url.query"] = query.decode("latin-1")
    host, _, port = headers.get("host", "").rpartition(":")
    attributes |= {"server.address": host, "server.port": int(port)} if port.isdecimal() else {}
    if agent := headers.get("user-agent"):
        attributes["user_agent.original"] = agent
    if source := headers.get(SOURCE_HEADER):
        attributes |= _peer(source)
    context = _W3C.extract(headers, Context())
    return tracer.start_span(
        method if method in _METHODS else "HTTP", context, SpanKind.SERVER, attributes=attributes
    )


def inject(span: Span, headers: MutableMapping[str, str]) -> None:
    """Make `span` the parent of what the other end does. Without the SDK the caller's own context goes on."""
    if span.get_span_context().is_valid:
        _W3C.inject(headers, trace.set_span_in_context(span, Context()))


def answered(span: Span, status: int, *, client: bool) -> None:
    """4xx is an error of the client span only, 5xx of both."""
    span.set_attribute("http.response.status_code", status)
    if status >= (400 if client else 500):
        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)


def failed(span: Span, kind: str) -> None:
    """No answer; `kind`: `timeout`, or the name of an exception."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _parent(headers: Mapping[str, str]) -> Context | None:
    if trace.get_current_span().get_span_context().is_valid:
        return None  # the current one
    return _W3C.extract(headers, Context())


def _method(method: str) -> dict[str, str | int]:
    if method in _METHODS:
        return {"http.request.method": method}
    return {"http.request.method": "_OTHER", "http.request.method_original": method}


def _peer(service: str) -> dict[str, str | int]:
    """An external `host:port` is told by `server.address` alone."""
    namespace, slash, name = service.rpartition("/")
    if ":" in service:
        return {}
    return {"service.peer.name": name, **({"service.peer.namespace": namespace} if slash else {})}
