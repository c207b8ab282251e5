"""A trace as the API writes it (semantics.md 8): plain dictionaries."""

from __future__ import annotations

from typing import Any

from collector import model
from web.trace import notes
from web.trace.critical import critical_path
from web.trace.moments import NS_PER_MS, instant
from web.trace.selftime import self_times
from web.trace.skew import corrections
from web.trace.spans import Span
from web.trace.summary import of_spans
from web.trace.tree import Tree

Json = dict[str, Any]


def detail(trace_id: str, tree: Tree, *, adjust_skew: bool) -> Json:
    """The document of ``GET /api/v1/traces/{trace_id}``: every span once, parents before their children."""
    own, warnings = self_times(tree), notes.of_spans(tree)
    skew = corrections(tree) if adjust_skew else None
    spans = [
        _span(tree.spans[place], depth)
        | {
            "self_ms": own[place] / NS_PER_MS,
            "skew_ms": skew[place] / NS_PER_MS if skew else None,
            "warnings": warnings[place],
        }
        for place, depth in tree.order
    ]
    return of_spans(trace_id, list(tree.spans)) | {"spans": spans, "warnings": notes.of_trace(tree)}


def path(trace_id: str, tree: Tree) -> Json:
    """The document of ``GET /api/v1/traces/{trace_id}/critical-path``."""
    root = tree.spans[tree.title]
    segments = [
        {
            "span_id": tree.spans[segment.span].id,
            "start_ms": (segment.start - root.start) / NS_PER_MS,
            "duration_ms": (segment.end - segment.start) / NS_PER_MS,
        }
        for segment in critical_path(tree)
    ]
    return {"trace_id": trace_id, "duration_ms": root.duration / NS_PER_MS, "segments": segments}


def _span(span: Span, depth: int) -> Json:
    return {
        "span_id": span.id,
        "parent_id": span.parent or None,
        "depth": depth,
        "service": span.service,
        "operation": span.operation,
        "kind": model.KIND_NAMES[span.kind],
        "start": instant(span.start),
        "start_unix_nano": str(span.start),
        "duration_ms": span.duration / NS_PER_MS,
        "status": model.STATUS_NAMES[span.status],
        "scope": {"name": span.scope, "version": span.scope_version, "attributes": span.scope_attributes},
        "attributes": span.attributes,
        "resource": span.resource,
        "events": [{"time": instant(int(event["time_unix_nano"])), **event} for event in span.events],
        "links": list(span.links),
    }
