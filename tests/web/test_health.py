"""Health, its thresholds, and what two sides disagree about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collector import graph
from collector.rollup import buckets
from tests.collector.notation import calls
from web.health import DEFAULT, HealthRules, Override, Thresholds, discrepancy, health, interval
from web.settings import Settings


@pytest.mark.parametrize(
    ("failed", "calls", "expected"),
    [
        (0, 0, "idle"),
        (0, 1000, "healthy"),
        (1, 2, "healthy"),
        (3, 1000, "healthy"),
        (30, 1000, "degraded"),
        (50, 100, "failing"),
    ],
)
def test_health_needs_volume(failed: float, calls: float, expected: str) -> None:
    assert health(failed, calls) == expected


def test_wilson_against_known_values() -> None:
    """10 of 100: the 95 % interval is 0.0552 to 0.1744."""
    assert interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)


@given(st.floats(0, 1), st.floats(0.001, 1e12))
def test_an_interval_holds_its_share(share: float, calls: float) -> None:
    low, high = interval(share * calls, calls)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


RULES = HealthRules(
    Thresholds(), {"shop/*": Override(failing=0.5, min_calls=20), "shop/pay": Override(failing=0.9)}
)


def test_a_service_goes_before_its_namespace_and_that_before_all() -> None:
    assert RULES.of("other/pay") == Thresholds()
    assert RULES.of("shop/cart") == Thresholds(failing=0.5, min_calls=20)
    assert RULES.of("shop/pay") == Thresholds(failing=0.9, min_calls=20)
    assert RULES.of("shop/*") == Thresholds(failing=0.5, min_calls=20)
    assert DEFAULT.of("a") == Thresholds()


def test_thresholds_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'health_failing = 0.2\n[health_services."shop/pay"]\nfailing = 0.3\n'
    (tmp_path / "meshscope.toml").write_text(text)
    assert (Settings().health.of("a").failing, Settings().health.of("shop/pay").failing) == (0.2, 0.3)
    monkeypatch.setenv("MESHSCOPE_HEALTH_SERVICES", '{"shop/pay": {"failing": 0.4}}')
    assert Settings().health.of("shop/pay").failing == 0.4


@pytest.mark.parametrize(
    "wrong", [{"failing": 2}, {"faling": 0.1}, {"min_calls": 0}, {"failing": float("nan")}]
)
def test_a_threshold_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings(health_services={"a": wrong})  # type: ignore[dict-item]


def edge(spans: str, source: str = "a", target: str = "b") -> dict[str, Any]:
    built = graph.build(buckets(calls(spans)))
    return next(
        e for e in built.edges.iter_rows(named=True) if (e["source"], e["target"]) == (source, target)
    )


def pairs(count: int, first: int = 1, end: str = "") -> str:
    return "; ".join(f"{2 * n} C a; {2 * n + 1}<{2 * n} S b {end}" for n in range(first, first + count))


def found(spans: str, **at: float) -> list[tuple[str, float]]:
    told = discrepancy(edge(spans), Thresholds(**at))
    return [(f["what"], f["difference"]) for f in told["findings"]] if told else []


def test_sides_that_agree_are_not_flagged() -> None:
    assert found(pairs(20)) == []


def test_calls_that_the_target_never_saw() -> None:
    lost = "; ".join(f"{100 + n} C a [service.peer.name=b]" for n in range(4))
    assert found(f"{pairs(20)}; {lost}") == [("calls_lost", 4)]
    assert found(f"{pairs(20)}; {lost}", discrepancy=0.5) == []
    assert found(f"{pairs(2)}; {lost}", min_calls=7) == []


def test_calls_of_callers_that_report_nothing() -> None:
    lone = "; ".join(f"{100 + n} I a; {200 + n}<{100 + n} S b" for n in range(4))
    assert found(f"{pairs(20)}; {lone}") == [("calls_unreported", 4)]


def test_retries_are_no_discrepancy() -> None:
    """R3.3: one client call, two servers one after the other."""
    retried = "; ".join(
        f"{100 + n} C a 50; {200 + n}<{100 + n} S b; {300 + n}<{100 + n} S b +9" for n in range(9)
    )
    assert edge(retried)["attempts"] == 18
    assert found(retried) == []


def test_failures_that_only_callers_saw() -> None:
    """H2: a time-out is none for the server. H3: a client error is none for the server either, by convention."""
    timeouts = "; ".join(f"{100 + n} C a !; {200 + n}<{100 + n} S b" for n in range(4))
    assert found(f"{pairs(20)}; {timeouts}") == [("failures_unseen", 4)]
    missing = timeouts.replace("C a !", "C a [http.response.status_code=404] !")
    assert found(f"{pairs(20)}; {missing}") == []


def test_one_side_alone_and_messages_contradict_nobody() -> None:
    assert discrepancy(edge("1 C a [peer.service=b]", "a", "b"), Thresholds(min_calls=1)) is None
    spans = "1 P a [messaging.system=k, messaging.destination.name=o]; 2<1 N b; 3<1 N b @x; 4<1 N b @y"
    assert discrepancy(edge(spans), Thresholds(min_calls=1)) is None
