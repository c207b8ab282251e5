"""The live graph as server-sent events: computed once per tick and question, the same bytes for everybody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from web.answers import Answer, Answers
from web.live import Question
from web.problems import Problem

log = structlog.get_logger(__name__)

TICK: Final = 0.75  # s between two deltas: a call is to be seen within two seconds
_KEPT_DELTAS: Final = 60  # to resume from …
_KEPT_BYTES: Final = 64 << 20  # … unless they are large: with thousands of services each may have megabytes
MOST_LISTENERS: Final = 512
MOST_QUESTIONS: Final = 64  # each is computed anew with every tick
RETRY_AFTER: Final = 10  # s
PATIENCE: Final = 10.0  # s that a listener may take for one event
_RECHECK: Final = 5.0  # s; whoever was shut out hears no more after so long


class Streams:
    """One channel per question that somebody listens to. Call :meth:`close` before the loop ends."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._channels: dict[Question, _Channel] = {}

    def admit(self, question: Question) -> None:
        """Raises a 503 problem when there are too many listeners, or too many questions."""
        listeners = sum(channel.listeners for channel in self._channels.values())
        new = question not in self._channels
        if listeners < MOST_LISTENERS and not (new and len(self._channels) >= MOST_QUESTIONS):
            return
        what = (
            f"{MOST_QUESTIONS} different graphs"
            if listeners < MOST_LISTENERS
            else f"{MOST_LISTENERS} listeners"
        )
        raise Problem(
            503, "Too many streams", f"There are {what} already.", headers={"Retry-After": f"{RETRY_AFTER}"}
        )

    async def events(self, question: Question, last_event_id: int | None = None) -> AsyncGenerator[bytes]:
        """Server-sent events: one ``snapshot`` (or what was missed since ``last_event_id``), then ``delta`` s."""
        self.admit(question)
        channel = self._channels.get(question)
        if channel is None:
            channel = self._channels[question] = _Channel(self._answers, question)
        channel.listeners += 1
        try:
            async for event in channel.follow(last_event_id):
                yield event
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                self._channels.pop(question, None)
                channel.stop()

    async def close(self) -> None:
        """End all streams: their listeners are sent off."""
        for channel in list(self._channels.values()):
            await channel.end()


class _Channel:
    """Computes one graph again and again; every listener sends the same bytes."""

    def __init__(self, answers: Answers, question: Question) -> None:
        self._answers, self._question = answers, question
        self.listeners = 0
        self._revision = int(time.time() * 1000)  # goes on rising over restarts
        self._answer: Answer | None = None
        self._snapshot = b""
        self._deltas: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_DELTAS)
        self._changed = asyncio.Condition()
        self._ended = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name="graph-stream")

    def stop(self) -> None:
        """Compute no more; there is no listener."""
        self._ended = True
        self._task.cancel()

    async def end(self) -> None:
        """Compute no more, and let the listeners go."""
        self.stop()
        async with self._changed:
            self._changed.notify_all()

    async def follow(self, last: int | None) -> AsyncIterator[bytes]:
        known = bool(self._deltas) and self._deltas[0][0] - 1 <= (last or 0) <= self._revision
        sent = last if last and known else 0
        while True:
            if not await self._news(sent):
                return
            missed = [body for rev, body in self._deltas if rev > sent]
            behind = not sent or not self._deltas or self._deltas[0][0] > sent + 1
            sent = self._revision
            if behind:
                yield self._whole()
            else:
                for body in missed:
                    yield body

    async def _news(self, sent: int) -> bool:
        """Wait for a revision after ``sent``; False at the end of the stream."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._ended or (self._answer is not None and self._revision != sent)
            )
        return not self._ended

    def _whole(self) -> bytes:
        if not self._snapshot and self._answer:
            self._snapshot = _event("snapshot", self._revision, self._answer.body[:-1])
        return self._snapshot

    async def _run(self) -> None:
        last = 0.0
        while not self._ended:
            began = time.monotonic()
            try:
                answer = await self._answers.newer(self._question, max(last, began - TICK / 2))
            except Problem as problem:  # a window of which the end has come: nobody can be told more
                log.info("graph_stream_ends", question=str(self._question), reason=problem.detail)
                self._ended = True
                async with self._changed:
                    self._changed.notify_all()
                return
            except Exception:
                log.exception("graph_failed", question=str(self._question))
            else:
                last = answer.began
                await self._publish(answer)
            await asyncio.sleep(max(0.05, TICK - (time.monotonic() - began)))

    async def _publish(self, answer: Answer) -> None:
        changes = await asyncio.to_thread(answer.delta, self._answer) if self._answer else None
        self._answer, self._snapshot = answer, b""
        self._revision += 1
        if changes is not None:
            self._deltas.append((self._revision, _event("delta", self._revision, changes)))
            while len(self._deltas) > 1 and sum(len(body) for _, body in self._deltas) > _KEPT_BYTES:
                self._deltas.popleft()
        async with self._changed:
            self._changed.notify_all()


class EventStream(StreamingResponse):
    """Server-sent events. Who takes none for PATIENCE seconds is dropped: its events would pile up."""

    def __init__(self, events: AsyncGenerator[bytes], patience: float = PATIENCE) -> None:
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events, self._patience = events, patience

    async def stream_response(self, send: Send) -> None:
        async def sending(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        try:
            async with aclosing(self._events):
                await super().stream_response(sending)
        except TimeoutError:
            log.info("listener_dropped", patience=self._patience)


async def while_admitted(
    events: AsyncGenerator[bytes], admitted: Callable[[], Awaitable[bool]] | None, every: float = _RECHECK
) -> AsyncGenerator[bytes]:
    """``events`` for as long as ``admitted`` says so; asked again between two events, ``every`` so many seconds."""
    asked = time.monotonic()
    async with aclosing(events):
        async for event in events:
            if admitted is not None and time.monotonic() - asked >= every:
                if not await admitted():
                    return
                asked = time.monotonic()
            yield event


def _event(name: str, revision: int, body: bytes) -> bytes:
    """``body``: an object without its last brace."""
    return b'id: %d\nevent: %s\ndata: %s,"rev":%d}\n\n' % (revision, name.encode(), body, revision)
