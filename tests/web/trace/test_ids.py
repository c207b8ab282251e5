from __future__ import annotations

import pytest

from web.problems import Problem
from web.trace.ids import trace_id


def test_s7_sixteen_or_thirty_two_digits_in_any_case() -> None:
    assert trace_id("00F067aa0BA902B7") == "0" * 16 + "00f067aa0ba902b7"
    assert trace_id("4BF92F3577b34da6a3ce929d0e0e4736") == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0" * 15,
        "0" * 17,
        "0" * 31,
        "0" * 33,
        "g" * 16,
        "1" * 15 + "١",
        " " + "1" * 15,
        "1" * 16 + "\n",
    ],
)
def test_s7_everything_else_is_malformed(text: str) -> None:
    with pytest.raises(Problem) as refused:
        trace_id(text)
    assert refused.value.status == 400
