from __future__ import annotations

import pytest

from tests.web.ui.panel.world import edge
from tests.web.ui.tree import properties
from web.ui.panel.live import derived, figure, lookup


def test_a_path_leads_to_a_number_or_nowhere() -> None:
    assert lookup(edge(), "client/latency_ms/p95") == 30
    assert lookup(edge(), "server/latency_ms/p95") is None
    assert lookup(None, "rate") is None


def test_a_version_may_have_dots() -> None:
    assert lookup({"versions": {"v1.2": {"calls": 3}}}, "versions/v1.2/calls") == 3


def test_each_side_gets_its_own_rate_and_share() -> None:
    """The target sees fewer calls than the caller: the difference is what never arrived."""
    found = derived(edge())
    assert found["client"]["rate"] == pytest.approx(10)
    assert found["server"]["rate"] == pytest.approx(9.6)
    assert found["server"]["error_rate"] == pytest.approx(4 / 96)
    assert found["retry_share"] == pytest.approx(2 / 98)


def test_the_latency_of_an_edge_is_what_the_caller_felt() -> None:
    assert derived(edge())["latency_ms"]["p95"] == 30
    unseen = {"calls": 0.0, "failed": 0.0, "latency_ms": None}
    served = {"calls": 9.0, "failed": 0.0, "latency_ms": {"p95": 7.0}}
    assert derived(edge(client=unseen, server=served))["latency_ms"]["p95"] == 7


def test_a_silent_edge_divides_nothing_by_zero() -> None:
    silent = derived({})
    assert silent["client"] == {"rate": None, "error_rate": None}
    assert silent["retry_share"] is None


def test_a_figure_tells_the_page_how_to_go_on() -> None:
    found = properties(figure(edge(), "error_rate", "share", id="x", coloured=True, hide_zero=True))
    assert found["children"] == "8.0 %"
    assert (found["data-live"], found["data-format"]) == ("error_rate", "share")
    assert (found["data-health"], found["data-hide"]) == ("bad", "zero")
