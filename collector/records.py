"""How many records a decoded export request has: from the offsets of its lists, nothing is copied."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from collector.consumer import Signal

_LEVELS: Final = {
    Signal.SPANS: ("scope_spans", "spans"),
    Signal.LOGS: ("scope_logs", "log_records"),
    Signal.POINTS: ("scope_metrics", "metrics"),
}
_SHAPES: Final = ("gauge", "sum", "histogram", "exponential_histogram")


def count(signal: Signal, request: pa.RecordBatch) -> int:
    """Spans, log records, or points of the shapes that are read."""
    column = request.column(0)
    for level in _LEVELS[signal]:
        column = column.values.field(level)
    rows = column.values
    if signal is not Signal.POINTS:
        return len(rows)
    return sum(len(rows.field(shape).field("data_points").values) for shape in _SHAPES)
