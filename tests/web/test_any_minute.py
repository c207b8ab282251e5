"""The graph of any stored minute is what was called in that minute, whichever tables it is read from."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from sqlalchemy.engine import Engine

from collector.breakers import Breakers
from collector.directory import Directory
from collector.rollup import Buckets, LiveWindow
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from store import calls
from tests.store.test_topology import START, moved, of
from web.live import Graphs, Question

DAY = 86400
NOW = int(time.time()) // DAY * DAY


@pytest.mark.parametrize(("days", "step"), [(2, 1), (20, 10), (80, 60)])
def test_against_brute_force(telemetry: Engine, days: int, step: int) -> None:
    """``step``: what the store keeps apart that long ago, s. Each call failed or not; some were taken back."""
    chance = random.Random(days)  # noqa: S311
    begin = NOW - days * DAY
    made = {
        (target, failed): of(f"1 C a; 2<1 S {target}{' !' if failed else ''}", at=begin - START)
        for target in "bc"
        for failed in (0, 1)
    }
    told: Counter[tuple[int, str, int]] = Counter()
    parts: list[Buckets] = []
    for _ in range(300):
        second, key = chance.randrange(600), chance.choice(list(made))
        part = moved(made[key], second)
        parts += [part]
        if chance.random() < 0.2:
            parts += [part.negated()]
        else:
            told[second, *key] += 1
    for some in (parts[:150], parts[150:]):
        calls.write(telemetry, Buckets.merge(some))
    control = ControlPlane(telemetry=TelemetryTarget("127.0.0.1", 4317))
    graphs = Graphs(LiveWindow(), telemetry, Breakers(), Directory(), control)
    for _ in range(12):
        first = chance.randrange(0, 600, step)
        last = first + chance.choice((1, 6, 60)) * step
        document = graphs.graph(Question(start=str(begin + first), end=str(begin + last)), float(NOW))
        found = {edge["target"]: (edge["calls"], edge["failed"]) for edge in document["edges"]}
        inside = [(key, n) for key, n in told.items() if first <= key[0] < last]
        expected = {
            target: (
                sum(n for (_, name, _), n in inside if name == target),
                sum(n for (_, name, failed), n in inside if name == target and failed),
            )
            for target in {name for (_, name, _), _ in inside}
        }
        assert found == expected, (first, last)
