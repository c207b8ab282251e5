"""What a plan learns about the callers of a target."""

from __future__ import annotations

import time

import polars as pl
import pytest

from collector.rollup import LiveWindow, buckets
from tests.collector.notation import calls
from web.policies.blast import CallsReader

pytestmark = pytest.mark.anyio


async def test_rate_and_share_above_a_timeout() -> None:
    live, now = LiveWindow(), int(time.time())
    spans = "; ".join(f"{i} C a [peer.service=b] {d}" for i, d in enumerate([10, 20, 300, 400], 1))
    live.add(buckets(calls(spans).with_columns(time=pl.lit(now - 10, pl.Int64))), now)
    (edge,) = await CallsReader(live).edges_to("b")
    assert (edge.source, edge.target) == ("a", "b")
    assert edge.rate == pytest.approx(0.4, rel=0.2)
    assert edge.share_above(100) == 0.5
    assert edge.share_above(1000) == 0


async def test_nobody_calls() -> None:
    assert await CallsReader(LiveWindow()).edges_to("b") == []


async def test_p99_failures_and_versions() -> None:
    live, now = LiveWindow(), int(time.time())
    rows = calls("1 C a [peer.service=b] 10; 2 C a [peer.service=b] 500 !").with_columns(
        time=pl.lit(now - 10, pl.Int64), version=pl.lit("v2")
    )
    live.add(buckets(rows), now)
    (edge,) = await CallsReader(live).edges_to("b")
    assert edge.p99 == pytest.approx(500, rel=0.022)
    assert edge.error_rate == 0.5
    assert await CallsReader(live).versions_of("b") == {"v2": 2.0}
