"""Points in time as people write them."""

from __future__ import annotations

import pytest

from web.problems import Problem
from web.window import Window, moment, rfc3339, window

NOW = 1_700_000_000.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-15m", NOW - 900),
        ("now-0.5h", NOW - 1800),
        ("1699999999", 1_699_999_999),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
    ],
)
def test_moments(text: str, expected: float) -> None:
    assert moment(text, NOW, "start") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "now+5m", "2023-11-14T22:13:20", "nan", "inf", "-5", "1e99", "1_000", " 5", "5\n"),
        *("now\n", "٣", "now-٣s", "9" * 5000, "٢٠٢٣-11-14T22:13:20Z"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_no_moments_are_named(text: str) -> None:
    with pytest.raises(Problem) as refused:
        window(text, "now", NOW)
    assert refused.value.status == 400
    assert refused.value.errors[0].field == "start"


def test_a_window_of_the_present_holds_the_running_second() -> None:
    assert window("now-10s", "now", NOW) == Window(1_699_999_990, 1_700_000_001)


def test_windows_of_the_past_that_meet_share_no_second() -> None:
    before, after = window("now-2h", "now-1h", NOW), window("now-1h", "now", NOW)
    assert before.end == after.start


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(Problem, match="later than"):
        window("now", "now-1s", NOW)


def test_rates_divide_by_what_has_passed() -> None:
    """P3: a window that goes on after now divides by its past."""
    assert Window(1_699_999_990, 1_700_000_100).elapsed(NOW) == 10.5
    assert Window(100, 110).elapsed(NOW) == 10


def test_rfc3339() -> None:
    assert rfc3339(1_700_000_000) == "2023-11-14T22:13:20Z"
