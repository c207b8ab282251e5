"""Graphs as they are sent: one computation for everybody who asks the same, and again only once it is out of date.

What is cheap is computed anew for almost every request. What is dear (thousands of services) is handed out for a second
at most; a dear question that is asked again and again is answered ahead of the next request, until nobody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import orjson
import structlog

from collector.graph import EDGE
from web.live import Graphs, Question
from web.shapes import Json

log = structlog.get_logger(__name__)

FRESH: Final = 1.0  # s: how old what is handed out may be, since it was made …
_TIMES: Final = 4.0  # … and so many times what making it took
_DEAR: Final = 0.1  # s; what took less is made anew for every request, or for those that wait together
_ASKED: Final = (
    10.0  # s in which a dear question must be asked twice to be answered ahead, and for how long it is
)
_QUESTIONS: Final = 32  # of which answers are kept at once: each may have some 10 MB

SERVICES: Final = ("service", "gateway")
Key = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A graph document, each of its nodes and edges written on its own, by its key and in order.

    What others make of it (the document, a list of services) is worked out once, for all who ask.

    ``began``: when its calls were read (s of ``time.monotonic``); ``took``: how long it was in the making.
    """

    head: Json
    nodes: dict[Key, bytes]
    edges: dict[Key, bytes]
    began: float = 0.0
    took: float = 0.0

    @staticmethod
    def of(head: Json, nodes: Iterable[Json], edges: Iterable[Json]) -> Answer:
        """Writes each node and edge as it comes; none of them is held as a dictionary."""
        return Answer(head, _written(nodes, ["id"]), _written(edges, EDGE))

    @cached_property
    def body(self) -> bytes:
        """The document of ``GET /api/v1/graph``."""
        nodes, edges = (b",".join(rows.values()) for rows in (self.nodes, self.edges))
        return b'%s,"nodes":[%s],"edges":[%s]}' % (orjson.dumps(self.head)[:-1], nodes, edges)

    @cached_property
    def services(self) -> list[tuple[str, str | None]]:
        """Id and namespace of each service and gateway, by id. Opens all nodes once: in a thread."""
        told = map(orjson.loads, self.nodes.values())
        return [(node["id"], node["namespace"]) for node in told if node["kind"] in SERVICES]

    @cached_property
    def degrees(self) -> tuple[Counter[str], Counter[str]]:
        """How many edges lead to a node, and from it."""
        return Counter(target for _, target, _ in self.edges), Counter(source for source, _, _ in self.edges)

    def delta(self, before: Answer) -> bytes:
        """What differs from ``before``, without the last brace: changed and new ones whole, removed ones by key."""
        changed = (
            b",".join([row for key, row in now.items() if then.get(key) != row])
            for now, then in ((self.nodes, before.nodes), (self.edges, before.edges))
        )
        removed = {
            "nodes": [key[0] for key in before.nodes if key not in self.nodes],
            "edges": [key for key in before.edges if key not in self.edges],
        }
        times = {name: self.head[name] for name in ("start", "end")}
        return b'%s,"nodes":[%s],"edges":[%s],"removed":%s' % (
            orjson.dumps(times)[:-1],
            *changed,
            orjson.dumps(removed),
        )


def _written(rows: Iterable[Json], key: list[str]) -> dict[Key, bytes]:
    return {tuple([row[name] for name in key]): orjson.dumps(row) for row in rows}


@dataclass
class _Kept:
    """What is known about one question; times in s of the clock."""

    answer: Answer | None = None
    making: asyncio.Task[Answer] | None = None
    ahead: asyncio.Task[None] | None = None
    asked: float = float("-inf")  # the last request
    used: float = float("-inf")  # the last request, or the last time that a stream took it


class Answers:
    """Answers of graph questions. For one event loop; call :meth:`close` before it ends."""

    def __init__(
        self,
        graphs: Graphs,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``clock``: s; ``sleep``: for so many of its s."""
        self._graphs, self._clock, self._sleep = graphs, clock, sleep
        self._kept: dict[Question, _Kept] = {}

    async def get(self, question: Question) -> Answer:
        """What is cheap: read after this call. What is dear: made at most :data:`FRESH` s before.

        Raises a 400 problem for bad times.
        """
        kept, now = self._of(question), self._clock()
        again, kept.asked = now - kept.asked < _ASKED, now
        found = await self._accepted(question, kept, lambda answer: answer.began >= now - _allowed(answer))
        if again and _allowed(found) and kept.ahead is None:
            kept.ahead = asyncio.create_task(self._ahead(question, kept), name="graph-ahead")
        return found

    async def newer(self, question: Question, than: float) -> Answer:
        """One whose calls were read after ``than`` (s of the clock). Raises a 400 problem for bad times."""
        return await self._accepted(question, self._of(question), lambda answer: answer.began > than)

    async def close(self) -> None:
        """Make no more answers."""
        tasks = [task for kept in self._kept.values() for task in (kept.ahead, kept.making) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    def _of(self, question: Question) -> _Kept:
        kept = self._kept.pop(question, None) or _Kept()
        self._kept[question] = kept  # the last one: the first are let go first
        kept.used = self._clock()
        idle = [other for other, its in self._kept.items() if not its.making and not its.ahead]
        for other in idle[: max(0, len(self._kept) - _QUESTIONS)]:
            if other != question:
                del self._kept[other]
        return kept

    async def _accepted(self, question: Question, kept: _Kept, accepts: Callable[[Answer], bool]) -> Answer:
        """The latest answer if it will do; else the one that is being made, else a new one."""
        found = kept.answer
        while found is None or not accepts(found):
            if kept.making is None:
                kept.making = asyncio.create_task(self._make(question, kept), name="graph-answer")
                kept.making.add_done_callback(_heard)
            found = await asyncio.shield(kept.making)  # who asked first may go; the others wait
        return found

    async def _make(self, question: Question, kept: _Kept) -> Answer:
        try:
            kept.answer = await asyncio.to_thread(self._computed, question)
        finally:
            kept.making = None
            asyncio.get_running_loop().call_later(_ASKED, self._let_go, question)
        return kept.answer

    def _computed(self, question: Question) -> Answer:
        began = self._clock()
        head, nodes, edges = self._graphs.rows(question)
        return replace(Answer.of(head, nodes, edges), began=began, took=self._clock() - began)

    def _let_go(self, question: Question) -> None:
        kept = self._kept.get(question)
        if kept and not kept.making and not kept.ahead and self._clock() - kept.used >= _ASKED:
            del self._kept[question]

    async def _ahead(self, question: Question, kept: _Kept) -> None:
        """Make the next answer a little before the last one is too old."""
        try:
            while self._clock() - kept.asked < _ASKED and (last := kept.answer):
                due = last.began + last.took + max(last.took / 4, _held(last) - last.took * 1.5)
                if (left := due - self._clock()) > 0:
                    await self._sleep(left)
                else:
                    await self.newer(question, last.began)
        except Exception as error:  # whoever asks next is told
            log.info("graph_not_ahead", question=str(question), reason=repr(error))
        finally:
            kept.ahead = None
            self._let_go(question)


def _allowed(answer: Answer) -> float:
    """s before a request at which its answer may have been begun."""
    return _held(answer) + answer.took if answer.took > _DEAR else 0.0


def _held(answer: Answer) -> float:
    """s for which a dear answer is handed out."""
    return min(FRESH, _TIMES * answer.took)


def _heard(task: asyncio.Task[Answer]) -> None:
    """Everybody who waited may have gone: an error that nobody takes is no error of the loop."""
    if not task.cancelled():
        task.exception()
