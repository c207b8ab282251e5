from __future__ import annotations

import pytest

from collector.consumer import Accepted, ConsumeError, Overloaded, Rejected


@pytest.mark.parametrize("error", [Rejected("no"), Overloaded("later")])
def test_both_failures_are_consume_errors(error: ConsumeError) -> None:
    with pytest.raises(ConsumeError, match=r"no|later"):
        raise error


def test_overloaded_says_when_to_come_back() -> None:
    assert Overloaded("full").retry_after > 0
    assert Overloaded("full", retry_after=7).retry_after == 7


def test_nothing_is_rejected_unless_said() -> None:
    assert Accepted() == Accepted(0, ())
