"""Digests of columns, against the same function said slowly, byte by byte."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import digests

ALL = 2**64 - 1
STEP = 0x9E3779B97F4A7C15

quick = settings(max_examples=100, deadline=None, derandomize=True, database=None)
STORED = [5197578548964807871, 15818834084057556226, 13757096295373285683]
TOGETHER = [13417416739640934178, 8350313377446641251, 6431564540892781491]
TEXTS = st.lists(st.none() | st.binary(max_size=40), max_size=8)


def mixed(word: int) -> int:
    """As splitmix64 does it."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & ALL
    return word ^ (word >> 31)


def slowly(text: bytes) -> int:
    padded = text + bytes(8 - len(text) % 8)
    total = 0
    for nth in range(len(padded) // 8):
        word = int.from_bytes(padded[8 * nth : 8 * nth + 8], "little")
        total += mixed((word + (nth + 1) * STEP) & ALL)
    return mixed((total + len(text) * STEP) & ALL)


@quick
@given(TEXTS, st.integers(0, 3), st.integers(0, 3))
def test_the_same_as_slowly(texts: list[bytes | None], before: int, behind: int) -> None:
    """Of a slice of a column too; null is as empty."""
    column = pa.array([*[b"before"] * before, *texts, *[b"behind"] * behind], pa.binary())
    found = digests.of_texts(column.slice(before, len(texts)))
    assert found.tolist() == [slowly(text or b"") for text in texts]


@quick
@given(st.lists(st.tuples(st.integers(0, ALL), st.integers(0, ALL)), max_size=5))
def test_rows_the_same_as_slowly(rows: list[tuple[int, int]]) -> None:
    columns = [np.array([row[i] for row in rows], dtype=np.uint64) for i in range(2)]
    expected = [mixed(((mixed((STEP & ALL) ^ a) + STEP) & ALL) ^ b) for a, b in rows]
    assert digests.together(columns).tolist() == expected


def test_what_is_stored_stays_what_it_is() -> None:
    """In every process and version: a digest is compared with those of months ago."""
    found = digests.of_texts(pa.array(["", "a", "a text of more than one word"]))
    assert found.tolist() == STORED
    assert digests.together([found, found]).tolist() == TOGETHER


ALIKE = [
    (b"", b"\0"),
    (b"a", b"a\0"),
    (b"a" * 8, b"a" * 8 + b"\0"),
    (b"a" * 8, b"a" * 16),
    (b"1234567812345678", b"1234567812345679"),
    (b"aaaaaaaabbbbbbbb", b"bbbbbbbbaaaaaaaa"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_texts_that_are_nearly_alike_differ(one: bytes, other: bytes) -> None:
    first, second = digests.of_texts(pa.array([one, other]))
    assert first != second


def test_numbered_texts_all_differ_and_every_bit_is_even() -> None:
    """A hundred thousand lines as logs have them, a digit apart."""
    found = digests.of_texts(pa.array([f"GET /orders/{n} HTTP/1.1 200 {n % 7}" for n in range(100_000)]))
    assert len(np.unique(found)) == len(found)
    ones = [int(np.count_nonzero(found >> np.uint64(bit) & np.uint64(1))) for bit in range(64)]
    assert all(49_000 < count < 51_000 for count in ones)  # six standard deviations


def test_the_order_of_columns_counts() -> None:
    one, other = (np.array([n], dtype=np.uint64) for n in (3, 5))
    assert digests.together([one, other]) != digests.together([other, one])
