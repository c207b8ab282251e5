"""Follows the control plane: policies come as server-sent events, what became of them goes back as reports.

Whatever happens to the connection, the last known rules stay in force: only a whole event changes them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from proxy_plugin.library.member import Member

PAUSES: Final = (0.05, 1.0)
"""Seconds between two tries: doubled from the first to the last, with jitter. Back within 2 s of its return."""

SILENCE: Final = 20.0  # s; the server says something every 5
_MOST: Final = 100  # breakers, transitions and rejections in one report, each
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    name: str
    data: str


async def follow(
    member: Member, control: str, token: str, transport: httpx.AsyncBaseTransport | None = None
) -> None:
    """Runs until it is cancelled."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        base_url=control,
        headers=headers,
        timeout=httpx.Timeout(5.0, read=SILENCE),
        transport=transport,
        trust_env=False,
    ) as client:
        pause, longest = PAUSES
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await _while_connected(member, client)
            except (httpx.HTTPError, ValueError, ExceptionGroup) as error:
                log.warning("control plane %s: %r; the last known rules stay", control, error)
            if asyncio.get_running_loop().time() - began > longest:
                pause = PAUSES[0]
            await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - jitter
            pause = min(longest, pause * 2)


async def events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """Server-sent events; comments (heartbeats) are left out."""
    id_, name = "", "message"
    data: list[str] = []
    async for line in lines:
        if not line:
            if data:
                yield Event(id_, name, "\n".join(data))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            id_ = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


async def _while_connected(member: Member, client: httpx.AsyncClient) -> None:
    """Until the stream ends or breaks; reports run beside it and end with it."""
    path = f"/api/v1/library/{quote(member.service, safe='')}"
    params: dict[str, Any] = {"instance": member.instance, "version": member.version}
    if member.upstreams.targets:
        params["target"] = list(member.upstreams.targets)
    headers = {
        "accept": "text/event-stream",
        **({"last-event-id": member.revision} if member.revision else {}),
    }
    async with client.stream("GET", f"{path}/stream", params=params, headers=headers) as stream:
        stream.raise_for_status()
        reports = asyncio.create_task(_report(member, client, f"{path}/report"))
        try:
            async for event in events(stream.aiter_lines()):
                if event.name == "policies":
                    member.apply(json.loads(event.data)["policies"], event.id)
        finally:
            reports.cancel()
            await asyncio.gather(reports, return_exceptions=True)


async def _report(member: Member, client: httpx.AsyncClient, path: str) -> None:
    """At once, then whenever there is something new. A report that fails is sent again."""
    pause, longest = PAUSES
    while True:
        member.news.clear()
        told = member.transitions()[:_MOST]
        body = {
            "instance": member.instance,
            "version": member.version,
            "revision": member.revision,
            "rejected": [
                {"policy": each.policy, "field": each.field, "reason": each.reason}
                for each in member.rejected[:_MOST]
            ],
            "breakers": member.states()[:_MOST],
            "transitions": told,
        }
        try:
            (await client.post(path, json=body)).raise_for_status()
        except httpx.HTTPError as error:
            log.warning("report: %r", error)
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)
            continue
        pause = PAUSES[0]
        member.reported(len(told))
        if not member.transitions():
            await member.news.wait()
