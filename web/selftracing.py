"""Traces of our own work, where they are asked for (``MESHSCOPE_SELF_TRACING``): commits, derivations, the repair at
start, API requests and pushes of policies, as OTLP spans of the service ``meshscope``.

Nobody imports this module unless it is asked for: the SDK takes memory and time to load.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from importlib.metadata import version
from typing import Final

from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.selfwatch import OWN_SERVICE, Fact

_TRACED: Final = "/api/"  # not what scrapers and probes ask for all day, nor telemetry that comes in
_PATH: Final = "/v1/traces"
_TIMEOUT: Final = 5.0  # s for one export


class SelfTracing:
    """Makes spans and sends them; :meth:`stop` sends what is left."""

    def __init__(self, endpoint: str) -> None:
        """``endpoint``: base address of an OTLP/HTTP receiver."""
        url = endpoint if endpoint.endswith(_PATH) else endpoint.rstrip("/") + _PATH
        facts = {
            "service.name": OWN_SERVICE,
            "service.version": version("meshscope"),
            "service.instance.id": str(uuid.uuid4()),
        }
        self._provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=_TIMEOUT)))
        self._tracer = self._provider.get_tracer("meshscope")
        self._propagator = TraceContextTextMapPropagator()

    def observe(self, what: str, began: int, *, error: str = "", **facts: Fact) -> None:
        """A piece of work as a span, below the request that it is done for (:class:`collector.selfwatch.Observe`)."""
        attributes = {f"meshscope.{name}": value for name, value in facts.items()}
        span = self._tracer.start_span(what, start_time=began, attributes=attributes)
        if error:
            span.set_status(Status(StatusCode.ERROR, error[:500]))
        span.end(time.time_ns())

    def around(self, app: ASGIApp) -> ASGIApp:
        """An application whose API requests are traced, as parts of their callers' traces (W3C traceparent)."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].startswith(_TRACED):
                await self._request(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return traced

    async def _request(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._propagator.extract(Headers(scope=scope))
        method = {"http.request.method": scope["method"]}
        span = self._tracer.start_span(scope["method"], caller, SpanKind.SERVER, method)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    span.set_status(StatusCode.ERROR)
            await send(message)

        entered = context.attach(set_span_in_context(span, caller))
        try:
            await app(scope, receive, noting)
        except Exception as error:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            context.detach(entered)
            if (route := getattr(scope.get("route"), "path", None)) is not None:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            span.end()

    async def flush(self) -> None:
        """Send what waits."""
        await asyncio.to_thread(self._provider.force_flush)

    async def stop(self) -> None:
        """Send what waits, and end."""
        await asyncio.to_thread(self._provider.shutdown)
