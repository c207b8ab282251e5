"""Trace and span ids: from the bytes of Arrow columns to numbers."""

from __future__ import annotations

from typing import Any

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


def pairs(first: NDArray[Any], second: NDArray[Any]) -> pa.FixedSizeBinaryArray:
    """Two integers of 64 bits each as one key of 16 bytes, to be looked up: several times faster than two columns."""
    both = np.stack([first.view(np.uint64), second.view(np.uint64)], axis=1)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(both), [None, pa.py_buffer(both)])
