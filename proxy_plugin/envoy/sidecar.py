"""run_sidecar: a real Envoy beside one app, joined to the control plane; what `meshscope sidecar` does."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.goodbye import say_goodbye
from proxy_plugin.envoy.mesh import Role, Sidecar
from proxy_plugin.envoy.ports import free_ports
from proxy_plugin.envoy.process import EnvoyFailedError, EnvoyProcess


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

    A gateway (`role="router"`) has no app. ValueError for an upstream that cannot be read.
    """
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
    stop: asyncio.Event | None = None,
    envoy: Path | None = None,
) -> int:
    """Runs until `stop` is set (None: SIGINT or SIGTERM) or Envoy ends; returns 0, or Envoy's exit code.

    `ready` is called when the listeners accept; while the control plane is away, Envoy waits for it. At the
    end the callers are told first, then requests in flight may finish. PortBusyError: see `process`.
    """
    with _stop_event(stop) as stopping:
        async with EnvoyProcess(sidecar, control, telemetry, envoy=envoy) as process:
            ended = asyncio.create_task(process.wait())
            asked = asyncio.create_task(stopping.wait())
            up = asyncio.create_task(_tell_when_up(process, ready))
            try:
                await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    structlog.get_logger().error("envoy_ended", code=ended.result(), log=process.last_words())
                    return ended.result() or 1
                await say_goodbye(control, sidecar.node_id)
                return 0
            finally:
                for task in (ended, asked, up):
                    task.cancel()


async def _tell_when_up(process: EnvoyProcess, ready: Callable[[Sidecar], None]) -> None:
    while True:
        try:
            await process.ready()
        except EnvoyFailedError as error:
            structlog.get_logger().warning("sidecar_waits", node=process.sidecar.node_id, error=str(error))
        else:
            ready(process.sidecar)
            return


@contextmanager
def _stop_event(given: asyncio.Event | None) -> Iterator[asyncio.Event]:
    """The caller's event, or one that the usual signals set."""
    if given is not None:
        yield given
        return
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
