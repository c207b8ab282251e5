"""The description of the API tells of every answer that a request can get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store.layouts import Layouts
from tests.web.happened import timeline
from web.analytics import Analytics
from web.answers import Answers
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
    policies,
    proxies,
    services,
    traces,
)
from web.events import Events
from web.live import Graphs
from web.policies.library_clients import LibraryClients
from web.policies.publish import Publisher
from web.problems import MEDIA_TYPE
from web.stream import Streams

FREE = ("/healthz", "/readyz")


@pytest.fixture
def document(control: Engine) -> dict[str, Any]:
    plane = ControlPlane(telemetry=TelemetryTarget(port=9))
    graphs = Graphs(LiveWindow(), control, Breakers(), Directory(), plane)
    answers, app = Answers(graphs), FastAPI()
    for router in (
        meta.router(),
        graph.router(answers, Streams(answers)),
        diff.router(graphs, timeline(control)),
        export.router(answers, Layouts(control)),
        impact.router(graphs),
        services.router(graphs, answers),
        traces.router(control),
        calls.router(Analytics(graphs)),
        events.router(Events(control), timeline(control)),
        policies.router(Publisher(plane, control)),
        proxies.router(plane),
        library.router(LibraryClients(plane)),
        breakers.router(
            breakers.BreakerParts(graphs.breakers, graphs.mesh, Publisher(plane, control).policies, control)
        ),
    ):
        app.include_router(router)
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_refusal_is_described(document: dict[str, Any]) -> None:
    """400: a parameter that nobody knows; 401: no credentials; 422: a parameter out of range."""
    missing = []
    for name, operation in operations(document):
        expected = {"400"} | (set() if name.split()[1] in FREE else {"401"})
        expected |= {"422"} if operation.get("parameters") else set()
        missing += [f"{name}: {status}" for status in sorted(expected - operation["responses"].keys())]
    assert missing == []


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    others = [
        f"{name}: {status}"
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status[0] in "45" and status != "503" and MEDIA_TYPE not in answer.get("content", {})
    ]
    assert others == []


OF_THE_GRAPH = ("/api/v1/graph", "/api/v1/services")


def test_every_parameter_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    missing = [
        f"{name} {parameter['name']}"
        for name, operation in operations(document)
        if name.split()[1].startswith(OF_THE_GRAPH)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description") or not parameter["schema"].get("examples")
    ]
    assert missing == []


def test_every_field_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    """What is a model of its own has examples of its own."""
    shown = ("Graph", "Diff", "Impact", "Service", "Services", "Operations")
    pending, seen = list(shown), set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for field, value in document["components"]["schemas"][name]["properties"].items():
            named = re.findall(r"#/components/schemas/(\w+)", str(value))
            assert value.get("description") or named, f"{name}.{field}"
            assert "examples" in value or named, f"{name}.{field}"
            pending += named
