"""``serve`` that, told to on stdin, puts a rule into force that no plan would let pass: Envoy refuses it.

Such a rule can be in the database when it was written for another version of Envoy.
"""

from __future__ import annotations

import asyncio
import sys

from proxy_plugin.policy import TrafficPolicy
from web import logs
from web.main import serve
from web.settings import Settings

BAD = {
    "name": "stale",
    "target": {"service": "shop/back", "route": {"headers": {"x-user": {"regex": "(["}}}},
    "timeout": "1s",
}


async def main() -> None:
    """Until stdin ends."""
    logs.configure("warning", "console")
    async with serve(Settings()) as running:
        running.announce()
        while await asyncio.to_thread(sys.stdin.readline):
            running.parts.control.set_policies([TrafficPolicy.model_validate(BAD)])


asyncio.run(main())
