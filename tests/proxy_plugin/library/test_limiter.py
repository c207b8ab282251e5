"""A bucket for each policy, full again after each interval."""

from __future__ import annotations

from proxy_plugin.library.limiter import Limiter
from proxy_plugin.policy import RateLimit

TWO = RateLimit.model_validate({"requests": 2, "per": "1s"})


def test_what_is_over_the_limit_waits_for_the_next_interval() -> None:
    now = 0.0
    limiter = Limiter(lambda: now)
    assert [limiter.take("a", TWO) for _ in range(3)] == [True, True, False]
    assert limiter.take("b", TWO)  # another policy's bucket
    now = 1.0
    assert limiter.take("a", TWO)


def test_a_changed_limit_begins_anew_and_a_policy_that_is_gone_is_forgotten() -> None:
    limiter = Limiter(lambda: 0.0)
    assert [limiter.take("a", TWO) for _ in range(3)][-1] is False
    assert limiter.take("a", RateLimit.model_validate({"requests": 3, "per": "1s"}))
    assert not [limiter.take("b", TWO) for _ in range(3)][-1]
    limiter.keep(set())
    assert limiter.take("b", TWO)
