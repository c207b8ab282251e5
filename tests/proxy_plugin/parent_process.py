"""A parent of one Envoy, to be killed: prints the Envoy's pid, then waits."""

from __future__ import annotations

import asyncio
import sys

import structlog

from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
from proxy_plugin.envoy.process import EnvoyProcess
from proxy_plugin.envoy.sidecar import plan_sidecar


async def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    envoy = EnvoyProcess(plan_sidecar("shop/a", 1), ControlAddress(port=9), TelemetryTarget(port=9))
    await envoy.start()
    print(envoy.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
