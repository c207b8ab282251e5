"""The one FastAPI application: API, login, console, and what guards them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp

from collector.consumer import Consumer
from collector.telemetry import Counters
from web import login, problems
from web.analytics import Analytics
from web.api import (
    breakers,
    calls,
    diff,
    events,
    export,
    graph,
    impact,
    library,
    meta,
    metrics,
    policies,
    proxies,
    services,
    traces,
    zipkin,
)
from web.api_docs import routes as api_docs
from web.gate import CookieNames, Gate
from web.headers import SecurityHeaders
from web.known import KnownPaths
from web.parts import Parts
from web.policies.denials import Denials
from web.ui import app as ui

_DESCRIPTION = """
Call analytics, the live service graph and traffic rules of a service mesh.

Authenticate with `Authorization: Bearer <token>` (`meshscope token create NAME`). Errors are RFC 9457 problem
documents. Times are RFC 3339, unix seconds or relative (`now-15m`); durations are milliseconds.
"""


def create_app(
    parts: Parts, consumer: Consumer, counters: Counters, checks: Mapping[str, meta.Check]
) -> ASGIApp:
    """Everything that the HTTP port serves; ``consumer`` takes the spans that are reported to it."""
    # Over 40 lines: the parts of the application in the order in which they are put together.

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await ui.warm_up(console)
        headers.allow_scripts(console.csp_hashes())
        yield

    api = FastAPI(
        title="Meshscope",
        version=version("meshscope"),
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's own page loads its scripts from another server: web.api_docs
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    problems.install(api)
    for router in (
        meta.router(checks),
        metrics.router(counters.registry),
        login.router(parts.auth),
        api_docs.router(CookieNames(parts.ports.http).csrf),
        graph.router(parts.answers, parts.streams),
        diff.router(parts.graphs, parts.timeline),
        export.router(parts.answers, parts.layouts),
        impact.router(parts.graphs),
        services.router(parts.graphs, parts.answers),
        traces.router(parts.telemetry),
        calls.router(Analytics(parts.graphs)),
        events.router(parts.events, parts.timeline),
        policies.router(parts.publisher),
        proxies.router(parts.control, parts.libraries),
        library.router(parts.libraries),
        breakers.router(
            breakers.BreakerParts(
                parts.graphs.breakers, parts.graphs.mesh, parts.publisher.policies, parts.telemetry
            )
        ),
        zipkin.router(consumer, parts.settings.max_request_bytes, counters),
    ):
        api.include_router(router)

    @api.get("/", include_in_schema=False)
    @api.get("/ui", include_in_schema=False)
    @api.get("/ui/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/ui/graph", 307)

    known = KnownPaths(api, api, ui.known_path)
    console = ui.create_ui(api, parts)
    headers = SecurityHeaders(Denials(Gate(known, parts.auth), parts.publisher.denied))
    return headers
