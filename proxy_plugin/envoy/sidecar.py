"""run_sidecar: a real Envoy beside one app, joined to the control plane; what `meshscope sidecar` does."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Final

import structlog

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.goodbye import say_goodbye
from proxy_plugin.envoy.mesh import Role, Sidecar
from proxy_plugin.envoy.ports import accepts, free_ports
from proxy_plugin.envoy.process import EnvoyFailedError, EnvoyProcess

FIRST_WORD_AFTER: Final = 0.5
NEXT_WORD_AFTER: Final = 30.0
"""Seconds without listeners until people are told why; then each time as many again."""

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"  # RFC 1123
_SERVICE: Final = re.compile(f"({_LABEL}/)?{_LABEL}")


def plan_sidecar(
    service: str,
    app_port: int = 0,
    *,
    upstreams: Sequence[str] = (),
    version: str = "v1",
    instance: str = "",
    role: Role = "sidecar",
    inbound_port: int = 0,
    outbound_port: int = 0,
    admin_port: int = 0,
    avoid: Container[int] = (),
) -> Sidecar:
    """The sidecar of `service` (an id: `namespace/service` or `service`); ports of 0 become free ones,
    none of those to `avoid` (of other plans).

    A gateway (`role="router"`) has no app. ValueError for a service that is no name in DNS, and for an
    upstream that cannot be read.
    """
    # Over 40 lines: the options of a sidecar, and a check of each.
    if not _SERVICE.fullmatch(service):
        raise ValueError(
            f"{service!r} is not a service: use name or namespace/name, "
            "of lower-case letters, digits and hyphens (63 at most)"
        )
    namespace, _, name = service.rpartition("/")
    given = Sidecar(
        service=name,
        namespace=namespace,
        instance=instance or f"{name}-{version}-{secrets.token_hex(3)}",
        version=version,
        role=role,
        app_port=app_port,
        inbound_port=inbound_port,
        outbound_port=outbound_port,
        admin_port=admin_port,
        upstreams=tuple(upstreams),
    )
    given.targets()
    free = iter(free_ports(3, given.address, avoid))
    return replace(
        given,
        inbound_port=inbound_port or next(free),
        outbound_port=outbound_port or next(free),
        admin_port=admin_port or next(free),
    )


async def run_sidecar(
    sidecar: Sidecar,
    control: ControlAddress,
    telemetry: TelemetryTarget,
    *,
    ready: Callable[[Sidecar], None] = lambda sidecar: None,
    stop: asyncio.Event,
    envoy: Path | None = None,
) -> int:
    """Runs until `stop` is set or Envoy ends; returns 0, or Envoy's exit code.

    `ready` is called when the listeners accept; while the control plane is away, Envoy waits for it. At the
    end the callers are told first, then requests in flight may finish. PortBusyError: see `process`.
    """
    async with EnvoyProcess(sidecar, control, telemetry, envoy=envoy) as process:
        ended = asyncio.create_task(process.wait())
        asked = asyncio.create_task(stop.wait())
        up = asyncio.create_task(_tell_when_up(process, ready))
        why = asyncio.create_task(_say_why_it_waits(process, control, up))
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                structlog.get_logger().error("envoy_ended", code=ended.result(), log=process.last_words())
                return ended.result() or 1
            await say_goodbye(control, sidecar.node_id)
            return 0
        finally:
            for task in (ended, asked, up, why):
                task.cancel()


async def _tell_when_up(process: EnvoyProcess, ready: Callable[[Sidecar], None]) -> None:
    with suppress(EnvoyFailedError):  # it ended: `run_sidecar` sees that too
        await process.ready(within=None)
        ready(process.sidecar)


async def _say_why_it_waits(process: EnvoyProcess, control: ControlAddress, up: asyncio.Task[None]) -> None:
    log = structlog.get_logger().bind(node=process.sidecar.node_id)
    for pause in chain([FIRST_WORD_AFTER], repeat(NEXT_WORD_AFTER)):
        await asyncio.wait({up}, timeout=pause)
        if up.done():
            return
        if not await accepts(control.host, control.port):
            log.warning(f"{control.host}:{control.port} does not answer; still trying")
        elif pause != FIRST_WORD_AFTER:
            log.warning(f"no listeners from {control.host}:{control.port} yet", log=process.last_words())
