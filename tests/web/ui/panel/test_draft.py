from __future__ import annotations

from dataclasses import replace

from proxy_plugin.policy import read_policy
from tests.web.ui.panel.world import FAULT, SOURCE, TARGET, rule
from web.ui.panel.draft import Form, draft, form_of, rule_for

TWO = ("v1", "v2")
EVERYTHING = Form(
    abort_percent=10,
    abort_status=503,
    delay_ms=250,
    delay_percent=50,
    timeout_ms=2000,
    split=True,
    weight=90,
    lease="5m",
)


def test_every_field_reaches_the_policy() -> None:
    assert draft(SOURCE, TARGET, TWO, EVERYTHING) == {
        "name": "checkout-to-payments",
        "target": {"service": TARGET, "from": [SOURCE]},
        "timeout": "2s",
        "split": [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}],
        "fault": {
            "delay": {"percent": 50, "duration": "250ms"},
            "abort": {"percent": 10, "status": 503},
        },
        "lease": "5m",
        "enabled": True,
    }


def test_what_is_drafted_can_be_read() -> None:
    policy, findings = read_policy(draft(SOURCE, TARGET, TWO, EVERYTHING))
    assert policy is not None
    assert findings == []


def test_a_policy_fills_the_fields_that_made_it() -> None:
    assert form_of(draft(SOURCE, TARGET, TWO, EVERYTHING), TWO) == EVERYTHING


def test_editing_a_rule_that_is_off_switches_it_on() -> None:
    """Else a plan of the obvious change would find that nothing changes."""
    assert form_of(rule(enabled=False, timeout="1s").document, TWO).enabled


def test_without_a_split_the_slider_starts_at_the_shares_of_now() -> None:
    shares = [{"version": "v1", "weight": 67}, {"version": "v2", "weight": 33}]
    assert form_of(None, TWO, shares) == Form(weight=67)
    assert form_of(rule(timeout="1s").document, TWO, shares).weight == 67
    split = [{"version": "v1", "weight": 10}, {"version": "v2", "weight": 90}]
    assert form_of(rule(split=split).document, TWO, shares).weight == 10


def test_empty_fields_ask_for_nothing() -> None:
    assert draft(SOURCE, TARGET, TWO, Form()).keys() == {"name", "target", "enabled"}


def test_half_a_delay_is_no_delay() -> None:
    assert "fault" not in draft(SOURCE, TARGET, TWO, Form(delay_ms=100))
    assert "fault" not in draft(SOURCE, TARGET, TWO, Form(delay_percent=100))


def test_a_rule_for_everybody_names_no_callers() -> None:
    document = draft(SOURCE, TARGET, TWO, Form(everyone=True, timeout_ms=1))
    assert document["target"] == {"service": TARGET}
    assert document["name"] == "all-to-payments"


def test_what_the_editor_does_not_show_is_kept() -> None:
    base = rule(
        retry={"attempts": 2}, target={"service": TARGET, "from": [SOURCE], "route": {"path_prefix": "/pay"}}
    )
    document = draft(SOURCE, TARGET, TWO, Form(timeout_ms=1500), base.document)
    assert document["retry"] == {"attempts": 2}
    assert document["target"] == {"service": TARGET, "from": [SOURCE], "route": {"path_prefix": "/pay"}}
    assert document["timeout"] == "1500ms"


def test_clearing_a_field_takes_it_out() -> None:
    base = rule(timeout="1s", fault=FAULT, lease="15m")
    assert draft(SOURCE, TARGET, TWO, Form(), base.document).keys() == {"name", "target", "enabled"}


def test_a_lease_without_fault_is_kept() -> None:
    base = rule(timeout="1s", lease="1h")
    assert draft(SOURCE, TARGET, TWO, form_of(base.document, TWO), base.document) == base.document


def test_an_emptied_lease_is_left_out_for_the_plan_to_object() -> None:
    assert "lease" not in draft(SOURCE, TARGET, TWO, replace(EVERYTHING, lease=""))


def test_without_two_versions_there_is_no_split() -> None:
    assert "split" not in draft(SOURCE, TARGET, ("v1",), EVERYTHING)


def test_the_editor_opens_the_rule_of_this_edge_first() -> None:
    everybody = rule("all", target={"service": TARGET})
    own = rule("other-name")
    elsewhere = rule("elsewhere", target={"service": "shop/cart", "from": [SOURCE]})
    others = rule("others", target={"service": TARGET, "from": [SOURCE, "shop/front"]})
    assert rule_for([elsewhere, others, everybody, own], SOURCE, TARGET) == own
    assert rule_for([elsewhere, others, everybody], SOURCE, TARGET) == everybody
    assert rule_for([elsewhere, others], SOURCE, TARGET) is None


def test_the_faults_of_a_rule_that_is_off_stay_out_of_the_fields() -> None:
    document = {"name": "x", "target": {"service": TARGET}, "timeout": "2s", "fault": FAULT, "lease": "15m"}
    shown = form_of(document, [], on=False)
    assert (shown.abort_percent, shown.delay_percent, shown.timeout_ms) == (None, None, 2000)
    assert form_of(document, [], on=True).abort_percent == 10
