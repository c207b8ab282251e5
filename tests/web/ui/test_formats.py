from __future__ import annotations

from datetime import timedelta

import pytest

from web.ui import formats


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 rps"),
        (0.42, "0.42 rps"),
        (9.3, "9.3 rps"),
        (93.4, "93 rps"),
        (999.6, "1.0k rps"),
        (1234, "1.2k rps"),
        (2.5e6, "2.5M rps"),
        (None, "–"),
    ],
)
def test_rates_have_three_places_at_most(value: float | None, words: str) -> None:
    assert formats.rate(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 %"), (0.0004, "<0.1 %"), (0.055, "5.5 %"), (0.112, "11 %"), (1, "100 %"), (None, "–")],
)
def test_a_failure_is_never_rounded_to_none(value: float | None, words: str) -> None:
    assert formats.share(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0.0 ms"),
        (0.01, "<0.1 ms"),
        (4.14, "4.1 ms"),
        (604.2, "604 ms"),
        (1450, "1.45 s"),
        (12000, "12.0 s"),
        (None, "–"),
    ],
)
def test_durations_change_to_seconds(value: float | None, words: str) -> None:
    assert formats.duration(value) == words


def test_whole_calls_are_whole() -> None:
    assert (formats.count(3.0), formats.count(2.25), formats.count(12345)) == ("3", "2.2", "12.3k")


def test_a_side_without_calls_was_not_seen() -> None:
    assert (formats.seen(0), formats.seen(None), formats.seen(5)) == ("not seen", "not seen", "5")


def test_health_is_one_tone_everywhere() -> None:
    assert [formats.health(word) for word in ("healthy", "degraded", "failing", "idle", None)] == [
        "ok",
        "warn",
        "bad",
        "idle",
        "idle",
    ]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=14, seconds=10), "15 min"),
        (timedelta(hours=4), "4.0 h"),
    ],
)
def test_what_is_left_of_a_lease(time: timedelta, words: str) -> None:
    assert formats.left(time) == words
