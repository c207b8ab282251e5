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
    ("ot=th:zz;p:3", 1),  # a threshold decides, readable or not
    ("ot=th:C", 4),
]


@pytest.mark.parametrize(("tracestate", "expected"), WEIGHTS)
def test_weight(tracestate: str, expected: float) -> None:
    assert found(tracestate) == pytest.approx(expected, rel=1e-6)
    assert by_reference(tracestate)[0] == pytest.approx(expected, rel=1e-6)


def found(tracestate: str | None, probability: str | None = None) -> float:
    frame = pl.DataFrame({"s": [tracestate], "p": [probability]}, schema={"s": pl.String, "p": pl.String})
    return float(frame.select(w=weights.weight("s", "p"))["w"][0])


def flawed(tracestate: str | None, probability: str | None = None) -> str:
    frame = pl.DataFrame({"s": [tracestate], "p": [probability]}, schema={"s": pl.String, "p": pl.String})
    return str(frame.select(f=weights.flaw("s", "p"))["f"][0])


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
    assert flawed(tracestate) == flaw


@pytest.mark.parametrize("tracestate", [text for text, _ in FLAWS if "p:62" not in text])
def test_the_reference_flags_the_same(tracestate: str) -> None:
    assert (flawed(tracestate) != "") is by_reference(tracestate)[1]


STATED = [
    # tracestate, attribute, weight, flaw
    ("", None, 1, ""),
    ("", "0.1", 10, ""),
    ("", "1e-1", 10, ""),
    ("", "1", 1, ""),
    ("vendor=x", "0.25", 4, ""),
    ("", "0.000001", 1e6, ""),
    ("", "1e-9", 1e9, weights.EXTREME),
    ("", "0", 1, weights.UNREADABLE),
    ("", "-0.5", 1, weights.UNREADABLE),
    ("", "1.5", 1, weights.UNREADABLE),
    ("", "", 1, weights.UNREADABLE),
    ("", "often", 1, weights.UNREADABLE),
    ("", "true", 1, weights.UNREADABLE),
    ("", "nan", 1, weights.UNREADABLE),
    ("", "inf", 1, weights.UNREADABLE),
    ("", "[0.1]", 1, weights.UNREADABLE),
    ("", "1e-320", 1, weights.UNREADABLE),  # 1 / p is infinite, and no sum would be finite any more
    ("", "1e-30", 1, weights.UNREADABLE),  # rarer than one in 2^63, the most that `ot` can say
    ("ot=th:8", "0.1", 2, ""),  # the entry of tracestate decides, where it says anything …
    ("ot=p:3", "often", 8, ""),
    ("ot=p:63", "0.1", 0, ""),
    ("ot=th:zz", "0.1", 1, weights.UNREADABLE),  # … readable or not
    ("ot=", "0.1", 1, weights.UNREADABLE),
    ("ot=rv:0123456789abcd", "0.1", 10, ""),  # randomness alone says nothing of a weight
]


@pytest.mark.parametrize(("tracestate", "stated", "expected", "flaw"), STATED)
def test_a_configured_attribute(tracestate: str, stated: str | None, expected: float, flaw: str) -> None:
    """I5."""
    assert found(tracestate, stated) == pytest.approx(expected)
    assert flawed(tracestate, stated) == flaw
    count, flagged = by_reference(tracestate, stated)
    assert count == pytest.approx(expected)
    assert flagged is (flaw != "")


def test_both_are_null_safe() -> None:
    assert (found(None), flawed(None)) == (1.0, "")
