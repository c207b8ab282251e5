"""One change, from the ledger through the proxies and back to the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError

from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.status import Change as Rendered
from proxy_plugin.envoy.status import ProxyOutcome, PushResult
from proxy_plugin.policy import TrafficPolicy
from store.policies import StoredPolicy
from web.policies.ledger import ENDINGS, Change, Ledger, Proxies
from web.problems import Problem

Answers = dict[str, list[ProxyOutcome]]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change. `proxies`: acked, nacked and pending, one entry per proxy and type."""

    name: str
    revision: int
    outcome: Literal["applied", "pending"]
    proxies: Answers
    policy: StoredPolicy | None = field(default=None, compare=False)  # as it stands now
    created: bool = field(default=False, compare=False)  # there was none of this name


@dataclass(frozen=True, slots=True)
class Begun:
    """A change that is written down and being pushed."""

    change: Change
    revision: int
    rendered: Mapping[str, Rendered]  # node id → what changes there
    published: asyncio.Event = field(default_factory=asyncio.Event, compare=False)  # proxies can answer


class Rollout:
    """Pushes a change to all proxies or to none within `deadline` seconds, and notes what became of it."""

    def __init__(self, control: ControlPlane, ledger: Ledger, deadline: float) -> None:
        self._control, self._ledger, self._deadline = control, ledger, deadline
        self._log = structlog.get_logger(__name__)

    async def carry_out(
        self, change: Change, others: Sequence[TrafficPolicy], begun: asyncio.Future[Begun]
    ) -> Applied:
        """`others`: all policies but the one that changes. `begun` is set when the push starts.

        Raises a problem when everything was taken back: 409 because of a proxy, 503 because of the ledger.
        """
        target = [*others, change.after] if change.after else list(others)
        rendered = (await self._control.render(target)).changes
        number = await self._begin(change, target)
        running = Begun(change, number, rendered)
        begun.set_result(running)
        before = self._control.policies()
        try:
            # A plan has had Envoy try it already.
            result = await self._control.push(
                target, self._deadline, validate=False, published=running.published
            )
        except Exception as error:
            await self._note_failure(change, number, {}, repr(error))
            raise
        if not result.ok:
            if not _stands_anyway(change, result):
                await self._take_back(change, number, result)
            self._control.set_policies(target)
        answers = _answers(result)
        try:
            stored = await asyncio.to_thread(self._ledger.applied, change, number, _plain(answers))
        except Exception as error:
            await self._undo(change, number, before, error)
        return Applied(change.name, number, "applied", answers, stored)

    def so_far(self, begun: Begun) -> Applied:
        """How far a push is, as the proxies' states tell it."""
        answers: Answers = {"acked": [], "nacked": [], "pending": []}
        for proxy in self._control.proxies():
            rendered = begun.rendered.get(proxy.node_id)
            for kind in rendered.types if rendered and proxy.connected else ():
                status = proxy.types[kind]
                state = status.state if begun.published.is_set() else "not_sent"
                answer = {"synced": "acked", "nacked": "nacked"}.get(state, "pending")
                words = status.error or ("no answer yet" if answer == "pending" else "")
                answers[answer].append(
                    ProxyOutcome(proxy.node_id, proxy.service, proxy.version, proxy.instance, kind, words)
                )
        return Applied(begun.change.name, begun.revision, "pending", answers)

    async def _begin(self, change: Change, target: Sequence[TrafficPolicy]) -> int:
        try:
            return await asyncio.to_thread(self._ledger.begin, change)
        except SQLAlchemyError as error:
            said = "Nothing was changed."
            if change.action in ENDINGS:
                # A fault ends in time, also where that cannot be written down: the next try does so.
                await self._control.restore(target, self._deadline)
                said = "It ended all the same."
            raise self._unwritten(change, said, error) from error

    async def _undo(
        self, change: Change, number: int, before: Sequence[TrafficPolicy], error: Exception
    ) -> NoReturn:
        """What is in force must be what is written down; only what ends by itself stands without."""
        if change.action in ENDINGS:
            raise self._unwritten(change, "It ended all the same.", error) from error
        await self._control.restore(before, self._deadline)
        await self._note_failure(change, number, {}, "It could not be written down.")
        raise self._unwritten(change, "Everything was taken back.", error, revision=number) from error

    def _unwritten(self, change: Change, said: str, error: Exception, **members: int) -> Problem:
        self._log.error("change_not_written_down", name=change.name, said=said, error=repr(error)[:1000])
        return Problem(
            503,
            "Not written down",
            f"The change could not be written down. {said}",
            members={**members, "outcome": "failed"},
        )

    async def _note_failure(self, change: Change, number: int, proxies: Proxies, message: str) -> None:
        """A note that cannot be written is written with the next change."""
        try:
            await asyncio.to_thread(self._ledger.failed, change, number, proxies, message)
        except Exception as error:
            self._log.error("failure_not_written_down", name=change.name, error=repr(error)[:1000])

    async def _take_back(self, change: Change, number: int, result: PushResult) -> NoReturn:
        """The push was reverted: note it and say why, in the proxies' own words."""
        if result.nacked:
            first = result.nacked[0]
            title, detail = "A proxy rejected it", f"{first.service} ({first.instance}): {first.message}"
        else:
            silent = ", ".join(sorted({each.instance for each in result.pending}))
            title, detail = "No answer", f"No answer within {self._deadline:g} s from {silent}."
        proxies = _plain(_answers(result))
        await self._note_failure(change, number, proxies, detail)
        members = {"revision": number, "outcome": "failed", "proxies": proxies}
        raise Problem(409, title, f"{detail} Everything was taken back.", members=members)


def _stands_anyway(change: Change, result: PushResult) -> bool:
    """A rule that ends must end, even where a proxy hangs: it is told as soon as it listens again.

    A refusal keeps a person's change from standing, but not the end of a lease, nor what a guard takes back.
    """
    ends = change.after is None or not change.after.enabled
    return change.action in ENDINGS or (ends and not result.nacked)


def _answers(result: PushResult) -> Answers:
    """A proxy that left meanwhile gets what is in force when it returns: pending."""
    pending = [*result.pending, *result.gone]
    return {"acked": list(result.acked), "nacked": list(result.nacked), "pending": pending}


def _plain(answers: Answers) -> dict[str, list[dict[str, Any]]]:
    return {answer: [asdict(each) for each in found] for answer, found in answers.items()}
