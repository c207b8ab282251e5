"""Faults that a policy asks for: a delay, an answer that no service gave."""

from __future__ import annotations

import asyncio
import random

from proxy_plugin.policy import Fault


async def inject(fault: Fault | None, dice: random.Random) -> int | None:
    """Waits for the delay, then the status to answer with; None: the call goes on."""
    if fault is None:
        return None
    if fault.delay is not None and _hit(fault.delay.percent, dice):
        await asyncio.sleep(fault.delay.duration.seconds)
    if fault.abort is not None and _hit(fault.abort.percent, dice):
        return fault.abort.status
    return None


def _hit(percent: float, dice: random.Random) -> bool:
    return dice.random() * 100 < percent
