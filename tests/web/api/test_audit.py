from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from tests.web.api.test_policies import RULE, URL
from tests.web.mesh import Mesh

pytestmark = pytest.mark.anyio

AUDIT = "/api/v1/audit"


async def test_every_attempt_is_there(api: httpx.AsyncClient) -> None:
    await api.put(f"{URL}/rule", json=RULE)
    await api.put(f"{URL}/rule", json=RULE | {"timeout": "never"})
    await api.put(f"{URL}/rule", json=RULE, headers={"if-match": '"9"'})
    items = (await api.get(AUDIT)).json()["items"]
    assert [(each["seq"], each["action"], each["outcome"]) for each in items] == [
        (3, "policy.apply", "refused"),
        (2, "policy.apply", "refused"),
        (1, "policy.apply", "applied"),
    ]
    assert {each["actor"] for each in items} == {"token:test"}
    assert (await api.get(f"{AUDIT}/verify")).json() == {"ok": True, "entries": 3, "first_bad": None}


async def test_it_can_be_filtered_and_paged(api: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await api.put(f"{URL}/{name}", json=RULE | {"name": name, "target": {"service": "x"}})
    assert [each["subject"] for each in (await api.get(f"{AUDIT}?name=b")).json()["items"]] == ["b"]
    assert (await api.get(f"{AUDIT}?outcome=applied")).json()["items"] == []
    first = (await api.get(f"{AUDIT}?limit=2")).json()
    second = (await api.get(f"{AUDIT}?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["subject"] for each in first["items"] + second["items"]] == ["c", "b", "a"]
    assert second["next_cursor"] is None


async def test_a_changed_entry_is_found(api: httpx.AsyncClient, mesh: Mesh) -> None:
    await api.put(f"{URL}/rule", json=RULE)
    with mesh.database.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER audit_no_update"))
        connection.execute(sa.text("UPDATE audit SET actor = 'nobody'"))
    assert (await api.get(f"{AUDIT}/verify")).json() == {"ok": False, "entries": 1, "first_bad": 1}


@pytest.mark.parametrize("query", ["outcome=good", "limit=0", "limit=1001", "cursor=x", "nmae=a", "name=%00"])
async def test_parameters_are_checked(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"{AUDIT}?{query}")).status_code in (400, 422)
