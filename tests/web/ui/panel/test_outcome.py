from __future__ import annotations

from proxy_plugin.envoy.status import ProxyOutcome
from tests.web.ui.tree import having, properties, text
from web.policies.rollout import Applied
from web.problems import FieldError, Problem
from web.ui.panel.outcome import applied, refused

SAID = {
    "node_id": "a",
    "service": "shop/a",
    "version": "v1",
    "instance": "a-1",
    "type": "LDS",
    "message": "unknown filter",
}


def test_success_names_the_rule_and_its_revision() -> None:
    result = Applied("x", 4, "applied", {"acked": [ProxyOutcome("a", "shop/a", "v1", "a-1", "RDS")]})
    assert "Rule x is on (revision 4)." in text(applied(result, on=True))
    assert "Rule x is off (revision 4)." in text(applied(result, on=False))


def test_pending_is_not_called_success() -> None:
    result = Applied("x", 4, "pending", {"pending": [ProxyOutcome("a", "shop/a", "v1", "a-1", "RDS")]})
    assert "not every proxy has answered" in text(applied(result, on=True))


def test_a_rejection_shows_the_proxys_own_words() -> None:
    """The members of a problem are JSON: outcomes are objects there."""
    problem = Problem(
        409, "Rejected", "a proxy refused", members={"proxies": {"nacked": [SAID], "acked": []}}
    )
    shown = refused(problem)
    assert "Rejected" in text(shown)
    assert "unknown filter" in text(shown)
    (row,) = having(shown, "data-proxy")
    assert properties(row)["data-state"] == "rejected"


def test_an_invalid_draft_says_which_field() -> None:
    problem = Problem(422, "Not valid", errors=[FieldError(field="lease", message="is missing")])
    assert "lease is missing" in text(refused(problem))
