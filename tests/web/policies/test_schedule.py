from __future__ import annotations

from typing import Any

import pytest

from proxy_plugin.policy import TrafficPolicy, read_policy
from web.policies.schedule import Progress, at, first, problems, shares


@pytest.mark.parametrize(
    ("base", "weight", "split"),
    [
        ((("v1", 100),), 5, {"v1": 95, "v2": 5}),
        ((("v1", 60), ("v3", 40)), 1, {"v1": 59, "v3": 40, "v2": 1}),
        ((("v1", 1), ("v2", 97), ("v3", 2)), 50, {"v1": 17, "v2": 50, "v3": 33}),
        ((("v1", 0), ("v2", 100), ("v3", 0)), 25, {"v1": 38, "v2": 25, "v3": 37}),
        ((("v1", 90), ("v2", 10)), 100, {"v1": 0, "v2": 100}),
    ],
)
def test_the_others_share_the_rest(
    base: tuple[tuple[str, int], ...], weight: int, split: dict[str, int]
) -> None:
    found = {each.version: each.weight for each in shares(base, "v2", weight)}
    assert found == split
    assert sum(found.values()) == 100


def policy(**fields: Any) -> TrafficPolicy:
    return TrafficPolicy.model_validate(
        {
            "name": "rule",
            "target": {"service": "shop/payments"},
            "split": [{"version": "v1", "weight": 100}],
            "steps": {"version": "v2", "schedule": [{"weight": 1, "hold": "1m"}, {"weight": 100}]},
            **fields,
        }
    )


def test_it_begins_with_the_first_step() -> None:
    told, progress = first(policy(), 7)
    assert progress == Progress("running", 0, (("v1", 100),), 60.0, 7)
    assert told.document()["split"] == [{"version": "v1", "weight": 99}, {"version": "v2", "weight": 1}]
    assert told.document()["steps"] == policy().document()["steps"]


def test_with_the_last_step_it_is_done() -> None:
    told, progress = at(policy(), Progress("running", 1, (("v1", 100),), 60.0, 7))
    assert (progress.state, progress.begun(1000.0).until) == ("done", None)
    assert [each.weight for each in told.split or ()] == [0, 100]


def test_what_is_off_has_no_schedule() -> None:
    assert first(policy(enabled=False), 7) == (policy(enabled=False), None)


def test_a_pause_keeps_what_is_left_of_a_hold() -> None:
    progress = first(policy(), 7)[1]
    assert progress is not None
    paused = progress.begun(1000.0).paused(1020.0, "lunch")
    assert (paused.until, paused.left, paused.reason) == (None, 40.0, "lunch")
    assert paused.resumed(5000.0).until == 5040.0
    assert Progress.of(paused.document()) == paused


def test_somebody_has_to_have_the_rest() -> None:
    assert [each.field for each in problems(policy(split=None))] == ["steps"]
    assert [each.field for each in problems(policy(split=[{"version": "v2", "weight": 100}]))] == ["steps"]
    assert problems(policy()) == []


def test_weights_rise() -> None:
    schedule = [{"weight": 50}, {"weight": 50}]
    _, findings = read_policy(policy().document() | {"steps": {"version": "v2", "schedule": schedule}})
    assert [(each.field, each.message) for each in findings] == [
        ("steps", "Each weight is greater than the one before")
    ]
