"""R9: how many calls a sampled span stands for, and what could not be read."""

from __future__ import annotations

import polars as pl
import pytest

from collector import weights
from tests.reference.weights import weight as by_reference

WEIGHTS = [
    ("", 1),
    ("ot=th:8", 2),
    ("ot=th:0", 1),
    ("ot=th:4", 4 / 3),
    ("ot=th:c", 4),
    ("ot=th:fd70a4", 100.0001),
    ("ot=th:ffffffffffffff", 2.0**56),  # as floats: a division by zero, and no sum is finite any more
    ("ot=th:fffffffffffffe", 2.0**55),
    ("ot=rv:6e6d1a75832a2f;th:8", 2),
    ("vendor=x , ot=th:8 ,other=y", 2),  # blanks around a list member are not its own
    ("vendor=x, ot=th:8", 2),
    ("xot=th:8", 1),
    ("ot=th:zz", 1),
    ("ot=", 1),
    ("ot=th:", 1),
    ("ot=th:123456789abcdef", 1),
    ("ot=p:3", 8),
    ("ot=p:0", 1),
    ("ot=p:62", 2.0**62),
    ("ot=p:63", 0),
    ("ot=p:64", 1),
    ("ot=p:99", 1),
    ("ot=p:3;th:8", 2),
    ("ot=th:zz;p:3", 8),
]


@pytest.mark.parametrize(("tracestate", "expected"), WEIGHTS)
def test_weight(tracestate: str, expected: float) -> None:
    frame = pl.DataFrame({"s": [tracestate]})
    assert frame.select(w=weights.weight("s"))["w"][0] == pytest.approx(expected, rel=1e-6)


FLAWS = [
    ("", ""),
    ("vendor=x", ""),
    ("ott=th:zz,not=th:zz", ""),
    ("ot=th:8", ""),
    ("ot=p:3", ""),
    ("ot=rv:0123456789abcd", ""),  # randomness without a threshold: nothing was left out
    ("ot=th:zz", weights.UNREADABLE),
    ("ot=", weights.UNREADABLE),
    ("ot=junk", weights.UNREADABLE),
    ("ot=th:", weights.UNREADABLE),
    ("vendor=x , ot=th:zz ,other=y", weights.UNREADABLE),
    ("ot=th:123456789abcdef", weights.UNREADABLE),
    ("ot=p:64", weights.UNREADABLE),
    ("ot=p:x", weights.UNREADABLE),
    ("ot=rv:0123456789abcd;th:zz", weights.UNREADABLE),
    ("ot=th:zz;p:3", weights.UNREADABLE),
    ("ot=th:ffffffffffffff", weights.EXTREME),
    ("ot=th:fd70a4", ""),
    ("ot=p:19", ""),
    ("ot=p:62", weights.EXTREME),
    ("ot=p:63", ""),  # 0, which is what it says
]


@pytest.mark.parametrize(("tracestate", "flaw"), FLAWS)
def test_flaw(tracestate: str, flaw: str) -> None:
    """I2, I3."""
    frame = pl.DataFrame({"s": [tracestate]})
    assert frame.select(f=weights.flaw("s"))["f"][0] == flaw


@pytest.mark.parametrize("tracestate", [text for text, _ in FLAWS if "p:62" not in text])
def test_the_reference_flags_the_same(tracestate: str) -> None:
    frame = pl.DataFrame({"s": [tracestate]})
    assert (frame.select(f=weights.flaw("s"))["f"][0] != "") is by_reference(tracestate)[1]


def test_flaws_are_null_safe() -> None:
    frame = pl.DataFrame({"s": [None]}, schema={"s": pl.String})
    assert frame.select(f=weights.flaw("s"))["f"].to_list() == [""]
