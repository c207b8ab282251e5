"""The conditions of a retry mean what Envoy's mean."""

from __future__ import annotations

import random

import pytest

from proxy_plugin.library.retry import Trouble, after_answer, after_trouble, pause
from proxy_plugin.policy import Retry


@pytest.mark.parametrize(
    ("on", "status", "headers", "again"),
    [
        ("5xx", 500, {}, True),
        ("5xx", 404, {}, False),
        ("gateway-error", 500, {}, False),
        ("gateway-error", 503, {}, True),
        ("retriable-4xx", 409, {}, True),
        ("retriable-4xx", 404, {}, False),
        ("unavailable", 200, {"grpc-status": "14"}, True),
        ("unavailable", 200, {"grpc-status": "13"}, False),
        ("internal", 200, {"grpc-status": "no number"}, False),
        ("reset", 503, {}, False),
    ],
)
def test_after_an_answer(on: str, status: int, headers: dict[str, str], again: bool) -> None:
    retry = Retry.model_validate({"attempts": 1, "on": [on]})
    assert after_answer(retry, status, headers) is again


@pytest.mark.parametrize(
    ("on", "trouble", "again"),
    [
        ("connect-failure", "connect-failure", True),
        ("connect-failure", "reset", False),
        ("reset", "timeout", True),
        ("5xx", "connect-failure", True),
        ("gateway-error", "timeout", True),
        ("retriable-4xx", "reset", False),
    ],
)
def test_after_no_answer(on: str, trouble: Trouble, again: bool) -> None:
    assert after_trouble(Retry.model_validate({"attempts": 1, "on": [on]}), trouble) is again


def test_pauses_grow_to_a_quarter_of_a_second() -> None:
    dice = random.Random(1)  # noqa: S311
    assert all(pause(1, dice) <= 0.025 for _ in range(100))
    late = [pause(9, dice) for _ in range(100)]
    assert 0.2 < max(late) <= 0.25
