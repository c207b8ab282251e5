"""One change at a time: a change waits for those before it, and outlives who asked for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from store.turn import SharedTurn
from web.policies.rollout import Applied, Begun
from web.problems import Problem

_SHORTEST_TURN = 1.0  # s that even an impatient caller waits for the changes of others
_ASK_AGAIN = 0.05  # s; the lock of a database has no queue that could be waited in without holding a thread

Work = Callable[[asyncio.Future[Begun]], Coroutine[Any, Any, Applied]]


class Turn:
    """Runs changes one after the other. ``ended`` is called after each; ``so_far`` tells how far one is.

    ``shared``: the turn among all processes that use the database.
    """

    def __init__(
        self,
        deadline: float,
        so_far: Callable[[Begun], Applied],
        ended: Callable[[], None],
        shared: SharedTurn,
    ) -> None:
        self._deadline, self._so_far, self._ended, self._shared = deadline, so_far, ended, shared
        self._one = asyncio.Lock()
        self._running: set[asyncio.Task[Applied]] = set()
        self._log = structlog.get_logger(__name__)

    async def stop(self) -> None:
        """Give up what is still being pushed; the next start finds it and counts it as failed."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def run(self, work: Work, wait: float | None, turn: float | None = None) -> Applied:
        """Run `work` after what is running, whatever becomes of the caller; its result, or how far it is.

        The caller's patience, `wait`, counts from the request. A 503 problem when it was not its turn within
        `turn` seconds (by default those of `wait`; both None: it waits as long as it takes).
        """
        if turn is None and wait is not None:
            turn = max(wait, _SHORTEST_TURN)
        asked = time.monotonic()
        begun: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._alone(work, begun, turn))
        self._running.add(task)
        task.add_done_callback(self._done)
        either: set[asyncio.Future[Any]] = {task, begun}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            left = None if wait is None else max(0.0, asked + wait - time.monotonic())
            await asyncio.wait({task}, timeout=left)
        return task.result() if task.done() else self._so_far(begun.result())

    async def _alone(self, work: Work, begun: asyncio.Future[Begun], patience: float | None) -> Applied:
        async with self.taken(patience):
            return await work(begun)

    @asynccontextmanager
    async def here(self) -> AsyncIterator[None]:
        """The turn in this process; others may be changing something."""
        async with self._one:
            yield

    @asynccontextmanager
    async def taken(self, patience: float | None = None) -> AsyncIterator[None]:
        """The turn, for one change. A 503 problem when it does not come within ``patience`` seconds."""
        await self._take(patience)
        try:
            yield
        finally:
            self._shared.release()
            self._one.release()

    async def _take(self, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._one.acquire()
                try:
                    while not await self._take_shared():  # noqa: ASYNC110 - no event comes from a database
                        await asyncio.sleep(_ASK_AGAIN)
                except BaseException:
                    self._one.release()
                    raise
        except TimeoutError:
            detail = "Another change is still waiting for a proxy. Nothing was changed."
            headers = {"Retry-After": f"{max(1, round(self._deadline))}"}
            raise Problem(503, "Busy", detail, headers=headers) from None

    async def _take_shared(self) -> bool:
        """A thread cannot be cancelled: what it takes after nobody waits for it any more is given back."""
        if not self._shared.shared:
            return True
        asked = asyncio.ensure_future(asyncio.to_thread(self._shared.take))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait({asked})
            self._shared.release()
            raise

    def _done(self, task: asyncio.Task[Applied]) -> None:
        self._running.discard(task)
        self._ended()
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, Problem):
            self._log.error("change_failed", exc_info=error)
