"""The different rows of some columns: what expressions say of a row is worked out once for each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_ROOM: Final = 2**62


def distinct(columns: Iterable[pa.Array], rows: int) -> tuple[Ints, Ints]:
    """Rows in which all ``columns`` are equal, null being a value of its own.

    Returns:
        One row of each kind, and for each row which kind it is.
    """
    kind, kinds = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        encoded = column.dictionary_encode()
        values = len(encoded.dictionary) + 1
        if kinds > _ROOM // values:  # numbers would overflow: count anew what is left of them
            kind = np.unique(kind, return_inverse=True)[1]
            kinds = int(kind.max(initial=0)) + 1
        codes = encoded.indices.fill_null(values - 1).to_numpy(zero_copy_only=False)
        kind, kinds = kind * values + codes, kinds * values
    _, one, which = np.unique(kind, return_index=True, return_inverse=True)
    return one, which
