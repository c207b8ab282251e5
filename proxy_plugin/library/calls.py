"""One call from the first attempt to the last: fault, breaker, timeout, retries, a span for each attempt.

What a policy answers is what a sidecar would answer, so an app need not know which of them it runs with: 504 for
a timeout, 503 from an open breaker, the status of a fault. Trouble of the network stays an httpx exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx

from proxy_plugin.envoy.rules import RouteRules
from proxy_plugin.library import retry as retries
from proxy_plugin.library.attempt import Attempt
from proxy_plugin.library.breaker import Refused
from proxy_plugin.library.faults import inject
from proxy_plugin.library.member import Member
from proxy_plugin.library.upstreams import Upstream
from proxy_plugin.policy import Retry

LOCAL: Final = "x-meshscope-answered"
"""Header of an answer that the target did not give: `fault`, `breaker` or `timeout`."""

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Again:
    """An attempt that is worth another one; `outcome` is what the caller gets should there be none."""

    outcome: httpx.Response | httpx.TransportError

    async def discard(self) -> None:
        if isinstance(self.outcome, httpx.Response):
            await self.outcome.aclose()

    def result(self) -> httpx.Response:
        if isinstance(self.outcome, httpx.Response):
            return self.outcome
        raise self.outcome


class Call:
    """`run` once."""

    def __init__(self, member: Member, request: httpx.Request, send: Send) -> None:
        self._member, self._request, self._send = member, request, send
        self._upstream: Upstream = member.upstreams.find(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._rules: RouteRules = member.rules.outbound(self._upstream.target, request.url.path, headers)
        self._resent = 0
        self._deadline = 0.0

    async def run(self) -> httpx.Response:
        """The last attempt's answer. Raises its httpx.TransportError where it had none."""
        status = await inject(self._rules.fault, self._member.dice)
        if status is not None:
            return self._local(self._new_attempt(""), status, "fault")
        self._deadline = asyncio.get_running_loop().time() + self._rules.timeout.seconds
        while True:
            version = self._upstream.choose(self._rules.split, self._member.dice)
            breaker = self._member.breaker(self._upstream.target, version)
            counted = self._resent > 0
            breaker.retrying += counted
            try:
                found = await self._attempt(version)
            finally:
                breaker.retrying -= counted
            if not isinstance(found, Again):
                return found
            if breaker.may_retry() and await self._pause():
                await found.discard()
                self._resent += 1
                continue
            return found.result()

    async def _attempt(self, version: str) -> httpx.Response | Again:
        attempt = self._new_attempt(version)
        try:
            async with asyncio.timeout_at(self._deadline):
                await attempt.enter()
        except Refused as refused:
            return self._local(attempt, 503, "breaker", str(refused))
        except TimeoutError:
            return self._local(attempt, 504, "timeout")
        try:
            async with asyncio.timeout_at(self._until()):
                response = await self._send(attempt.request)
        except TimeoutError:
            attempt.failed("timeout")
            return self._again("timeout", self._timed_out())
        except httpx.TransportError as error:
            attempt.failed(type(error).__name__)
            return self._again(_trouble(error), error)
        except BaseException:
            attempt.given_up()
            raise
        attempt.answered(response, self._deadline)
        rule = self._retry()
        if rule is not None and retries.after_answer(rule, response.status_code, response.headers):
            return Again(response)
        return response

    def _again(
        self, trouble: retries.Trouble, outcome: httpx.Response | httpx.TransportError
    ) -> httpx.Response | Again:
        rule, again = self._retry(), Again(outcome)
        return again if rule is not None and retries.after_trouble(rule, trouble) else again.result()

    def _retry(self) -> Retry | None:
        """The policy, where it has attempts left and the body can be sent once more."""
        rule = self._rules.retry
        replayable = isinstance(self._request.stream, httpx.ByteStream)
        return rule if rule is not None and self._resent < rule.attempts and replayable else None

    async def _pause(self) -> bool:
        """Wait before the next attempt; False when the time of the whole call would be over."""
        seconds = retries.pause(self._resent + 1, self._member.dice)
        if asyncio.get_running_loop().time() + seconds >= self._deadline:
            return False
        await asyncio.sleep(seconds)
        return True

    def _until(self) -> float:
        each = self._rules.retry.per_try_timeout if self._rules.retry else None
        if each is None:
            return self._deadline
        return min(self._deadline, asyncio.get_running_loop().time() + each.seconds)

    def _new_attempt(self, version: str) -> Attempt:
        return Attempt(self._member, self._request, self._upstream, version, self._resent)

    def _local(self, attempt: Attempt, status: int, by: str, why: str = "") -> httpx.Response:
        attempt.ended(status, by)
        return httpx.Response(status, headers={LOCAL: by}, text=why, request=self._request)

    def _timed_out(self) -> httpx.Response:
        return httpx.Response(504, headers={LOCAL: "timeout"}, request=self._request)


def _trouble(error: httpx.TransportError) -> retries.Trouble:
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return "connect-failure"
    return "timeout" if isinstance(error, httpx.TimeoutException) else "reset"
