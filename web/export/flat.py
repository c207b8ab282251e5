"""Nodes and edges of the graph document as flat rows: what tables and attributes of GraphML hold."""

from __future__ import annotations

from typing import Any, Final

from collector import waiting
from collector.drawing import QUANTILES

Row = dict[str, str | float | bool | None]
Json = dict[str, Any]

_FIGURES: Final = ("calls", "failed", "rate", "error_rate", "health", "requests", "attempts", "amplification")

_SEEN: Final = ("first_seen", "last_seen")


def node(document: Json) -> Row:
    """One node: ``id``, what it is, and its figures; null where there is none."""
    names = ("id", "service", "namespace", "version", "operation", "kind")
    row = {name: document[name] for name in names} | _figures(document) | _latency(document, "")
    return row | {name: document[name] for name in _SEEN}


def edge(document: Json) -> Row:
    """One edge: its ends, and the figures of it and of both sides; null where there is none."""
    row = {name: document[name] for name in ("source", "target", "kind", "protocol")} | _figures(document)
    for side in ("client", "server"):
        row |= {f"{side}_{name}": document[side][name] for name in ("calls", "failed")}
        row |= _latency(document[side], f"{side}_")
    waits = document["wait_ms"] or {}
    row |= {f"wait_{name}_ms": waits.get(name) for name in waiting.QUANTILES}
    row |= {"negative_wait": document["negative_wait"]}
    seen = ("virtual", "inferred", *_SEEN)
    return row | {"evidence": ",".join(document["evidence"])} | {name: document[name] for name in seen}


def _figures(document: Json) -> Row:
    failures = {f"failures_{name}": count for name, count in document["failures"].items()}
    return {name: document[name] for name in _FIGURES} | failures


def _latency(document: Json, prefix: str) -> Row:
    latency = document["latency_ms"] or {}
    return {f"{prefix}{name}_ms": latency.get(name) for name in QUANTILES}
