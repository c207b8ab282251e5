"""What everybody needs who changes policies: the ledger, the turn, the push. People's changes: ``publish``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.engine import Engine

from collector.selfwatch import Observe, observing
from proxy_plugin.envoy import control as plane
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.policy import TrafficPolicy
from store.anchor import Anchor
from store.policies import StoredPolicy
from store.turn import SharedTurn
from web.policies.ledger import Change, Ledger
from web.policies.rollout import Applied, Begun, Rollout
from web.policies.turn import Turn
from web.problems import Problem


class Changes:
    """`start` before anything else, `stop` at the end. ``news``: set when a change has ended."""

    def __init__(
        self,
        control: ControlPlane,
        database: Engine,
        now: Callable[[], datetime],
        deadline: float,
        observe: Observe | None = None,
        anchor: Anchor | None = None,
    ) -> None:
        """``deadline``: s that proxies have to answer; ``observe``: told of every push; ``anchor``: of the audit."""
        self.control, self.now = control, now
        self.ledger = Ledger(database, now, anchor)
        self.news = asyncio.Event()
        self._started = time.monotonic()
        self._observe = observe
        self._rollout = Rollout(control, self.ledger, deadline)
        shared = SharedTurn(database)
        self.shared = shared.shared
        self.turn = Turn(deadline, self._rollout.so_far, self.news.set, shared)
        self._log = structlog.get_logger(__name__)

    async def start(self) -> None:
        """Bring the store in order after a stop of any kind, then hand the policies to the control plane."""
        async with self.turn.taken():  # what another process is pushing is not cut off
            await asyncio.to_thread(self.ledger.recover)
            self.control.set_policies(self.readable(await self.policies()))
        self._started = time.monotonic()

    async def stop(self) -> None:
        """Give up what is still being pushed; the next start finds it and counts it as failed."""
        await self.turn.stop()

    async def policies(self) -> list[StoredPolicy]:
        """All, by name."""
        return await asyncio.to_thread(self.ledger.everything)

    async def get(self, name: str) -> StoredPolicy:
        """Raises a 404 problem."""
        found = await asyncio.to_thread(self.ledger.get, name)
        if found is None:
            raise Problem(404, "No such policy", f"There is no policy {name}.")
        return found

    def readable(self, stored: list[StoredPolicy], without: str = "") -> list[TrafficPolicy]:
        """The policies but one. What an older version stored and this one cannot read is not in force."""
        found = []
        for each in stored:
            try:
                if each.name != without:
                    found.append(each.policy())
            except ValidationError as error:
                self._log.error("policy_unreadable", name=each.name, error=str(error))
        return found

    def knows(self, policy: TrafficPolicy) -> bool:
        """Whether it can be judged here and now.

        Not while the proxies of a former process are on their way back: what is valid would not seem so. And of several
        processes, by the one whose proxies know the target.
        """
        if time.monotonic() - self._started < plane.SETTLE:
            return False
        mesh, target = self.control.mesh(), policy.target.service
        return target in mesh.services() or target in mesh.targets()

    async def follow(self) -> None:
        """Take over what another process has put into force."""
        async with self.turn.here():
            await self._catch_up()

    async def _catch_up(self) -> None:
        stored = await self.policies()
        over = {each.name for each in stored if (each.lease_left(self.now()) or 1.0) <= 0}
        standing = [
            # What was over and could not be written down has ended all the same.
            each.model_copy(update={"enabled": False}) if each.name in over else each
            for each in self.readable(stored)
        ]
        if _documents(standing) != _documents(self.control.policies()):
            self.control.set_policies(standing)

    async def carry_out(self, change: Change, begun: asyncio.Future[Begun]) -> Applied:
        """Push a change and write it down. For those whose turn it is."""
        if self.shared:
            await self._catch_up()
        others = self.readable(await self.policies(), without=change.name)
        with observing(self._observe, "policy push", policy=change.name, action=change.action):
            return await self._rollout.carry_out(change, others, begun)


def _documents(policies: Iterable[TrafficPolicy]) -> list[dict[str, Any]]:
    return sorted((each.document() for each in policies), key=lambda each: str(each["name"]))
