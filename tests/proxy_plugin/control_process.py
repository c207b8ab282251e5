"""A control plane in a process of its own, to be killed: prints its port, then serves until it dies."""

from __future__ import annotations

import asyncio
import sys

import structlog

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane


async def main(port: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    control = ControlPlane(telemetry=TelemetryTarget(port=9))
    control.set_policies([])
    print(await control.start(port=port), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
