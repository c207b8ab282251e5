"""The apps' processes, as children of the mesh."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from proxy_plugin.demo.apps import READY
from proxy_plugin.demo.placement import TOKEN, Placement


class AppsNotReadyError(RuntimeError):
    """The process ended or stayed silent; the message holds the end of its log."""


@dataclass(frozen=True)
class AppsProcess:
    """A running `proxy_plugin.demo.apps`. Its stdin is a life line: when it closes, the process ends."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @classmethod
    async def start(
        cls, name: str, placement: Placement, folder: Path, timeout: float = 15.0, *, token: str = ""
    ) -> AppsProcess:
        """Returns once every port listens. `folder` gets `<name>.json` and `<name>.log`; `token`: for libraries."""
        config, log = folder / f"{name}.json", folder / f"{name}.log"
        config.write_text(placement.model_dump_json(indent=1))
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "proxy_plugin.demo.apps", str(config),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                env=os.environ | {TOKEN: token},
                start_new_session=True,  # Ctrl-C is the parent's business: it stops the load first
            )  # fmt: skip
        child = cls(process, log)
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            async with asyncio.timeout(timeout):
                line = await process.stdout.readline()
        except BaseException:
            await child.stop()
            raise
        if line != READY:
            await child.stop()
            raise AppsNotReadyError(f"{name} did not start: {log.read_text()[-2000:]}")
        return child

    async def stop(self, timeout: float = 5.0) -> None:
        """Close the life line, wait for the end, kill after `timeout`. Safe twice."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(timeout):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
