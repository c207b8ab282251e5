"""``meshscope demo``: the server and the demo mesh in one command, with a summary at the end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from proxy_plugin.demo.mesh import DemoMesh
from web.listen import is_free
from web.live import Question
from web.main import LISTENERS, Running, serve
from web.running import invitation
from web.settings import Settings
from web.shapes import totals
from web.signals import stop_signal, unless_stopped

_TOKEN = "demo-library"  # noqa: S105 - its name


async def run_demo(
    settings: Settings, *, browser: Callable[[str], object] | None, duration: float | None, rate: float
) -> int:
    """Run until a signal or for ``duration`` seconds; 0 when the mesh was whole to the end.

    Args:
        settings: ports that are busy are replaced by free ones, and that is said.
        browser: opens a URL, or None.
        duration: seconds, or None for ever.
        rate: requests per second at the edge.
    """
    stop = stop_signal()
    async with serve(_with_free_ports(settings)) as running, AsyncExitStack() as stack:
        began = time.time()
        mesh = None
        if not stop.is_set():
            running.announce()
            _say("Starting the mesh …")
            token = await stack.enter_async_context(_token(running))
            mesh = await unless_stopped(stop, stack.enter_async_context(_mesh(running, rate, token)))
        if mesh is None:
            _say("Interrupted while starting.")
            return 0
        await _introduce(running, mesh, browser, duration)
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await stop.wait()
        ended = mesh.stats().ended
        await stack.aclose()  # what is under way arrives before it is counted
        await _summary(running, began)
    if ended:
        _say(
            f"These ended though nobody stopped them: {', '.join(ended)}. Their logs are in {settings.data}/demo."
        )
    return 1 if ended else 0


async def _introduce(
    running: Running, mesh: DemoMesh, browser: Callable[[str], object] | None, duration: float | None
) -> None:
    """Say what runs; how to get in comes last."""
    stats = mesh.stats()
    if mesh.busy_ports:
        _say(f"Ports in use were left out: {', '.join(map(str, mesh.busy_ports))}.")
    _say(f"{stats.services} services behind {stats.envoys} Envoys, up in {stats.start_seconds:.1f} s.")
    if browser is not None:
        _say("Opening the browser.")
        # A link of its own: the one that is shown is still good then.
        await asyncio.to_thread(browser, await running.login_link())
    end = "Ctrl-C ends." if duration is None else f"It ends in {duration:g} s."
    _say(invitation(running.settings, await running.login_link(), end))


@asynccontextmanager
async def _token(running: Running) -> AsyncIterator[str]:
    """An API token for the service that has no sidecar, as long as the demo lasts."""
    auth = running.parts.auth
    if auth is None:
        yield ""
        return
    await asyncio.to_thread(auth.revoke_token, _TOKEN)  # of a demo that was killed
    try:
        yield await asyncio.to_thread(auth.create_token, _TOKEN)
    finally:
        await asyncio.to_thread(auth.revoke_token, _TOKEN)


def _mesh(running: Running, rate: float, token: str) -> DemoMesh:
    ports, host = running.ports, running.settings.host
    return DemoMesh(
        otlp_grpc=f"{host}:{ports.otlp_grpc}",
        otlp_http=f"http://{host}:{ports.otlp_http}",
        xds=f"{host}:{ports.xds}",
        folder=running.settings.data / "demo",
        rate=rate,
        console=running.url,
        token=token,
    )


def _with_free_ports(settings: Settings) -> Settings:
    busy = [
        name
        for name in LISTENERS
        if getattr(settings, name) and not is_free(settings.host, getattr(settings, name))
    ]
    for name in busy:
        _say(f"Port {getattr(settings, name)} (MESHSCOPE_{name.upper()}) is in use; taking a free one.")
    return settings.model_copy(update=dict.fromkeys(busy, 0))


async def _summary(running: Running, began: float) -> None:
    question = Question(start=f"{began:.0f}", messaging="expanded")
    graph = await asyncio.to_thread(running.parts.graphs.graph, question)
    calls, failed = totals(graph["edges"])
    services = sum(node["kind"] in ("service", "gateway") for node in graph["nodes"])
    share = f"{100 * failed / calls:.2f} %" if calls else "no calls"
    _say(
        f"Summary: {services} services, {len(graph['nodes'])} nodes, {len(graph['edges'])} edges, "
        f"{calls:.0f} calls, error rate {share}."
    )


def _say(line: str) -> None:
    """For people: stdout is kept for the one line that scripts read."""
    print(line, file=sys.stderr, flush=True)
