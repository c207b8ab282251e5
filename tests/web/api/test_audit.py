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


async def test_the_whole_log_as_a_file(api: httpx.AsyncClient) -> None:
    for timeout in ("1s", "nonsense"):
        body = {"target": {"service": "shop/payments"}, "timeout": timeout}
        await api.put("/api/v1/policies/rule", json=body)
    found = (await api.get("/api/v1/audit/export")).json()
    assert [(each["seq"], each["outcome"]) for each in found] == [(1, "applied"), (2, "refused")]
    answers = found[0]["detail"]["answers"]
    assert {node.split("~")[2]: said for node, said in answers.items()} == {
        "checkout-1.shop": {"RDS": "acked"},
        "front-1.shop": {"RDS": "acked"},
    }
    text = await api.get("/api/v1/audit/export", params={"format": "csv", "outcome": "refused"})
    assert text.headers["content-type"].startswith("text/csv")
    assert text.text.splitlines()[0] == "seq,at,actor,action,subject,outcome,detail,prev_hash,hash"
    assert [line.split(",")[0] for line in text.text.splitlines()[1:]] == ["2"]
    assert (await api.get("/api/v1/audit/export", params={"format": "xml"})).status_code == 422
