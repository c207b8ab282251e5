"""What a case is, and how its answer is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.reference.figures import edges
from tests.reference.linker import calls
from tests.reference.notation import parse
from tests.reference.spans import Span
from tests.reference.weights import configured


@dataclass(frozen=True)
class Case:
    """Spans in the notation and the edges they give: ``{"a→b": "2/1"}``; ``messaging`` ones are written ``a⇢b``.

    ``zipkin``: reported by a Zipkin client. ``hops`` and ``messages``: the view. ``probability``: the attribute that is
    configured to state one (R9).
    """

    text: str
    edges: dict[str, str]
    zipkin: bool = False
    hops: str = "collapsed"
    messages: str = "collapsed"
    probability: str = ""

    def spans(self) -> list[Span]:
        return configured(parse(self.text, self.zipkin), self.probability)


def drawn(spans: Iterable[Span], hops: str = "collapsed", messages: str = "collapsed") -> dict[str, str]:
    """Edges as the cases write them."""
    found = edges(calls(spans, hops), messages)
    return {
        f"{a}{'→' if kind == 'call' else '⇢'}{b}": figures.ratio for (a, b, kind), figures in found.items()
    }
