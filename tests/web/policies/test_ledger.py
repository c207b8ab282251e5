from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.policy import Finding, TrafficPolicy
from store import audit
from store.anchor import Anchor
from tests.store.test_audit import tamper
from tests.web.clock import Clock
from web.policies.ledger import Change, Ledger, lease_end


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Ledger:
    return Ledger(engine, clock)


def change(**fields: object) -> Change:
    policy = TrafficPolicy.model_validate({"name": "rule", "target": {"service": "shop/payments"}, **fields})
    return Change("policy.apply", "rule", policy, "ann", "because")


def test_a_change_and_its_audit_entry_are_one(ledger: Ledger) -> None:
    number = ledger.begin(change(timeout="1s"))
    assert ledger.audit_entries(None, None, 9, None) == []
    stored = ledger.applied(change(timeout="1s"), number, {"acked": [{}, {}], "nacked": [], "pending": []})
    assert stored is not None
    assert stored.revision == number == 1
    entry = ledger.audit_entries("rule", "applied", 9, None)[0]
    assert entry.detail == {
        "revision": 1,
        "reason": "because",
        "proxies": {"acked": 2, "nacked": 0, "pending": 0},
    }


def test_an_entry_that_cannot_be_written_undoes_the_change(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = ledger.begin(change(timeout="1s"))

    def full(*_: object, **__: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(audit, "append", full)
    with pytest.raises(OSError, match="disk full"):
        ledger.applied(change(timeout="1s"), number, {})
    assert ledger.get("rule") is None
    assert ledger.revisions("rule", 9, None)[0].outcome == "pending"


def test_what_a_database_cannot_keep_is_kept_as_well_as_it_can(ledger: Ledger) -> None:
    wild = Change("policy.apply", "rule", None, "a\x00b", "why \ud800\x00")
    findings = [Finding("error", "timeout", "Not a \x00 duration", "Write one.")]
    ledger.refused(wild, {"timeout": float("nan"), "\x00": ["\ud800"]}, findings)
    revision = ledger.revisions("rule", 9, None)[0]
    assert (revision.actor, revision.reason) == ("a�b", "why ?�")
    assert revision.after == {"timeout": "nan", "�": ["?"]}
    assert ledger.verify_audit().ok


def test_what_has_no_usable_name_is_only_audited(ledger: Ledger) -> None:
    nameless = Change("policy.apply", "x" * 500, None, "ann")
    assert ledger.refused(nameless, {}, [Finding("error", "name", "Too long", "Shorten it.")]) == 0
    assert [entry.subject for entry in ledger.audit_entries(None, None, 9, None)] == ["x" * 253]


def test_recovering_twice_changes_nothing(ledger: Ledger, clock: Clock) -> None:
    ledger.begin(change(timeout="1s"))
    ledger.applied(change(lease="1m", timeout="2s"), ledger.begin(change()), {})
    clock.advance(minutes=2)
    ledger.recover()
    once = ledger.revisions("rule", 9, None)
    assert [each.outcome for each in once] == ["lease_ended", "applied", "failed"]
    ledger.recover()
    assert ledger.revisions("rule", 9, None) == once


def test_the_end_of_a_lease_only_disables(ledger: Ledger) -> None:
    stored = ledger.applied(change(lease="1m", timeout="2s"), ledger.begin(change()), {})
    assert stored is not None
    assert lease_end(stored).document == stored.document | {"enabled": False}


def test_what_was_cut_off_goes_on_being_found(engine: Engine, clock: Clock, tmp_path: Path) -> None:
    """New entries in place of the old ones do not take their place."""
    anchored = Ledger(engine, clock, Anchor(tmp_path / "audit.head"))
    for number in range(3):
        anchored.denied("nobody", "api.write", str(number), {})
    assert anchored.verify_audit() == audit.Verdict(True, 3, None)
    tamper(engine, "DELETE FROM audit WHERE seq > 1")
    assert anchored.verify_audit() == audit.Verdict(False, 1, 2)
    for number in range(3):
        anchored.denied("nobody", "api.write", str(number), {"new": True})
    assert anchored.verify_audit() == audit.Verdict(False, 4, 3)


def test_a_change_stands_where_the_anchor_cannot_be_written(
    engine: Engine, clock: Clock, tmp_path: Path
) -> None:
    ledger = Ledger(engine, clock, Anchor(tmp_path / "no such folder" / "audit.head"))
    assert ledger.applied(change(timeout="1s"), ledger.begin(change()), {}) is not None
    assert [entry.outcome for entry in ledger.audit_entries(None, None, 9, None)] == ["applied"]
