from __future__ import annotations

import pytest

from proxy_plugin.policy import Guard
from web.policies.verdict import Reading, Side, Watch, judged, watched

GUARD = Guard.model_validate({"metric": "error_rate", "worse_by": 0.02, "for": "10s", "min_calls": 5})


class Seen:
    """Readings as told, by the start of their window; which were asked for is kept."""

    def __init__(self, client: dict[int, Reading], server: dict[int, Reading] | None = None) -> None:
        self.sides: dict[str, dict[int, Reading]] = {"client": client, "server": server or {}}
        self.asked: list[tuple[Side, int, int]] = []

    def __call__(self, side: Side, start: int, end: int) -> Reading:
        self.asked.append((side, start, end))
        return self.sides[side].get(start, Reading(0.0, None))


def watch() -> Watch:
    """The push began at 100.7 and was in force at 101.2."""
    return watched(GUARD, 3, 100.7, 101.2)


def test_windows_are_whole_seconds_of_one_length() -> None:
    assert (watch().began, watch().since, watch().until) == (100, 102, 132)
    seen = Seen({90: Reading(50, 0.0), 102: Reading(50, 0.01)})
    judged(GUARD, watch(), 115.9, seen)
    assert seen.asked == [("client", 90, 100), ("client", 102, 112)]


def test_no_window_reaches_over_the_change() -> None:
    seen = Seen({90: Reading(50, 0.0)})
    assert judged(GUARD, watch(), 114.9, seen).now is None


def test_before_is_read_when_its_calls_are_in() -> None:
    seen = Seen({90: Reading(50, 0.0)})
    assert judged(GUARD, watch(), 102.9, seen) == watch()
    assert seen.asked == []


@pytest.mark.parametrize(("share", "state"), [(0.1, "watching"), (0.12, "watching"), (0.121, "broken")])
def test_worse_by_more_than_is_allowed(share: float, state: str) -> None:
    seen = Seen({90: Reading(50, 0.1), 102: Reading(50, share)})
    assert judged(GUARD, watch(), 115.0, seen).state == state


def test_where_no_caller_reports_the_target_does() -> None:
    seen = Seen({}, {90: Reading(50, 0.0), 102: Reading(50, 0.5)})
    found = judged(GUARD, watch(), 115.0, seen)
    assert (found.side, found.state) == ("server", "broken")


def test_one_good_window_is_not_the_end() -> None:
    seen = Seen({90: Reading(50, 0.0), 102: Reading(50, 0.0), 110: Reading(50, 0.5)})
    found = judged(GUARD, watch(), 115.0, seen)
    assert (found.state, found.judged) == ("watching", True)
    assert judged(GUARD, found, 123.0, seen).state == "broken"


def test_at_the_end_it_has_held() -> None:
    seen = Seen({90: Reading(50, 0.0), 122: Reading(50, 0.0)})
    assert judged(GUARD, watch(), 135.0, seen).state == "held"
    assert judged(GUARD, watch(), 135.0, Seen({90: Reading(50, 0.0)})).state == "no_traffic"


def test_what_is_stored_is_read_again() -> None:
    found = judged(GUARD, watch(), 115.0, Seen({90: Reading(50, 0.0), 102: Reading(50, 0.0)}))
    assert Watch.of(found.document()) == found
