"""Envoy as a child process: started on free ports, drained before it stops, never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import httpx
import structlog

from proxy_plugin.envoy.admin import Admin
from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget, bootstrap
from proxy_plugin.envoy.ejections import EVENTS_WITHIN_MS, EventPipe, event_log
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.ports import accepts, demand
from proxy_plugin.envoy.resources.telemetry import FLUSH
from proxy_plugin.envoy.resources.values import INBOUND, OUTBOUND

DRAIN_SECONDS = 5
"""How long requests in flight may go on when Envoy stops."""

CHAIN_DRAIN_SECONDS = 20
"""How long they may go on when mTLS takes the filter chain of their connection away: longer than a call
without a rule may take (`rules.DEFAULT_TIMEOUT`)."""

_POLL = 0.03
_STOP_WITHIN = 3.0
_LAST_BYTES = 16_384
_STDIN = "/dev/fd/0"
_TETHER = Path(__file__).with_name("tether.py")


class EnvoyFailedError(RuntimeError):
    """Envoy ended or did not come up; the message has the end of its log."""


class EnvoyProcess:
    """`async with EnvoyProcess(…) as envoy`: runs inside, is stopped gracefully at the end.

    `log`: a file for Envoy's own words, written anew. Without one they are kept where nobody can leave them
    behind: like the bootstrap, in a file that has no name.
    """

    def __init__(
        self,
        sidecar: Sidecar,
        control: ControlAddress,
        telemetry: TelemetryTarget,
        *,
        envoy: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.sidecar = sidecar
        self.admin = Admin(sidecar)
        self._config = bootstrap(sidecar, control, telemetry)
        self._telemetry = telemetry
        self._events = EventPipe()
        self._reporting: asyncio.Task[None] | None = None
        self._envoy = envoy or envoy_binary()
        self._words = log.open("w+b") if log else TemporaryFile()  # noqa: SIM115 - closed by `kill`
        self._process: asyncio.subprocess.Process | None = None
        self._log = structlog.get_logger().bind(node=sidecar.node_id)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            await self.kill()

    @property
    def pid(self) -> int:
        return self._running().pid

    async def start(self) -> None:
        """Returns when the process runs. PortBusyError before that if a port is taken."""
        sidecar = self.sidecar
        ports = {
            "admin": sidecar.admin_port,
            "inbound": sidecar.inbound_port,
            "outbound": sidecar.outbound_port,
        }
        demand(sidecar.address, ports)
        # Envoy reads its bootstrap from a file without a name: nothing stays behind, whatever ends us.
        with TemporaryFile() as config, self._events.for_envoy() as events:
            config.write(json.dumps({**self._config, **event_log(f"/dev/fd/{events}")}).encode())
            config.seek(0)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_TETHER), str(os.getpid())),
                *(
                    str(self._envoy),
                    "-c",
                    _STDIN,
                    "--service-node",
                    sidecar.node_id,
                ),  # so `ps` tells them apart
                *("--concurrency", "1", "--disable-hot-restart", "-l", "warning"),
                *("--file-flush-interval-msec", str(EVENTS_WITHIN_MS)),
                *("--drain-time-s", str(CHAIN_DRAIN_SECONDS), "--drain-strategy", "immediate"),
                stdin=config,
                stdout=self._words,
                stderr=self._words,
                pass_fds=(events,),
                start_new_session=True,  # Ctrl-C in the terminal is for us, Envoy is to drain
            )
        self._reporting = asyncio.create_task(self._events.report(sidecar, self._telemetry))
        self._log.info("envoy_started", pid=self._process.pid, admin=sidecar.admin_port)

    async def ready(self, within: float | None = 15.0) -> None:
        """Returns when both listeners accept. EnvoyFailedError when they do not in time, or Envoy ended.

        `within`: seconds, None for ever.

        `/ready` of Envoy would not do: without a control plane it says yes after a while, with no listener.
        `/listeners` alone neither: it names the first listeners before they have all they need and listen.
        """
        try:
            async with asyncio.timeout(within):
                while not await self._listening():  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise EnvoyFailedError(f"no listeners within {within:g} s: {self.last_words()}") from None

    async def wait(self) -> int:
        """Envoy's exit code, when it has ended."""
        return await self._running().wait()

    async def stop(self, drain: float = DRAIN_SECONDS) -> None:
        """Drain, let telemetry out, end. After `drain` seconds requests in flight are cut."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            await self.admin.drain()
            await self._idle(drain)
            # Records wait in Envoy for up to FLUSH seconds and go down with it.
            await asyncio.sleep(FLUSH + 0.1)
            process.terminate()
            async with asyncio.timeout(_STOP_WITHIN):
                await process.wait()
        except (httpx.HTTPError, TimeoutError, ProcessLookupError) as error:
            self._log.warning("envoy_stopped_hard", error=repr(error))
        await self.kill()

    async def kill(self) -> None:
        """End it now and close its log; nothing if that is done already."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reporting is not None:
            self._reporting.cancel()
        self._events.close()
        await self.admin.close()
        self._words.close()

    def last_words(self, lines: int = 5) -> str:
        """The end of Envoy's log."""
        if self._words.closed:
            return ""
        size = os.fstat(self._words.fileno()).st_size
        # Not by seeking: Envoy writes at the same position.
        end = os.pread(self._words.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        return "\n".join(end.decode(errors="replace").splitlines()[-lines:])

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise EnvoyFailedError("Envoy was not started")
        return self._process

    async def _listening(self) -> bool:
        code = self._running().returncode
        if code is not None:
            raise EnvoyFailedError(f"Envoy ended with {code}: {self.last_words()}")
        sidecar = self.sidecar
        try:
            named = {INBOUND, OUTBOUND} <= await self.admin.listeners()
        except httpx.HTTPError:
            return False
        return named and all(
            [await accepts(sidecar.address, port) for port in (sidecar.inbound_port, sidecar.outbound_port)]
        )

    async def _idle(self, within: float) -> None:
        """Until no request is in flight, or the time is over."""
        try:
            async with asyncio.timeout(within):
                while await self.admin.in_flight():  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            self._log.warning("envoy_requests_cut", after=within)
