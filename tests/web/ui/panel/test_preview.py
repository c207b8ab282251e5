from __future__ import annotations

from proxy_plugin.policy import Finding
from tests.web.ui.panel.world import SOURCE, TARGET, proxy
from tests.web.ui.tree import having, kind, properties, text
from web.policies.plan import BlastRadius, Plan
from web.ui.panel.preview import diff, preview

NODE = proxy().node_id
TOUCHED = BlastRadius(
    edges=[[SOURCE, TARGET]],
    callers=[SOURCE],
    calls_per_second=21.3,
    predicted_cut_share=0.009,
    predicted_extra_load=None,
)
DIFF = "--- old\n+++ new\n@@ -1 +1,2 @@\n name: x\n-timeout: 10s\n+timeout: 2s\n"


def test_it_shows_what_changes_and_who_is_touched() -> None:
    plan = Plan(True, [], DIFF, {NODE: "@@ -1 +1 @@\n-a\n+b\n"}, TOUCHED)
    words = text(preview(plan, [proxy()]))
    assert "No objections." in words
    assert "+timeout: 2s" in words
    assert "Callerscheckout" in words
    assert "Traffic21 rps" in words
    assert "Slower than the new timeout0.9 % of calls" in words
    assert "Envoy configuration of checkout-v1-1" in words


def test_every_proxy_that_will_be_told_has_a_row() -> None:
    plan = Plan(True, [], DIFF, {NODE: "+b", "somebody-new": "+b"}, TOUCHED)
    rows = [properties(row) for row in having(preview(plan, [proxy()]), "data-proxy")]
    assert [(row["data-proxy"], row["data-state"]) for row in rows] == [
        (NODE, "planned"),
        ("somebody-new", "planned"),
    ]


def test_findings_say_where_why_and_what_to_do() -> None:
    finding = Finding("error", "split[0].weight", "The weights add up to 90.", "Make them 100.")
    shown = preview(Plan(False, [finding]), [])
    assert "This draft cannot be applied." in text(shown)
    assert "The weights add up to 90. split[0].weightMake them 100." in text(shown)
    assert having(shown, "data-proxy") == []


def test_a_warning_does_not_hide_the_plan() -> None:
    finding = Finding("warning", "timeout", "Below the current p99.", "Choose more.")
    words = text(preview(Plan(True, [finding], DIFF, {}, TOUCHED), []))
    assert "Below the current p99." in words
    assert "+timeout: 2s" in words


def test_a_diff_is_coloured_by_line() -> None:
    lines = [(line.className, text(line)) for line in kind(diff(DIFF), "Div")]
    assert lines == [("h", "@@ -1 +1,2 @@"), ("", " name: x"), ("d", "-timeout: 10s"), ("a", "+timeout: 2s")]
