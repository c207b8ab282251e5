"""What must hold of the reference whatever happens: it is the measure, so it is measured first."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.compare import Plain, figures
from tests.reference.damage import World, journeys, skew, worlds
from tests.reference.figures import Edge
from tests.reference.linker import calls
from tests.reference.meshes import FEATURES
from tests.reference.notation import parse, write
from tests.reference.spans import Span

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
APART = FEATURES - {"links", "names", "addresses", "callers"}  # what one trace learns from another


@quick
@given(worlds(), st.randoms(use_true_random=False))
def test_order_never_matters(world: World, random: object) -> None:
    """R1.1."""
    shuffled = list(world.spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert calls(shuffled) == calls(world.spans)


@quick
@given(worlds(zipkin=True), st.randoms(use_true_random=False))
def test_order_never_matters_with_zipkin(world: World, random: object) -> None:
    """R1.1, R11."""
    shuffled = list(world.spans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert calls(shuffled) == calls(world.spans)


@quick
@given(st.booleans().flatmap(lambda zipkin: worlds(zipkin=zipkin)), st.data())
def test_repetition_never_matters(world: World, data: st.DataObject) -> None:
    """R1.2, G3."""
    again = data.draw(st.lists(st.sampled_from(world.spans), max_size=5)) if world.spans else []
    assert calls([*world.spans, *again]) == calls(world.spans)


@quick
@given(journeys(APART))
def test_traces_that_are_not_linked_add_up(spans: list[Span]) -> None:
    """R1.3: a trace gives what it gives alone."""
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_trace[span.trace].append(span)
    parts: dict[Edge, list[Plain]] = defaultdict(list)
    for trace in by_trace.values():
        for edge, found in figures(trace).items():
            parts[edge].append(found)
    whole = figures(spans)
    assert set(whole) == set(parts)
    for edge, found in whole.items():
        assert found["calls"] == pytest.approx(sum(part["calls"] for part in parts[edge]))
        assert found["failed"] == pytest.approx(sum(part["failed"] for part in parts[edge]))
        assert found["server_samples"] == sorted(s for part in parts[edge] for s in part["server_samples"])


@quick
@given(worlds(harm=frozenset({"drop"})), st.sampled_from(("collapsed", "expanded")))
def test_figures_are_sound(world: World, view: str) -> None:
    """R3: no side exceeds the headline that holds it, failures are classed, attempts are at least the calls."""
    for found in figures(world.spans, messages=view).values():
        assert found["failed"] <= found["calls"] * (1 + 1e-9)
        assert sum(found["failures"].values()) == pytest.approx(found["failed"])
        assert found["requests"] <= found["attempts"] * (1 + 1e-9)
        assert found["calls"] <= found["attempts"] * (1 + 1e-9)
        assert max(found["client_calls"], found["server_calls"]) <= found["calls"] * (1 + 1e-9)


@quick
@given(worlds(), st.data())
def test_clock_skew_changes_neither_edges_nor_counts_nor_durations(world: World, data: st.DataObject) -> None:
    """R8. One clock per service: whether two spans of one service overlap (R7.5) is asked of one clock."""
    assert without_waits(figures(skew(data.draw, world.spans))) == without_waits(figures(world.spans))


def without_waits(found: dict[Edge, Plain]) -> dict[Edge, dict[str, object]]:
    """R6.8 compares two clocks."""
    kept = Plain.__required_keys__ - {"wait_samples", "negative_wait"}
    return {edge: {name: dict(of_edge)[name] for name in kept} for edge, of_edge in found.items()}


@quick
@given(st.booleans().flatmap(lambda zipkin: worlds(zipkin=zipkin).map(lambda world: (zipkin, world))))
def test_what_a_failure_prints_is_the_case(drawn: tuple[bool, World]) -> None:
    zipkin, world = drawn
    assert figures(parse(write(world.spans), zipkin)) == figures(world.spans)


def test_the_strategies_reach_everything() -> None:
    """Edges of both kinds, hops, inferred, incomplete and unpaired calls do come up."""
    seen: set[str] = set()

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds())
    def look(world: World) -> None:
        for call in calls(world.spans):
            seen.add(call.kind)
            seen.update(
                flag for flag in ("virtual", "inferred", "incomplete", "database") if getattr(call, flag)
            )
            if call.client and call.client.hops:
                seen.add("hops")
            if call.via and call.client:
                seen.add("via")
            if call.client and call.server and call.client.key[1] != call.server.key[1]:
                seen.add("linked")

    look()
    assert seen == {
        "call",
        "messaging",
        "virtual",
        "inferred",
        "incomplete",
        "database",
        "hops",
        "via",
        "linked",
    }
