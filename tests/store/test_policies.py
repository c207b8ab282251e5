from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy.engine import Engine

from proxy_plugin.policy import TrafficPolicy
from store import policies
from store.engines import reads, writes

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)


def draft(**fields: Any) -> TrafficPolicy:
    return TrafficPolicy.model_validate({"name": "slow", "target": {"service": "shop/payments"}, **fields})


def record(engine: Engine, policy: TrafficPolicy, outcome: str = "applied") -> int:
    with writes(engine).begin() as session:
        number = policies.begin(
            session, policy.name, policy.document(), actor="ann", reason="because", at=NOW
        )
        if outcome != "pending":
            policies.finish(session, policy.name, number, outcome, {"acked": [], "nacked": [], "pending": []})
        if outcome in policies.IN_FORCE:
            policies.put(session, policy, number, NOW, None)
    return number


def test_it_works(engine: Engine) -> None:
    policy = draft(retry={"attempts": 2, "on": ["5xx"]}, target={"service": "shop/payments", "from": ["web"]})
    assert record(engine, policy) == 1
    with reads(engine)() as session:
        stored = policies.get(session, "slow")
        assert stored is not None
        assert (stored.policy(), stored.revision, stored.enabled) == (policy, 1, True)
        assert stored.updated_at == NOW
        assert policies.get(session, "other") is None


def test_the_history_tells_before_and_after(engine: Engine) -> None:
    record(engine, draft(timeout="1s"))
    record(engine, draft(timeout="2s"))
    with reads(engine)() as session:
        newest, oldest = policies.revisions(session, "slow")
    assert (oldest.before, newest.revision, newest.actor, newest.reason) == (None, 2, "ann", "because")
    assert newest.before == draft(timeout="1s").document()
    assert newest.after == draft(timeout="2s").document()


def test_what_failed_counts_as_a_revision_but_does_not_stand(engine: Engine) -> None:
    record(engine, draft(timeout="1s"))
    record(engine, draft(timeout="2s"), "failed")
    assert record(engine, draft(timeout="3s")) == 3
    with reads(engine)() as session:
        before = policies.revision_before(session, "slow", 3)
        failed = policies.revision(session, "slow", 2)
    assert before is not None
    assert before.revision == 1
    assert failed is not None
    assert failed.outcome == "failed"


def test_a_name_that_is_used_again_goes_on_counting(engine: Engine) -> None:
    record(engine, draft())
    with writes(engine).begin() as session:
        policies.remove(session, "slow")
    assert record(engine, draft()) == 2


def test_pages_of_the_history_follow_each_other(engine: Engine) -> None:
    for _ in range(5):
        record(engine, draft())
    with reads(engine)() as session:
        first = policies.revisions(session, "slow", limit=2)
        second = policies.revisions(session, "slow", limit=2, below=first[-1].revision)
    assert [each.revision for each in first + second] == [5, 4, 3, 2]


def test_changes_of_a_time_and_of_a_target(engine: Engine) -> None:
    """Those that came into force; a removed policy is known by what it was."""
    record(engine, draft())
    record(engine, draft(timeout="2s"), "failed")
    with writes(engine).begin() as session:
        number = policies.begin(session, "slow", None, actor="a", reason="", at=NOW + timedelta(minutes=1))
        policies.finish(session, "slow", number, "applied", {})
    record(engine, draft(name="other", target={"service": "b"}), "lease_ended")

    def found(start: Any, end: Any, target: str | None, limit: int = 9) -> list[tuple[str, int]]:
        with reads(engine)() as session:
            rows = policies.changes(session, start, end, target, limit)
        return [(each.name, each.revision) for each in rows]

    later = NOW + timedelta(seconds=1)
    assert found(None, None, None) == [("slow", 3), ("other", 1), ("slow", 1)]
    assert found(None, None, None, limit=1) == [("slow", 3)]
    assert found(None, None, "shop/payments") == [("slow", 3), ("slow", 1)]
    assert found(NOW, later, "b") == [("other", 1)]
    assert found(later, None, "b") == found(None, NOW, None) == []


def test_pushes_that_were_cut_off_are_found(engine: Engine) -> None:
    record(engine, draft())
    record(engine, draft(timeout="2s"), "pending")
    with reads(engine)() as session:
        assert [each.revision for each in policies.unfinished(session)] == [2]


def test_a_lease_ends_at_the_same_instant_whatever_the_zone(engine: Engine) -> None:
    end = (NOW + timedelta(minutes=15)).astimezone(timezone(timedelta(hours=5)))
    with writes(engine).begin() as session:
        number = policies.begin(session, "slow", draft().document(), actor="a", reason="", at=NOW)
        policies.put(session, draft(), number, NOW, end)
    with reads(engine)() as session:
        stored = policies.get(session, "slow")
    assert stored is not None
    assert stored.expires_at == end
    assert stored.expires_at.tzinfo is UTC
