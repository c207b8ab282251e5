"""``meshscope breakers``."""

from __future__ import annotations

import json
import time

import pytest

from collector import points
from tests.collector.messages import gauges
from tests.web.terminal.conftest import Run, Served

pytestmark = pytest.mark.anyio
CLUSTER = "envoy.cluster."


def report(served: Served, instance: str, **values: int) -> None:
    named = {CLUSTER + "circuit_breakers.default.rq_open": values["open"], CLUSTER + "membership_total": 2}
    found = points.flatten([gauges(named, service="shop/a", instance=instance, cluster="shop/b|v1").records])
    served.breakers.update(found, time.time())


async def test_a_table(run: Run, served: Served) -> None:
    report(served, "a-1", open=1)
    report(served, "a-2", open=0)
    done = await run("breakers", "--data", str(served.data))
    assert done.exit_code == 0, done.output
    head, first, second, last = done.stdout.splitlines()
    assert head.split() == [
        "SOURCE",
        "TARGET",
        "INSTANCE",
        "VERSION",
        "STATE",
        "SINCE",
        "TRIPPED",
        "EJECTED",
        "WHY",
    ]
    assert first.split()[:5] == ["shop/a", "shop/b", "a-1", "v1", "open"]
    assert first.endswith("0 of 2  requests")
    assert second.split()[4] == "closed"
    assert last == "2 breakers"


async def test_filters_and_json(run: Run, served: Served) -> None:
    report(served, "a-1", open=1)
    report(served, "a-2", open=0)

    async def instances(*arguments: str) -> list[str]:
        done = await run("breakers", *arguments, "--json", "--data", str(served.data))
        assert done.exit_code == 0, done.output
        return [each["instance"] for each in json.loads(done.stdout)["items"]]

    assert await instances("--state", "open") == ["a-1"]
    assert await instances("--state", "unknown") == []
    assert await instances("--source", "shop/a") == ["a-1", "a-2"]
    assert await instances("--target", "other") == []
    assert await instances("--limit", "1") == ["a-1"]


async def test_none_and_what_is_refused(run: Run, served: Served) -> None:
    done = await run("breakers", "--data", str(served.data))
    assert done.stdout.strip() == "no breakers"
    done = await run("breakers", "--start", "yesterday", "--data", str(served.data))
    assert done.exit_code == 1
    assert "yesterday" in done.stderr
