"""Random meshes with random requests, damaged on the way: the engine and the reference linker count the same.

What fails is printed in the notation of the cases. ``MESHSCOPE_WORLDS=300`` tries so many worlds per harm, others than
the ones that are always tried.
"""

from __future__ import annotations

import os

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.collector.test_against_reference import derived
from tests.reference import compare
from tests.reference.damage import PROBABILITY, World, worlds
from tests.reference.found_figures import EXPANDED, FIGURES
from tests.reference.meshes import FEATURES
from tests.reference.notation import parse
from tests.reference.weights import configured

SUMS = (
    "calls",
    "failed",
    "client_calls",
    "client_failed",
    "server_calls",
    "server_failed",
    "requests",
    "attempts",
)
CLASSES = ("client_error", "server_error", "no_response", "timeout")
PROXIED = FEATURES
HARMS = ("", "drop", "repeat", "skew", "alter", "renumber", "shuffle split")
WANTED = int(os.environ.get("MESHSCOPE_WORLDS", "0"))

Edge = tuple[str, str, str]
Figures = dict[Edge, dict[str, float]]


def by_reference(world: World, messages: str, hops: str = "collapsed") -> Figures:
    return {
        edge: {
            **{name: _rounded(found[name]) for name in (*SUMS, "cancelled", "negative_wait")},  # type: ignore[literal-required]
            **{name: _rounded(found["failures"].get(name, 0.0)) for name in CLASSES},
        }
        for edge, found in compare.figures(configured(world.spans, PROBABILITY), messages, hops).items()
    }


def by_engine(world: World, messages: str, hops: str = "collapsed") -> Figures:
    names = {f"failures_{name}": name for name in (*CLASSES, "cancelled")}
    edges = derived(world.batches, messages, hops, PROBABILITY).rename(names)
    edges = edges.with_columns(pl.col("negative_wait").fill_null(0.0))
    figures = [*SUMS, "cancelled", "negative_wait", *CLASSES]
    rows = edges.select("source", "target", "kind", *(pl.col(name) for name in figures)).iter_rows()
    return {
        (a, b, kind): dict(zip(figures, map(_rounded, values), strict=True)) for a, b, kind, *values in rows
    }


def comparable(figures: Figures, messages: str) -> Figures:
    """Buckets keep one class of failure per message, and its attempts for both of its halves together."""
    if messages == "collapsed":
        return figures
    kept = {*SUMS, "negative_wait"} - {"attempts"}
    return {
        edge: {name: n for name, n in found.items() if edge[2] == "call" or name in kept}
        for edge, found in figures.items()
    }


def _rounded(value: object) -> float:
    assert isinstance(value, float | int)
    return round(value, 5) + 0.0


@pytest.mark.parametrize("harm", HARMS)
def test_the_same_figures(harm: str) -> None:
    @settings(
        max_examples=WANTED or 10,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(worlds(FEATURES, harm=frozenset(harm.split())), st.sampled_from(("collapsed", "expanded")))
    def agree(world: World, messages: str) -> None:
        engine, reference = by_engine(world, messages), by_reference(world, messages)
        assert comparable(engine, messages) == comparable(reference, messages)

    agree()


@pytest.mark.parametrize("harm", HARMS)
def test_the_same_figures_with_hops(harm: str) -> None:
    """R7.2, R7.4: where proxies are nodes."""

    @settings(
        max_examples=WANTED or 5,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(worlds(PROXIED, harm=frozenset(harm.split())), st.sampled_from(("collapsed", "expanded")))
    def agree(world: World, messages: str) -> None:
        engine, reference = by_engine(world, messages, "expanded"), by_reference(world, messages, "expanded")
        assert comparable(engine, messages) == comparable(reference, messages)

    agree()


ONCE = [
    pytest.param(view, *case, id=f"{name}, {view}")
    for view, found in (("collapsed", FIGURES), ("expanded", EXPANDED))
    for name, case in found.items()
]


@pytest.mark.parametrize(("view", "text", "edge", "figures"), ONCE)
def test_figures_once_found_to_differ(view: str, text: str, edge: Edge, figures: dict[str, float]) -> None:
    world = World([parse(text)])
    for found in (by_engine(world, view)[edge], by_reference(world, view)[edge]):
        assert {name: found[name] for name in figures} == figures


def test_what_was_learned_from_a_call_that_is_taken_back() -> None:
    """R5.4: the late server makes the sidecar no end of a call, so nobody was met at its address."""
    address = "network.peer.address=10.0.0.9, network.peer.port=80"
    early = (
        f"1 C a; 2<1 C p [node_id=sidecar~x, {address}]; 3<2 S p [node_id=sidecar~x]; t2 1 C a [{address}]"
    )
    world = World([parse(early), parse("4<3 S b")])
    assert by_engine(world, "collapsed").keys() == by_reference(world, "collapsed").keys()
