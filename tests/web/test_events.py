"""What a report of an event may say."""

from __future__ import annotations

from typing import Any

import pytest

from web.events import read_report
from web.problems import Problem

DEPLOYED = {"service": "shop/payments", "version": "v2", "link": "https://ci.test/job/17"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"service": None}, "body"),
        ({"kind": "note"}, "body"),
        ({"kind": "edge_new"}, "kind"),
        ({"service": ""}, "service"),
        ({"service": "a\x00b"}, "service"),
        ({"service": "x" * 513}, "service"),
        ({"version": "v\ud800"}, "version"),
        ({"version": 2}, "version"),
        ({"who": "\n"}, "who"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"link": "//ci.test/job"}, "link"),
        ({"link": "https://"}, "link"),
        ({"link": "https://user:pw@ci.test/"}, "link"),
        ({"link": "https://ci.test/ x"}, "link"),
        ({"link": "http://[::1"}, "link"),
        ({"link": "https://ci.test/" + "x" * 2048}, "link"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "\x1b[31m"}, "text"),
        ({"at": "1" * 65}, "at"),
        ({"at": float("nan")}, "at"),
        ({"at": True}, "at"),
        ({"at": 1e300}, "at"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        read_report(DEPLOYED | body)
    assert refused.value.status == 422
    assert [error.field for error in refused.value.errors] == [field]


def test_what_is_right_is_taken() -> None:
    for body in (
        {"link": "http://[::1]:8080/a?b=c#d"},
        {"text": "two\n\tlines, ünd 🚀"},
        {"at": 1_700_000_000},
        {"at": 1_700_000_000.25},
        {"kind": "note", "text": "x", "service": None},
    ):
        assert read_report(DEPLOYED | body)
