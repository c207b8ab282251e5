"""A message broker in a process: every consumer group of a topic gets every message once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    id: str
    topic: str
    headers: Mapping[str, str]


class Broker:
    """Queues by (topic, group). A full queue drops its oldest message: the demo never piles up."""

    def __init__(self, groups: Iterable[tuple[str, str]], capacity: int = 1000) -> None:
        self._queues = {key: asyncio.Queue[Message](capacity) for key in groups}

    def publish(self, message: Message) -> None:
        for (topic, _), queue in self._queues.items():
            if topic == message.topic:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(message)

    async def receive(self, topic: str, group: str) -> Message:
        """Waits for the group's next message."""
        return await self._queues[topic, group].get()
