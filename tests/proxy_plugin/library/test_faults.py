"""Faults hit the share that was asked for."""

from __future__ import annotations

import random

import pytest

from proxy_plugin.library.faults import inject
from proxy_plugin.policy import Fault


@pytest.mark.anyio
@pytest.mark.parametrize(("percent", "least", "most"), [(0, 0, 0), (30, 250, 350), (100, 1000, 1000)])
async def test_a_share_is_aborted(percent: int, least: int, most: int) -> None:
    fault, dice = Fault.model_validate({"abort": {"percent": percent, "status": 418}}), random.Random(7)  # noqa: S311
    found = [await inject(fault, dice) for _ in range(1000)]
    assert least <= found.count(418) <= most
    assert set(found) <= {None, 418}


@pytest.mark.anyio
async def test_without_a_fault_nothing_happens() -> None:
    assert await inject(None, random.Random(1)) is None  # noqa: S311
