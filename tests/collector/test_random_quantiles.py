"""Latency quantiles of random meshes in random batches: brute force over the spans, within 2.2 % (semantics P1, P5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from collector import graph, waiting
from collector.histogram import quantiles
from collector.rollup import SERVER
from tests.collector.test_against_reference import derived, kept
from tests.collector.test_random_worlds import WANTED
from tests.reference.calls import CALL, Side
from tests.reference.copies import stored
from tests.reference.damage import World, worlds
from tests.reference.figures import Samples, edges
from tests.reference.linker import calls
from tests.reference.meshes import FEATURES

QS = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
ACCURACY = 0.022
SHORTEST = 1e-6  # ms; what takes no time at all is shown as 1 ns
Quantiles = dict[str, float] | None

several = settings(
    max_examples=WANTED or 25,
    derandomize=not WANTED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def nearest_rank(samples: Samples, qs: dict[str, float] = QS) -> Quantiles:
    """P1: "the smallest value whose cumulated weight reaches q·W", in ms; None without samples."""
    found = {}
    whole = sum(weight for _, weight in samples)
    for name, q in qs.items():
        cumulated = 0.0
        for duration, weight in sorted(samples):
            cumulated += weight
            if cumulated >= q * whole * (1 - 1e-12):
                found[name] = duration / 1e6
                break
    return found or None


def close(found: Quantiles) -> object:
    return None if found is None else pytest.approx(found, rel=ACCURACY, abs=2 * SHORTEST)


def read(rows: pl.DataFrame, prefix: str = "", qs: Iterable[str] = QS) -> Iterable[Quantiles]:
    names = [*qs]
    for row in rows.select(prefix + name for name in names).iter_rows():
        yield None if row[0] is None else dict(zip(names, row, strict=True))


@several
@given(worlds(FEATURES - {"addresses"}))  # see test_random_worlds, the last test
def test_of_edges(world: World) -> None:
    """Merged over time and operations; of messages the client's side, a batch has one sample on one of its edges."""
    rows = derived(world.batches)
    client, server = list(read(rows, "client_")), list(read(rows, "server_"))
    waited = list(read(rows, "wait_", waiting.QUANTILES))
    reference = edges(calls(world.spans))
    for number, edge in enumerate(rows.select("source", "target", "kind").rows()):
        figures = reference[edge]
        assert client[number] == close(nearest_rank(figures.client_samples))
        assert waited[number] == close(nearest_rank(figures.wait_samples, waiting.QUANTILES))
        if edge[2] == CALL:
            assert server[number] == close(nearest_rank(figures.server_samples))


@several
@given(worlds(FEATURES - {"addresses"}))  # see test_random_worlds, the last test
def test_of_services_and_operations(world: World) -> None:
    """Merged over callers and time: every called span once."""
    names = {span.key: span.name for span in stored(world.spans)}
    called: set[Side] = {call.server for call in calls(world.spans) if call.server and call.kind == CALL}
    window, known = kept(world.batches)
    bins = graph.resolved(window, known).bins
    bins = bins.filter((pl.col("kind") == CALL) & (pl.col("side") == SERVER) & (pl.col("source") != ""))
    for by in (["target"], ["target", "operation"]):
        samples: dict[tuple[str, ...], Samples] = defaultdict(list)
        for side in called:
            samples[(side.key[4], names[side.key])[: len(by)]].append((side.duration_ns, side.weight))
        found = quantiles(bins, by, QS)
        engine = dict(zip(found.select(by).rows(), read(found), strict=True))
        assert engine.keys() == samples.keys()
        for group, of_group in samples.items():
            assert engine[group] == close(nearest_rank(of_group))
