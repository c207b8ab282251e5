"""Trace and span ids: from the bytes of Arrow columns to numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def words(ids: pa.ChunkedArray, count: int) -> NDArray[np.uint64]:
    """Ids of ``count`` × 8 bytes as big-endian 64-bit integers: an array of shape (rows, ``count``)."""
    column = ids.combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    raw = b"".join(
        c.buffers()[1][c.offset * 8 * count : (c.offset + len(c)) * 8 * count].to_pybytes() for c in chunks
    )
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, count)
