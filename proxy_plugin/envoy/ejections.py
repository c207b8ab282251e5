"""Ejections of hosts: Envoy writes each as a line of JSON, and nowhere else; we report it as an OTLP log record.

Envoy writes into a pipe: nothing is left behind on a disk, and nothing grows. Attributes of a record:
``meshscope.event`` (eject or uneject), ``meshscope.target``, ``meshscope.target.version``, ``upstream.host``,
``meshscope.ejection.type`` (consecutive_5xx, …). The resource is that of the sidecar's other telemetry.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

import grpc
import grpc.aio
import structlog
from google.protobuf import json_format

from proxy_plugin.envoy.api import envoy_api
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.resources.telemetry import resource_attributes

METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_REQUEST = "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"
_MOST_WAITING = 1000
"""Events that wait for a collector that is away; the oldest go first."""
_AGAIN = 1.0
_PATIENCE = 5.0

EVENTS_WITHIN_MS = 500
"""Milliseconds that Envoy may keep an event to itself; its own default is ten seconds."""

Record = dict[str, Any]


def event_log(path: str) -> Record:
    """The part of the bootstrap that makes Envoy write its events there."""
    return {"cluster_manager": {"outlier_detection": {"event_log_path": path}}}


def record(line: bytes) -> Record | None:
    """A line of Envoy's (`envoy.data.cluster.v3.OutlierDetectionEvent`) as an OTLP log record in JSON.

    None for what is none, and for a host that would have been ejected but was not.
    """
    try:
        event = json.loads(line)
        action, host = event.get("action", "EJECT").lower(), event["upstream_url"]
        target, _, version = event["cluster_name"].partition("|")
        at = datetime.fromisoformat(event["timestamp"]).timestamp()
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    if action == "eject" and not event.get("enforced", False):
        return None
    attributes = {
        "meshscope.event": action,
        "meshscope.target": target,
        "meshscope.target.version": version or "*",
        "upstream.host": host,
        "meshscope.ejection.type": str(event.get("type", "CONSECUTIVE_5XX")).lower(),
    }
    return {"time_unix_nano": str(int(at * 1e6) * 1000), "attributes": _pairs(attributes)}


def request(sidecar: Sidecar, records: list[Record]) -> bytes:
    """The export request that reports these records."""
    resource = {"attributes": _pairs(resource_attributes(sidecar))}
    scope = {"scope": {"name": "meshscope.sidecar"}, "log_records": records}
    logs = {"resource_logs": [{"resource": resource, "scope_logs": [scope]}]}
    return json_format.ParseDict(logs, envoy_api().message(_REQUEST)()).SerializeToString()


class EventPipe:
    """The pipe from Envoy to us. It exists from `for_envoy` until `close`, which may be called at any time."""

    def __init__(self) -> None:
        self._reading: IO[bytes] | None = None
        self._transport: asyncio.ReadTransport | None = None

    @contextmanager
    def for_envoy(self) -> Iterator[int]:
        """The descriptor that Envoy inherits and writes to; ours of it is closed at the end."""
        reading, writing = os.pipe()
        self._reading = os.fdopen(reading, "rb", buffering=0)
        try:
            yield writing
        finally:
            os.close(writing)

    async def report(self, sidecar: Sidecar, telemetry: TelemetryTarget) -> None:
        """Report every line until the pipe ends, again and again while nobody takes it."""
        events = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(events), self._reading
        )
        waiting: deque[Record] = deque(maxlen=_MOST_WAITING)
        news = asyncio.Event()
        sending = asyncio.create_task(_send(waiting, news, sidecar, telemetry))
        try:
            async for line in events:
                if (found := record(line)) is not None:
                    waiting.append(found)
                    news.set()
        finally:
            sending.cancel()

    def close(self) -> None:
        """Read no more. Safe twice."""
        if self._transport is not None:
            self._transport.close()
        elif self._reading is not None:
            self._reading.close()


async def _send(
    waiting: deque[Record], news: asyncio.Event, sidecar: Sidecar, telemetry: TelemetryTarget
) -> None:
    log = structlog.get_logger().bind(node=sidecar.node_id)
    async with grpc.aio.insecure_channel(f"{telemetry.host}:{telemetry.port}") as channel:
        while True:
            await news.wait()
            news.clear()
            while waiting:
                batch = list(waiting)
                waiting.clear()
                try:
                    await channel.unary_unary(METHOD)(request(sidecar, batch), timeout=_PATIENCE)
                except grpc.aio.AioRpcError as error:
                    log.debug("ejections_not_reported", error=error.details())
                    batch.extend(waiting)
                    waiting.clear()
                    waiting.extend(batch)  # of too many the newest stay
                    await asyncio.sleep(_AGAIN)


def _pairs(attributes: dict[str, str]) -> list[Record]:
    return [{"key": key, "value": {"string_value": value}} for key, value in attributes.items()]
