"""How many records decoded export requests have: from the offsets of their lists, nothing is copied."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from collector.offsets import Offsets
from collector.trim import Sizes

LEVELS: Final = {
    "resource_spans": ("scope_spans", "spans"),
    "resource_logs": ("scope_logs", "log_records"),
    "resource_metrics": ("scope_metrics", "metrics"),
}
"""The lists below the one of a request, by the name of that."""
POINTS: Final = ("gauge", "sum", "histogram", "exponential_histogram")
"""The shapes of points that are read."""


def count(requests: pa.RecordBatch, offsets: Offsets | None = None) -> Sizes:
    """Spans, log records or points of each request."""
    offsets = offsets or Offsets(requests)
    path = requests.schema.names[0]
    running = offsets.of(path)
    for level in LEVELS[path]:
        path = f"{path}.{level}"
        running = offsets.of(path)[running]
    if path.endswith(".metrics"):
        points = [offsets.of(f"{path}.{shape}.data_points") for shape in POINTS]
        running = np.sum(points, axis=0)[running]
    counts: Sizes = np.diff(running)
    return counts
