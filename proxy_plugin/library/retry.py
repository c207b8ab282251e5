"""When a call is tried again, and how long that waits. Pure; the conditions mean what Envoy's do."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final, Literal

from proxy_plugin.policy import Retry

Trouble = Literal["connect-failure", "reset", "timeout"]
"""Why there was no answer."""

_NO_ANSWER: Final = {
    "reset",
    "5xx",
    "gateway-error",
}  # Envoy counts an attempt without an answer as each of these
_GRPC: Final = {
    1: "cancelled",
    4: "deadline-exceeded",
    8: "resource-exhausted",
    13: "internal",
    14: "unavailable",
}
_BASE, _MOST = 0.025, 0.25  # s; Envoy's defaults


def after_trouble(retry: Retry, trouble: Trouble) -> bool:
    """Whether an attempt without an answer is worth another one."""
    return not _NO_ANSWER.isdisjoint(retry.on) or trouble in retry.on


def after_answer(retry: Retry, status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is worth another attempt. `headers`: looked at for `grpc-status`."""
    if status >= 500 and "5xx" in retry.on:
        return True
    if status in (502, 503, 504) and "gateway-error" in retry.on:
        return True
    if status == 409 and "retriable-4xx" in retry.on:
        return True
    code = headers.get("grpc-status", "")
    return code.isdecimal() and len(code) < 4 and _GRPC.get(int(code)) in retry.on


def pause(resent: int, dice: random.Random) -> float:
    """Seconds before the retry number `resent` (from 1): exponential, with full jitter."""
    return float(dice.random() * min(_MOST, _BASE * (2.0**resent - 1)))
