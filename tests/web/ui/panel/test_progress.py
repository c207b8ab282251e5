from __future__ import annotations

from proxy_plugin.envoy.status import ProxyOutcome, TypeName
from tests.web.ui.tree import find, having, properties, text
from web.ui.panel.progress import ACKNOWLEDGED, PENDING, REJECTED, outcome_rows, progress


def outcome(node: str, kind: TypeName = "RDS", message: str = "") -> ProxyOutcome:
    return ProxyOutcome(node, f"shop/{node}", "v1", f"{node}-1", kind, message)


def test_one_row_a_proxy_and_the_worst_counts() -> None:
    rows = outcome_rows(
        {
            "acked": [outcome("a"), outcome("b"), outcome("c", "CDS")],
            "pending": [outcome("b", "CDS"), outcome("c")],
            "nacked": [outcome("c", "LDS", "bad filter")],
        }
    )
    assert [(row.node_id, row.state) for row in rows] == [
        ("a", ACKNOWLEDGED),
        ("b", PENDING),
        ("c", REJECTED),
    ]


def test_envoys_own_words_are_shown_once() -> None:
    (row,) = outcome_rows(
        {"nacked": [outcome("a", "LDS", "no"), outcome("a", "RDS", "no"), outcome("a", "CDS", "never")]}
    )
    assert row.message == "no\nno\nnever".replace("no\nno", "no")


def test_a_row_has_the_hooks_of_the_page() -> None:
    shown = find(progress(outcome_rows({"nacked": [outcome("a", "LDS", "bad filter")]})), "rule-progress")
    (row,) = having(shown, "data-proxy")
    assert (properties(row)["data-proxy"], properties(row)["data-state"]) == ("a", "rejected")
    assert "bad filter" in text(row)
    assert "rejected" in text(row)
