from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from store.policies import Revision, StoredPolicy
from tests.web.ui.conftest import Console, Wired
from tests.web.ui.panel.world import AT, FAULT, TARGET, rule
from tests.web.ui.tree import find, having, kind, properties, text
from web.ui.pages.rules import RulesPage, rules_table

pytestmark = pytest.mark.anyio


def table(policy: StoredPolicy, outcome: str = "applied") -> Any:
    newest = Revision(policy.name, 3, AT, "ann", "", None, policy.document, outcome, {})
    return rules_table([(policy, newest)], AT)


def test_a_rule_is_one_row() -> None:
    (row,) = having(table(rule(timeout="2s")), "data-rule")
    words = text(row)
    for expected in (
        "checkout-to-payments",
        "payments",
        "Timeout 2s",
        "on",
        "2030-01-01 00:00:00 UTC by ann",
    ):
        assert expected in words
    assert properties(row)["data-enabled"] == "true"


def test_a_lease_says_when_it_ends() -> None:
    leased = StoredPolicy(**{**vars_of(rule(fault=FAULT)), "expires_at": AT + timedelta(minutes=12)})
    assert "ends in 12 min" in text(table(leased))


def vars_of(policy: StoredPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in policy.__dataclass_fields__}


def test_a_rule_that_is_off_promises_no_end() -> None:
    off = StoredPolicy(**{**vars_of(rule(enabled=False)), "expires_at": AT})
    assert "ends in" not in text(table(off))


def test_what_failed_last_is_said() -> None:
    assert "lease ended" in text(table(rule(), "lease_ended"))


def test_the_link_opens_the_edge_or_the_target() -> None:
    (link,) = kind(table(rule()), "Link")
    assert link.href == "/ui/graph?edge=shop%2Fcheckout%3Eshop%2Fpayments%3Ecall"
    (link,) = kind(table(rule(target={"service": TARGET})), "Link")
    assert link.href == "/ui/graph?node=shop%2Fpayments"


async def test_without_rules_it_says_where_to_make_one(parts: Wired) -> None:
    assert "Select an edge" in text(await RulesPage(parts).refresh(0, 0))


async def test_rules_are_read_from_the_publisher(parts: Wired) -> None:
    draft = {"name": "slow", "target": {"service": TARGET}, "timeout": "2s"}
    await parts.publisher.apply(draft, actor="ann")
    shown = await RulesPage(parts).refresh(0, 0)
    assert find(shown, {"type": "rule-switch", "name": "slow"}).checked


async def pressed(console: Console, output: str, button: Any, **state: Any) -> str:
    """What Dash answers to a press, by the outputs of the callback (in its own notation)."""
    callbacks = (await console.client.get("/ui/_dash-dependencies")).json()
    found = next(each for each in callbacks if output in each["output"])
    names = [part.rsplit(".", 1) for part in found["output"].strip(".").split("...")]
    many = isinstance(button, dict)
    one = {"id": button, "property": "n_clicks", "value": 1}
    key = json.dumps(button, separators=(",", ":"), sort_keys=True) if many else button
    others = [{"id": each["id"], "property": each["property"], "value": 0} for each in found["inputs"][1:]]
    answer = await console.client.post(
        "/ui/_dash-update-component",
        json={
            "output": found["output"],
            "outputs": [{"id": name, "property": prop} for name, prop in names],
            "inputs": [[one] if many else one, *others],
            "state": [
                {"id": each["id"], "property": each["property"], "value": state[each["id"].replace("-", "_")]}
                for each in found["state"]
            ],
            "changedPropIds": [f"{key}.n_clicks"],
        },
    )
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_deleting_asks_first_and_then_deletes(console: Console, parts: Wired) -> None:
    draft = {"name": "slow", "target": {"service": TARGET}, "timeout": "2s"}
    await parts.publisher.apply(draft, actor="ann")
    asked = await pressed(console, "rules-confirm.opened...", {"type": "rule-delete", "name": "slow"})
    assert "It is on" in asked
    assert [policy.name for policy in await parts.publisher.policies()] == ["slow"]
    doomed = {"name": "slow", "revision": 1}
    done = await pressed(
        console, "rules-confirm.opened@", "rules-delete", rules_doomed_as=doomed, rules_changed=0
    )
    assert "Rule slow is deleted" in done
    assert await parts.publisher.policies() == []


async def test_what_changed_since_the_question_is_not_deleted(console: Console, parts: Wired) -> None:
    draft = {"name": "slow", "target": {"service": TARGET}, "timeout": "2s"}
    await parts.publisher.apply(draft, actor="ann")
    await parts.publisher.apply(draft | {"timeout": "3s"}, actor="ann")
    doomed = {"name": "slow", "revision": 1}
    answer = await pressed(
        console, "rules-confirm.opened@", "rules-delete", rules_doomed_as=doomed, rules_changed=0
    )
    assert "Changed by somebody else" in answer
    assert [policy.name for policy in await parts.publisher.policies()] == ["slow"]


async def test_the_switch_works_through_the_browsers_request(console: Console, parts: Wired) -> None:
    """The whole way: Dash's request in, the proxies told, the answer out."""
    draft = {"name": "slow", "target": {"service": TARGET}, "timeout": "2s"}
    await parts.publisher.apply(draft, actor="ann")
    switch = '{"name":"slow","type":"rule-switch"}'
    callbacks = (await console.client.get("/ui/_dash-dependencies")).json()
    output = next(each["output"] for each in callbacks if "rules-message.children" in each["output"])
    names = [part.rsplit(".", 1) for part in output.strip(".").split("...")]
    answer = await console.client.post(
        "/ui/_dash-update-component",
        json={
            "output": output,
            "outputs": [{"id": name, "property": prop} for name, prop in names],
            "inputs": [
                [{"id": {"type": "rule-switch", "name": "slow"}, "property": "checked", "value": False}]
            ],
            "state": [{"id": "rules-changed", "property": "data", "value": 0}],
            "changedPropIds": [f"{switch}.checked"],
        },
    )
    assert answer.status_code == 200, answer.text
    assert "Rule slow is off" in answer.text
    assert not (await parts.publisher.get("slow")).enabled
