"""Different rows of columns, each once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import distinct as module
from collector.distinct import distinct

values = st.one_of(st.none(), st.sampled_from(["", "a", "b"]))
tables = st.integers(0, 12).flatmap(
    lambda rows: st.lists(st.lists(values, min_size=rows, max_size=rows), min_size=1, max_size=5)
)


@settings(deadline=None)
@given(tables)
def test_every_row_equals_the_one_that_stands_for_it(columns: list[list[str | None]]) -> None:
    rows = list(zip(*columns, strict=True))
    one, which = distinct((pa.array(column, pa.string()) for column in columns), len(rows))
    assert [rows[one[kind]] for kind in which] == rows
    assert len(one) == len(set(rows))


def test_more_combinations_than_a_number_can_hold() -> None:
    """Twelve columns of a hundred values each: 10^24 of them are possible."""
    chance = np.random.default_rng(1)
    columns = [chance.integers(0, 100, 1000) for _ in range(12)]
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    one, which = distinct((pa.array(column) for column in columns), len(rows))
    assert module._ROOM < 100**12
    assert [rows[one[kind]] for kind in which] == rows
    assert len(one) == len(set(rows))
