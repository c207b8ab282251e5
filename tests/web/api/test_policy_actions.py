"""Leases and schedules over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.web.clock import Clock

pytestmark = pytest.mark.anyio

URL = "/api/v1/policies/rule"
RULE: dict[str, Any] = {
    "target": {"service": "shop/payments"},
    "split": [{"version": "v1", "weight": 100}],
    "steps": {"version": "v2", "schedule": [{"weight": 5, "hold": "5m"}, {"weight": 100}]},
}


async def test_put_off_and_end_a_lease(api: httpx.AsyncClient, clock: Clock) -> None:
    await api.put(URL, json=RULE)
    answer = await api.post(f"{URL}/lease", json={"for": "15m"}, params={"reason": "not done"})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    end = (clock.now + timedelta(minutes=15)).isoformat().replace("+00:00", "Z")
    assert answer.json()["expires_at"] == end
    ended = await api.delete(f"{URL}/lease")
    assert (ended.status_code, ended.json()["policy"]["enabled"]) == (200, False)
    assert (await api.delete(f"{URL}/lease")).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"for": "soon"}, {"for": "500ms"}, {"for": "15m", "more": 1}, {"for": 900}, {"for": "9999d"}]
)
async def test_a_lease_that_is_none(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await api.put(URL, json=RULE)
    answer = await api.post(f"{URL}/lease", json=body)
    assert (answer.status_code, bool(answer.json()["errors"])) == (422, True)
    assert (await api.get(URL)).json()["expires_at"] is None


async def test_steer_a_schedule(api: httpx.AsyncClient, clock: Clock) -> None:
    put = await api.put(URL, json=RULE)
    assert put.json()["policy"]["split"] == [{"version": "v1", "weight": 95}, {"version": "v2", "weight": 5}]
    told = (await api.get(URL)).json()["steps_state"]
    next_at = (clock.now + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    assert told == {"state": "running", "step": 1, "next_at": next_at, "failures": 0, "reason": ""}
    paused = await api.post(f"{URL}/steps/pause", params={"reason": "lunch"})
    assert (paused.json()["steps_state"]["state"], paused.json()["steps_state"]["reason"]) == (
        "paused",
        "lunch",
    )
    assert (await api.post(f"{URL}/steps/pause")).status_code == 409
    assert (await api.post(f"{URL}/steps/resume")).json()["steps_state"]["state"] == "running"
    assert (await api.post(f"{URL}/steps/jump")).status_code == 422
    aborted = await api.post(f"{URL}/steps/abort")
    assert aborted.json()["policy"]["enabled"] is False
    assert (await api.post("/api/v1/policies/none/steps/abort")).status_code == 404


async def test_what_an_answer_says_can_be_sent_back(api: httpx.AsyncClient) -> None:
    guard = {"metric": "error_rate", "worse_by": 0.02, "for": "30s"}
    await api.put(URL, json=RULE | {"guard": guard})
    told = (await api.get(URL)).json()
    assert (told["guard"], told["guard_state"]["state"]) == (guard, "watching")
    again = await api.put(URL, json=told | {"timeout": "1s"})
    assert (again.status_code, again.json()["revision"]) == (200, 2)
