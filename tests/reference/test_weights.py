"""R9: weights, as the cases I2 and I3 and the rule write them."""

from __future__ import annotations

import pytest

from tests.reference.weights import weight

READ = {
    "": (1.0, False),
    "ot=th:0": (1.0, False),
    "ot=th:8": (2.0, False),
    "ot=th:4": (4 / 3, False),
    "ot=th:c": (4.0, False),
    "ot=th:fd70a4": (100.000143, False),
    "ot=th:ffffffffffffff": (2.0**56, True),
    "ot=rv:0123456789abcd;th:8": (2.0, False),
    "ot=p:3;r:5": (8.0, False),
    "ot=p:63": (0.0, False),
    "ot=p:64": (1.0, True),
    "ot=th:zz": (1.0, True),
    "ot=th:zz;p:3": (1.0, True),
    "ot=": (1.0, True),
    "ot=th:": (1.0, True),
    "ot=th:012345678901234": (1.0, True),
    "other=1,ot=th:8": (2.0, False),
    "ott=th:8,not=th:8": (1.0, False),
}


@pytest.mark.parametrize(("tracestate", "expected"), READ.items(), ids=repr)
def test_weight(tracestate: str, expected: tuple[float, bool]) -> None:
    found, flagged = weight(tracestate)
    assert found == pytest.approx(expected[0], rel=1e-6)
    assert flagged is expected[1]
