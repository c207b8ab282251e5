"""The reference's figures in plain, rounded values, for comparison with any other engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from tests.reference.figures import Edge, Figures, edges
from tests.reference.linker import calls
from tests.reference.spans import Span

DIGITS = 6


class Plain(TypedDict):
    """Sums of one edge; samples are sorted (duration in ns, weight) pairs."""

    calls: float
    failed: float
    cancelled: float
    client_calls: float
    client_failed: float
    server_calls: float
    server_failed: float
    requests: float
    attempts: float
    failures: dict[str, float]
    client_samples: list[tuple[int, float]]
    server_samples: list[tuple[int, float]]
    wait_samples: list[tuple[int, float]]
    negative_wait: float


def figures(
    spans: Iterable[Span], messages: str = "collapsed", hops: str = "collapsed", now_ns: int | None = None
) -> dict[Edge, Plain]:
    """Figures per (source, target, kind); see :func:`tests.reference.linker.calls` for ``hops`` and ``now_ns``."""
    return {edge: plain(found) for edge, found in edges(calls(spans, hops, now_ns), messages).items()}


def plain(found: Figures) -> Plain:
    return Plain(
        calls=_round(found.calls),
        failed=_round(found.failed),
        cancelled=_round(found.cancelled),
        client_calls=_round(found.client_calls),
        client_failed=_round(found.client_failed),
        server_calls=_round(found.server_calls),
        server_failed=_round(found.server_failed),
        requests=_round(found.requests),
        attempts=_round(found.attempts),
        failures={name: _round(count) for name, count in sorted(found.failures.items()) if count},
        client_samples=sorted((duration, _round(heavy)) for duration, heavy in found.client_samples),
        server_samples=sorted((duration, _round(heavy)) for duration, heavy in found.server_samples),
        wait_samples=sorted((waited, _round(heavy)) for waited, heavy in found.wait_samples),
        negative_wait=_round(found.negative_wait),
    )


def _round(value: float) -> float:
    """Weights may be as large as 2^56: digits that are significant, not decimals."""
    return float(f"{value:.{DIGITS + 6}g}")
