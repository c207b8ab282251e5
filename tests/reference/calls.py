"""The values that the linker gives: sides and calls."""

from __future__ import annotations

from dataclasses import dataclass

from tests.reference.failure import Verdict
from tests.reference.spans import Key, Span, as_text

CALL, MESSAGING = "call", "messaging"


@dataclass(frozen=True)
class Side:
    """One end of a call, as the span says that R7.3 chooses.

    ``attempts``: innermost calling spans of a client, 1 of a server. ``hops``: (node, duration) of the proxy spans.
    """

    key: Key
    weight: float
    verdict: Verdict
    start_ns: int
    duration_ns: int
    attempts: int = 1
    resend: bool = False
    hops: tuple[tuple[str, int], ...] = ()

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class Call:
    """One client with one of its servers, or either alone. R3 is counted over all calls of an edge (figures.py).

    ``kind`` is "call" or "messaging"; ``via`` the destination that a message went through ("" = direct);
    ``weight`` that of the span which showed the call, for one of which neither side was seen (a calling entry, R2.2).
    ``second`` is the bucket of R8; ``virtual``: no span of the target was seen.
    """

    source: str
    target: str
    kind: str = CALL
    via: str = ""
    client: Side | None = None
    server: Side | None = None
    start_ns: int = 0
    weight: float = 1.0
    virtual: bool = False
    inferred: bool = False
    incomplete: bool = False
    database: bool = False
    version: str = ""
    waited: tuple[int, float] | None = None  # of one whose producer is not shown (R6.4)

    @property
    def second(self) -> int:
        return self.start_ns // 10**9

    @property
    def wait_ns(self) -> int | None:
        """R6.8: "consumer start − producer end", negative ones too; None where it is not a delivery of a message."""
        return None if self.wait is None else self.wait[0]

    @property
    def wait(self) -> tuple[int, float] | None:
        """The same, and what it weighs: the heavier of its ends (R9)."""
        if self.waited is not None:
            return self.waited
        if self.kind != MESSAGING or self.client is None or self.server is None:
            return None
        heavier = max(self.client.weight, self.server.weight)
        return self.server.start_ns - self.client.end_ns, heavier


def version_of(span: Span) -> str:
    return as_text(span.resource.get("service.version")) or span.text("upstream.version")
