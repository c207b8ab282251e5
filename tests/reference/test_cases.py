"""Every case of the semantics that speaks of spans, against the reference: the edges as the cases write them."""

from __future__ import annotations

import pytest

from tests.reference.case import Case, drawn
from tests.reference.cases import CASES


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_case(case: Case) -> None:
    assert drawn(case.spans(), hops=case.hops, messages=case.messages) == case.edges
