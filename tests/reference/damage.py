"""What happens to spans on the way: dropped, repeated, altered, moved in time, re-numbered, shuffled, split."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.reference.journeys import start
from tests.reference.meshes import FEATURES, Builder, Draw, Mesh, services
from tests.reference.notation import MS, write
from tests.reference.spans import Span, Value

WEIGHTS = ("", "ot=th:8", "ot=th:c", "ot=p:2", "ot=th:zz")
CANCELLED: dict[str, Value] = {"http.response.status_code": "499"}
PROBABILITY = "sampling.probability"
PROBABILITIES: tuple[dict[str, Value], ...] = (
    {},
    {PROBABILITY: 0.25},
    {PROBABILITY: "0.5"},
    {PROBABILITY: "seldom"},
    {PROBABILITY: 2},
)


@dataclass(frozen=True)
class World:
    """Spans in the batches they arrive in; printed in the notation, so that a failure is a case."""

    batches: list[list[Span]]

    @property
    def spans(self) -> list[Span]:
        return [span for batch in self.batches for span in batch]

    def __repr__(self) -> str:
        return "\n" + "\n-- next batch\n".join(write(batch) for batch in self.batches) + "\n"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would print the fields of a dataclass otherwise."""
        printer.text(repr(self))


@st.composite
def journeys(
    draw: Draw,  # type: ignore[type-arg]
    features: frozenset[str] = FEATURES,
    zipkin: bool = False,
    traces: int = 4,
) -> list[Span]:
    """The spans of up to ``traces`` traces through one random mesh, undamaged."""
    mesh = Mesh(draw(services(features)), features, zipkin)
    spans: list[Span] = []
    for number in range(1, draw(st.integers(1, traces)) + 1):
        weights = WEIGHTS if "weights" in features and not zipkin else WEIGHTS[:1]
        stated = PROBABILITIES if "probabilities" in features and not zipkin else PROBABILITIES[:1]
        sampled = {"tracestate": draw(st.sampled_from(weights)), "probability": draw(st.sampled_from(stated))}
        builder = Builder(draw, mesh, number, **sampled)
        start(builder)
        spans += builder.spans
    return spans


@st.composite
def worlds(
    draw: Draw,  # type: ignore[type-arg]
    features: frozenset[str] = FEATURES,
    zipkin: bool = False,
    traces: int = 4,
    harm: frozenset[str] = frozenset({"drop", "repeat", "alter", "skew", "renumber", "shuffle", "split"}),
) -> World:
    """Traces through a random mesh, damaged in the ways of ``harm``."""
    spans = draw(journeys(features, zipkin, traces))
    for name, way in (
        ("drop", drop),
        ("skew", skew),
        ("renumber", renumber),
        ("alter", alter),
        ("repeat", repeat),
    ):
        if name in harm and draw(st.booleans()):
            spans = way(draw, spans)
    if "shuffle" in harm and draw(st.booleans()):
        spans = draw(st.permutations(spans))
    return World(draw(split(spans)) if "split" in harm else [spans])


def drop(draw: Draw, spans: list[Span]) -> list[Span]:  # type: ignore[type-arg]
    lost = draw(st.sets(st.integers(0, max(0, len(spans) - 1)), max_size=3))
    return [span for number, span in enumerate(spans) if number not in lost]


def repeat(draw: Draw, spans: list[Span]) -> list[Span]:  # type: ignore[type-arg]
    """Exact copies."""
    return [*spans, *draw(_some(spans))]


def alter(draw: Draw, spans: list[Span]) -> list[Span]:  # type: ignore[type-arg]
    """Copies that say something else: longer, later, failed, cancelled."""
    copies = []
    for span in draw(_some(spans)):
        longer = span.duration_ns + draw(st.sampled_from((0, 3, -60))) * MS
        later = span.start_ns + draw(st.sampled_from((0, 2))) * MS
        status = draw(st.sampled_from((span.status, "UNSET" if span.zipkin else "ERROR")))
        ended: dict[str, Value] = {} if span.zipkin else draw(st.sampled_from(({}, CANCELLED)))
        duration = max(0, longer) if span.zipkin else longer
        about = {**span.attributes, **ended}
        copies.append(span.replace(duration_ns=duration, start_ns=later, status=status, attributes=about))
    return [*spans, *copies]


def skew(draw: Draw, spans: list[Span]) -> list[Span]:  # type: ignore[type-arg]
    """Clocks that are wrong, one offset per service."""
    offsets = {
        name: draw(st.sampled_from((0, 50, -50, 3000))) for name in sorted({span.service for span in spans})
    }
    return [span.replace(start_ns=span.start_ns + offsets[span.service] * MS) for span in spans]


def renumber(draw: Draw, spans: list[Span]) -> list[Span]:  # type: ignore[type-arg]
    """Some spans get the parent or the id of another one: orphans, shared ids, cycles.

    Never two different spans of one identity: what R1.2 leaves open, each engine decides in its own way.
    """
    result = list(spans)
    for _ in range(draw(st.integers(0, 2)) if spans else 0):
        at, other = draw(st.integers(0, len(spans) - 1)), draw(st.sampled_from(spans))
        change = draw(st.sampled_from(("parent", "orphan", "id")))
        if change == "parent":
            result[at] = result[at].replace(parent=other.id)
        elif change == "orphan":
            result[at] = result[at].replace(parent=f"{999:016x}")
        elif (renamed := result[at].replace(id=other.id)).key not in {span.key for span in result}:
            result[at] = renamed
    return result


@st.composite
def split(draw: Draw, spans: list[Span]) -> list[list[Span]]:  # type: ignore[type-arg]
    """Consecutive batches; after a shuffle that is also delay across batches."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(spans))), max_size=3)))
    ends = [0, *cuts, len(spans)]
    return [spans[a:b] for a, b in pairwise(ends) if a < b] or [[]]


def _some(spans: list[Span]) -> st.SearchStrategy[list[Span]]:
    return st.lists(st.sampled_from(spans), max_size=3) if spans else st.just([])
