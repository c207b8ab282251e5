"""What a table of calls rests on, in words and numbers: ``GET /api/v1/calls/explain``."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from collector.analytics import PERCENTILES, WAITS, Asked, Span
from collector.histogram import SCALE
from store.rollups import Part
from store.telemetry import buckets
from web.window import rfc3339

_ERROR: Final = 2 ** (0.5 / 2**SCALE) - 1  # of the middle of a bin, at most
_HISTOGRAM: Final = f"within {_ERROR:.2%} of the measured value: exponential histogram, scale {SCALE}"
_EXACT: Final = "exact"
_RANK: Final = "the smallest duration that no fewer than {share} of all calls, by weight, took at most"
_WAIT: Final = (
    "the shortest wait, from a producer's end to its consumer's start, that no fewer than {share} of all deliveries of"
    " messages, by weight, did not exceed; none of those below 0"
)
_SIDE: Final = "weights (1 ÷ sampling probability) of the spans of the chosen side of each edge, added up"

FORMULAS: Final[dict[str, tuple[str, str, str]]] = {
    "calls": (_SIDE, "calls", _EXACT),
    "rate": ("calls ÷ seconds of the window (of the bucket, with step) that have passed", "1/s", _EXACT),
    "failed": ("calls whose span on the chosen side failed; cancelled ones are none", "calls", _EXACT),
    "error_rate": ("failed ÷ calls; null without calls", "share", _EXACT),
    "requests": ("calls that are no re-send, and servers without a client", "calls", _EXACT),
    "attempts": ("of each call the larger of its innermost client spans and its servers", "calls", _EXACT),
    "retries": ("attempts − requests, not below 0", "calls", _EXACT),
    **{name: (_RANK.format(share=f"{q:.1%}"), "ms", _HISTOGRAM) for name, q in PERCENTILES.items() if q < 1},
    "max": ("the longest duration", "ms", _HISTOGRAM),
    "mean": ("durations × weights, added up, ÷ weights", "ms", _HISTOGRAM),
    **{name: (_WAIT.format(share=f"{q:.1%}"), "ms", _HISTOGRAM) for name, q in WAITS.items()},
    "bytes_in": ("bytes from the target, as the source's end counted them", "bytes", _EXACT),
    "bytes_out": ("bytes to the target, as the source's end counted them", "bytes", _EXACT),
}
"""Metric → formula, unit, accuracy."""


def document(asked: Asked, span: Span, edges: pl.DataFrame, parts: list[Part], limit: int) -> dict[str, Any]:
    """The answer; ``parts``: what was read of the store, none for memory."""
    calls, samples = (float(edges[name].sum()) for name in ("calls", "samples"))
    return {
        "start": rfc3339(span.start),
        "end": rfc3339(min(span.end, span.now)),
        "partial": span.end > span.now,
        "elapsed_seconds": span.elapsed(span.start, span.end),
        "step_seconds": asked.step,
        "metrics": [_metric(name) for name in asked.metrics],
        "tables": [_table(part) for part in parts] or [_memory(span)],
        "calls": round(calls, 6),
        "samples": round(samples, 6),
        "sampling_factor": _factor(calls, samples),
        "edges_total": edges.height,
        "edges": [_edge(row) for row in edges.head(limit).iter_rows(named=True)],
    }


def _metric(name: str) -> dict[str, str]:
    formula, unit, accuracy = FORMULAS[name]
    return {"name": name, "formula": formula, "unit": unit, "accuracy": accuracy}


def _table(part: Part) -> dict[str, Any]:
    name = buckets[part.length].name
    return {"table": name, **_of(part.length, part.start, part.end)}


def _memory(span: Span) -> dict[str, Any]:
    return {"table": "memory", **_of(1, span.start, span.end)}


def _of(length: int, start: int, end: int) -> dict[str, Any]:
    return {"bucket_seconds": length, "start": rfc3339(start), "end": rfc3339(end)}


def _edge(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("source", "target", "kind", "evidence")}
    calls, samples = round(row["calls"], 6), round(row["samples"], 6)
    return {
        **told,
        "other_evidence": row["others"],
        "side": row["side"],
        "calls": calls,
        "samples": samples,
        "sampling_factor": _factor(calls, samples),
    }


def _factor(calls: float, samples: float) -> float | None:
    """How many calls one that was seen stands for; null where that was not counted."""
    return float(f"{calls / samples:.6g}") if samples > 1e-9 else None
