"""A circuit breaker per target and version: Envoy's limits, and a half-open state that Envoy has not.

Limits (`circuit_breaker`) count what runs now; failures (`outlier_detection`) open it for
`base_ejection_time`, times the number of probes that failed since; then one call is let through (half-open)
and decides. Runs on one event loop; no locks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from proxy_plugin.envoy.rules import ClusterRules, edge_limits
from proxy_plugin.policy import OutlierDetection

State = Literal["closed", "open", "half_open"]
_LONGEST: Final = 300.0  # s; Envoy's max_ejection_time
_GATEWAY: Final = (502, 503, 504)


class Refused(Exception):  # noqa: N818 - not an error: the breaker does its work
    """The call was not let through; the message says why."""


@dataclass(frozen=True, slots=True)
class Transition:
    """`at`: unix seconds. `forced`: a policy says so, whatever was counted."""

    state: State
    at: float
    forced: bool = False
    reason: str = ""


class Breaker:
    """`enter` before an attempt, `leave` after it with its status."""

    def __init__(
        self,
        told: Callable[[Transition], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`told` hears of every change of state."""
        self._told, self._clock, self._wall = told, clock, wall
        self.active = 0
        self.retrying = 0
        self._waiting = 0
        self._freed = asyncio.Event()
        self._failures = self._gateway_failures = self._trips = 0
        self._open_until: float | None = None
        self._probing = False
        self._full = False
        self.last = Transition("closed", wall())
        self.use(ClusterRules())

    def use(self, rules: ClusterRules) -> None:
        """Other rules; what was counted stays."""
        self._rules, self._limits = rules, edge_limits(rules)
        if rules.outlier_detection is None:
            self._close()
        self._full = self._full and self.active >= self._limits["max_requests"]
        self._freed.set()
        self._note("by a rule")

    @property
    def state(self) -> State:
        if self._rules.force != "auto":
            return self._rules.force
        if self._open_until is not None:
            return "half_open" if self._probing else "open"
        return "open" if self._full else "closed"

    async def enter(self) -> bool:
        """Waits for room among the connections; whether this call is the probe. Raises Refused."""
        probe = self._let_through()
        try:
            if self.active >= self._limits["max_connections"]:
                await self._queue()
        except BaseException:
            self._probing = self._probing and not probe
            raise
        self.active += 1
        return probe

    def leave(self, status: int | None, probe: bool = False) -> None:
        """`status` None: no answer (a connection that failed, a timeout), 0: given up by the caller."""
        self.active -= 1
        self._freed.set()
        if self._full and self.active < self._limits["max_requests"]:
            self._full = False
            self._note("room again")
        rule = self._rules.outlier_detection
        if probe and self._probing:
            self._decide(status, rule)
        elif rule is not None and status != 0 and self._open_until is None:
            self._count(status, rule)

    def may_retry(self) -> bool:
        """Whether the budget (or `max_retries`) has room for one more retry at this moment."""
        budget = self._rules.retry_budget
        if budget is None:
            return self.retrying < self._limits["max_retries"]
        return self.retrying < max(budget.min_concurrency, self.active * budget.percent / 100)

    def _let_through(self) -> bool:
        if self._rules.force == "open":
            raise Refused("forced open")
        if self._rules.force == "closed":
            return False
        if self._open_until is not None and (self._probing or self._clock() < self._open_until):
            raise Refused("open")
        if self.active + self._waiting >= self._limits["max_requests"]:
            self._full = True
            self._note("max_requests")
            raise Refused("max_requests")
        if self._open_until is None:
            return False
        self._probing = True
        self._note("probe")
        return True

    async def _queue(self) -> None:
        if self._waiting >= self._limits["max_pending_requests"]:
            raise Refused("max_pending_requests")
        self._waiting += 1
        try:
            while self.active >= self._limits["max_connections"]:
                self._freed.clear()
                await self._freed.wait()
        finally:
            self._waiting -= 1

    def _decide(self, status: int | None, rule: OutlierDetection | None) -> None:
        """What the probe says."""
        self._probing = False
        if rule is not None and status != 0 and _failed(status):
            self._trip(rule)
        elif status != 0:
            self._close()
            self._note("the probe was answered")
        else:
            self._note("the probe was given up")

    def _count(self, status: int | None, rule: OutlierDetection) -> None:
        gateway = status is None or status in _GATEWAY
        self._failures = self._failures + 1 if _failed(status) else 0
        self._gateway_failures = self._gateway_failures + 1 if gateway else 0
        if self._rules.force == "auto" and self._too_many(rule):
            self._trip(rule)

    def _too_many(self, rule: OutlierDetection) -> bool:
        """With 0 % to eject at most, nothing is. One base URL is one host: every other share means that one."""
        gateway = rule.consecutive_gateway_errors
        return rule.max_ejection_percent > 0 and (
            self._failures >= rule.consecutive_5xx
            or (gateway is not None and self._gateway_failures >= gateway)
        )

    def _trip(self, rule: OutlierDetection) -> None:
        self._trips += 1
        self._open_until = self._clock() + min(_LONGEST, rule.base_ejection_time.seconds * self._trips)
        self._failures = self._gateway_failures = 0
        self._note("failures")

    def _close(self) -> None:
        self._open_until, self._probing, self._trips = None, False, 0
        self._failures = self._gateway_failures = 0

    def _note(self, reason: str) -> None:
        state, forced = self.state, self._rules.force != "auto"
        if (state, forced) != (self.last.state, self.last.forced):
            self.last = Transition(state, self._wall(), forced, reason)
            self._told(self.last)


def _failed(status: int | None) -> bool:
    return status is None or status >= 500
