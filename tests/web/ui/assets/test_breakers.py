"""The circuit of the selected edge: since when, the last minutes per caller, what changed last."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

NOW = 1_900_000_000  # 2030-03-17T17:46:40Z
ITEM: dict[str, Any] = {
    "instance": "a-1",
    "version": None,
    "state": "closed",
    "since": "2030-03-17T17:40:00Z",
    "reasons": {},
    "forced": None,
    "ejected_hosts": [],
}


def change(at: str, before: str, state: str, **facts: Any) -> dict[str, Any]:
    return {
        "time": f"2030-03-17T{at}Z",
        "instance": "a-1",
        "version": None,
        "host": None,
        "before": before,
        "state": state,
        "reasons": [],
    } | facts


def lanes(page: Page, items: list[dict[str, Any]], changes: list[dict[str, Any]]) -> dict[str, str]:
    """Caller → a letter for each slot of 10 s: u, c, h, o."""
    found = page.evaluate(
        "([items, changes, now]) => meshui.breakers.lanes(items, changes, now)", [items, changes, NOW]
    )
    return {instance: "".join("ucho"[rank] for rank in lane) for instance, lane in found}


def shown(page: Page, items: list[dict[str, Any]], changes: list[dict[str, Any]]) -> str:
    page.evaluate(
        "([items, changes, now]) => { document.body.innerHTML = meshui.breakers.markup(items, changes, now); }",
        [items, changes, NOW],
    )
    return page.locator("body").inner_text()


def test_a_strip_of_the_last_minutes(page: Page) -> None:
    """Newest first, as the API gives them. Before the first report nothing is known."""
    changes = [
        change("17:45:40", "open", "closed"),
        change("17:44:40", "closed", "open"),
        change("17:36:40", "unknown", "closed"),
    ]
    (strip,) = lanes(page, [ITEM], changes).values()
    assert strip == "u" * 30 + "c" * 48 + "o" * 7 + "c" * 5


def test_the_worst_of_a_callers_clusters_counts(page: Page) -> None:
    items = [ITEM, ITEM | {"version": "v2", "state": "open"}, ITEM | {"instance": "a-2"}]
    assert {name: {*lane} for name, lane in lanes(page, items, []).items()} == {"a-1": {"o"}, "a-2": {"c"}}


def test_a_trip_within_a_slot_is_seen(page: Page) -> None:
    changes = [change("17:46:04.5", "open", "closed"), change("17:46:04", "closed", "open")]
    (strip,) = lanes(page, [ITEM], changes).values()
    assert strip.count("o") == 1


def test_since_when_and_why(page: Page) -> None:
    assert "Closed since" in shown(page, [ITEM], [])
    tripped = ITEM | {"state": "open", "reasons": {"overflow": ITEM["since"]}}
    held = ITEM | {"state": "open", "forced": {"state": "open", "policy": "stop"}}
    assert "Open at a-1 since" in shown(page, [tripped], [])
    assert "calls found no room" in shown(page, [tripped], [])
    assert "forced open by stop" in shown(page, [held], [])
    assert "No proxy reports" in shown(page, [], [])


def test_hosts_and_the_last_changes(page: Page) -> None:
    out = {"host": "10.0.0.1:80", "since": ITEM["since"], "reason": "consecutive_5xx"}
    ejected = change("17:45:00", "in", "ejected", host="10.0.0.1:80", reasons=["consecutive_5xx"])
    text = shown(page, [ITEM | {"ejected_hosts": [out]}], [ejected, change("17:44:00", "closed", "open")])
    assert "Ejected 10.0.0.1:80 since" in text
    assert "10.0.0.1:80 ejected" in text
    assert "closed → open" in text


def test_names_are_text(page: Page) -> None:
    shown(page, [ITEM | {"instance": "<img src=x onerror=alert(1)>"}], [change("17:45:00", "<b>", "open")])
    assert page.locator("img").count() == 0
