"""The composition root: one place constructs everything, connects it, starts it and takes it down again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import structlog
from pydantic import SecretStr
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.pipeline import Pipeline
from collector.receivers import otlp_grpc, otlp_http
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from collector.trim import Limits
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.identity import Identities
from store import retention, transitions
from store.anchor import Anchor
from store.collectors import collector_id
from store.engines import control_engine, telemetry_engine
from store.layouts import Layouts
from store.migrate import migrate
from store.rollups import Kept
from store.sink import StoreSink
from web import running
from web.answers import Answers
from web.api.meta import Check
from web.app import create_app
from web.auth import Auth
from web.breakers import OfLibraries
from web.events import Events
from web.listen import HttpServer, Ports, bind, port_of
from web.live import Graphs
from web.parts import LiveView, Parts
from web.policies.blast import CallsReader
from web.policies.library_clients import LibraryClients
from web.policies.publish import Publisher
from web.policies.readings import Readings
from web.policies.rule_changes import RuleChanges
from web.settings import Settings
from web.stream import Streams
from web.timeline import Timeline
from web.topology import Horizon, Topology

if TYPE_CHECKING:
    from web.selftracing import SelfTracing

log = structlog.get_logger(__name__)

LISTENERS: Final = {
    "http_port": "the API and the console",
    "otlp_grpc_port": "OTLP over gRPC",
    "otlp_http_port": "OTLP over HTTP",
    "xds_port": "the proxies (xDS)",
}
"""Port setting → what listens there."""

OTLP_CONNECTIONS: Final = 512
"""To the OTLP/HTTP port at once; more are told to come back."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    settings: Settings
    parts: Parts
    counters: Counters

    @property
    def ports(self) -> Ports:
        """Where its servers listen."""
        return self.parts.ports

    @property
    def url(self) -> str:
        """Address of the console."""
        return running.address(self.settings.host, self.ports.http)

    def announce(self) -> None:
        """The one line on stdout that scripts wait for."""
        ports = {name: getattr(self.ports, name) for name in ("http", "otlp_grpc", "otlp_http", "xds")}
        print(json.dumps({"event": "ready", **ports}, separators=(",", ":")), flush=True)

    async def login_link(self) -> str:
        """The console's address; with authentication on, one that signs in, once."""
        if self.parts.auth is None:
            return self.url
        token = await asyncio.to_thread(self.parts.auth.issue_login_link)
        return f"{self.url}/login?token={token}"


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Running]:
    """Everything in one process, from the wire to the page.

    Raises:
        StoreError: a database cannot be opened or migrated.
        PortTaken: a port is in use.
    """
    # Over 40 lines: the parts of the process in the order in which they start, the only place that knows all.
    for name in LISTENERS:  # said before anything is started or migrated
        if getattr(settings, name):
            _listener(settings, name).close()
    async with AsyncExitStack() as stack:
        telemetry, control_database = await asyncio.to_thread(databases, settings)
        stack.callback(telemetry.dispose)
        stack.callback(control_database.dispose)
        counters, breakers, directory, live = Counters(), Breakers(), Directory(), LiveWindow()
        otlp = _listener(settings, "otlp_http_port")
        stack.callback(otlp.close)
        tracing = _self_tracing(settings, port_of(otlp))
        observe = tracing.observe if tracing else None
        sink = StoreSink(telemetry, collector_id(settings.collector_id, settings.data))
        pipeline = Pipeline(
            sink,
            live,
            breakers,
            directory,
            counters,
            retention=settings.retention_spans.total_seconds(),
            max_bytes=settings.queue_bytes,
            operations=settings.max_operations,
            instances=settings.max_instances,
            limits=_limits(settings),
            probability=settings.probability_attribute,
            observe=observe,
        )
        grpc_port = await _receive(settings, pipeline, counters, otlp, stack)
        if tracing is not None:
            stack.push_async_callback(tracing.stop)
        control = ControlPlane(
            telemetry=TelemetryTarget(settings.host, grpc_port),
            identities=Identities(settings.data / "identity"),
        )
        topology = Topology(telemetry, directory, Horizon(settings.retention_calls, settings.vanished_after))
        kept, health = _kept(settings), settings.health
        noted = partial(transitions.at, telemetry)
        libraries = LibraryClients(control)
        graphs = Graphs(
            *(live, telemetry, breakers, directory, control, health, kept),
            topology=topology,
            noted=noted,
            libraries=OfLibraries(libraries),
        )
        readings = Readings(graphs)
        publisher = Publisher(
            control,
            control_database,
            CallsReader(live),
            observe=observe,
            figures=readings,
            anchor=Anchor(settings.data / "audit.head"),
        )
        await publisher.start()
        keeping = asyncio.create_task(publisher.keep(), name="policies")
        stack.callback(keeping.cancel)
        stack.push_async_callback(publisher.stop)
        xds_port = await control.start(settings.host, settings.xds_port)
        stack.push_async_callback(control.stop)
        listener = _listener(settings, "http_port")
        ports = Ports(port_of(listener), grpc_port, port_of(otlp), xds_port)
        parts = _parts(
            settings, ports, telemetry, control_database, control, graphs, publisher, topology, libraries
        )
        forgetting = asyncio.create_task(parts.events.keep_forgetting(), name="events")
        stack.callback(forgetting.cancel)
        checks = {"telemetry": _answers(telemetry), "control": _answers(control_database)}
        app = create_app(parts, pipeline, counters, checks)
        web = HttpServer(tracing.around(app) if tracing else app, listener)
        await web.start()
        stack.push_async_callback(web.stop)
        stack.push_async_callback(parts.answers.close)
        stack.push_async_callback(parts.streams.close)
        stack.push_async_callback(parts.libraries.close)
        stack.enter_context(running.noted(settings, ports.http))
        yield Running(settings, parts, counters)


def databases(settings: Settings) -> tuple[Engine, Engine]:
    """Both databases, at the newest schema."""
    telemetry = telemetry_engine(_secret(settings.telemetry_url), settings.data)
    migrate(telemetry, "telemetry")
    retention.apply(telemetry, _kept(settings))
    control = control_engine(_secret(settings.control_url), settings.data)
    migrate(control, "control")
    return telemetry, control


def _kept(settings: Settings) -> Kept:
    return Kept(
        settings.retention_spans,
        settings.retention_calls,
        settings.retention_calls_minutes,
        settings.retention_calls_hours,
    )


async def _receive(
    settings: Settings,
    pipeline: Pipeline,
    counters: Counters,
    otlp: socket.socket,
    stack: AsyncExitStack,
) -> int:
    """Start the pipeline and its receivers; they stop in the other order. The port of OTLP over gRPC."""
    await pipeline.start()
    stack.push_async_callback(pipeline.stop)
    limit = settings.max_request_bytes
    server, grpc_port = await otlp_grpc.serve(
        pipeline, settings.host, settings.otlp_grpc_port, limit, counters=counters
    )
    stack.push_async_callback(server.stop, 1.0)
    app = otlp_http.application(pipeline, limit, counters=counters)
    http = HttpServer(app, otlp, connections=OTLP_CONNECTIONS)
    await http.start()
    stack.push_async_callback(http.stop)
    return grpc_port


def _self_tracing(settings: Settings, port: int) -> SelfTracing | None:
    """``port``: our own for OTLP over HTTP, which listens already."""
    if settings.self_tracing == "off":
        return None
    from web.selftracing import SelfTracing  # with it comes the SDK

    own = settings.self_tracing == "on"
    return SelfTracing(running.address(settings.host, port) if own else settings.self_tracing)


def _limits(settings: Settings) -> Limits:
    return Limits(
        value_bytes=settings.max_value_bytes,
        name_bytes=settings.max_name_bytes,
        attributes=settings.max_attributes,
        events=settings.max_events,
        links=settings.max_links,
        expanded_bytes=settings.max_expanded_bytes,
    )


def _listener(settings: Settings, name: str) -> socket.socket:
    return bind(settings.host, getattr(settings, name), name.upper(), LISTENERS[name])


def _parts(
    settings: Settings,
    ports: Ports,
    telemetry: Engine,
    database: Engine,
    control: ControlPlane,
    graphs: Graphs,
    publisher: Publisher,
    topology: Topology,
    libraries: LibraryClients,
) -> Parts:
    events, answers = Events(database, kept=settings.retention_events), Answers(graphs)
    return Parts(
        settings=settings,
        ports=ports,
        telemetry=telemetry,
        auth=Auth(database) if settings.auth == "on" else None,
        graphs=graphs,
        answers=answers,
        streams=Streams(answers),
        live=LiveView(graphs),
        control=control,
        publisher=publisher,
        libraries=libraries,
        layouts=Layouts(database),
        events=events,
        timeline=Timeline(events, RuleChanges(database), topology),
    )


def _answers(engine: Engine) -> Check:
    """Readiness of a database: it answers a query."""

    def ask() -> str | None:
        try:
            with engine.connect() as connection:
                connection.execute(sa.select(1))
        except sa.exc.SQLAlchemyError as error:
            return f"does not answer: {type(error).__name__}"
        return None

    async def check() -> str | None:
        return await asyncio.to_thread(ask)

    return check


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None
