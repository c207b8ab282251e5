"""Rate limits of the service itself: a bucket for each policy, full again after each interval (as the sidecars')."""

from __future__ import annotations

import time
from collections.abc import Callable

from proxy_plugin.policy import RateLimit


class Limiter:
    """Buckets by policy name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[RateLimit, float, int]] = {}  # limit, start of the interval, taken

    def take(self, policy: str, limit: RateLimit) -> bool:
        """Whether there is room for one more request."""
        now = self._clock()
        known, began, taken = self._buckets.get(policy, (limit, now, 0))
        if known != limit or now - began >= limit.per.seconds:
            began, taken = now, 0
        if taken >= limit.requests:
            return False
        self._buckets[policy] = limit, began, taken + 1
        return True

    def keep(self, policies: set[str]) -> None:
        """Forget the buckets of policies that are gone."""
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in policies}
