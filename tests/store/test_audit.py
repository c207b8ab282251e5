from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import audit
from store.engines import reads, writes


def write(engine: Engine, count: int = 3, **fields: object) -> None:
    for number in range(count):
        with writes(engine).begin() as session:
            audit.append(
                session,
                actor="ann",
                action="policy.apply",
                subject=str(fields.get("subject", f"policy-{number}")),
                outcome="applied" if number % 2 == 0 else "refused",
                detail={"revision": number, "share": 0.1, "words": "it’s \\u0000 fine"},
            )


def tamper(engine: Engine, statement: str) -> None:
    """What somebody could do who owns the database."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        else:
            connection.execute(sa.text("DROP TRIGGER audit_no_update"))
            connection.execute(sa.text("DROP TRIGGER audit_no_delete"))
        connection.execute(sa.text(statement))


def verified(engine: Engine) -> audit.Verdict:
    with reads(engine)() as session:
        return audit.verify(session)


def test_it_works(engine: Engine) -> None:
    assert verified(engine) == audit.Verdict(True, 0, None)
    write(engine)
    assert verified(engine) == audit.Verdict(True, 3, None)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE seq = 2", 2),
        ("UPDATE audit SET outcome = 'refused' WHERE seq = 1", 1),
        ("UPDATE audit SET detail = '{}' WHERE seq = 3", 3),
        ("UPDATE audit SET at = '2001-01-01 00:00:00.000000' WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
    ],
)
def test_verify_finds_the_first_entry_that_was_touched(
    engine: Engine, statement: str, first_bad: int
) -> None:
    write(engine, 4)
    tamper(engine, statement)
    found = verified(engine)
    assert (found.ok, found.first_bad) == (False, first_bad)


def test_entries_can_be_filtered_and_paged(engine: Engine) -> None:
    write(engine, 5)
    with reads(engine)() as session:
        assert [entry.seq for entry in audit.page(session, limit=2)] == [5, 4]
        assert [entry.seq for entry in audit.page(session, limit=2, below=4)] == [3, 2]
        assert [entry.seq for entry in audit.page(session, outcome="refused")] == [4, 2]
        assert [entry.seq for entry in audit.page(session, subject="policy-1' OR 1=1 --")] == []
        assert [entry.seq for entry in audit.page(session, subject="policy-1")] == [2]


def test_entries_written_at_the_same_time_form_one_chain(engine: Engine) -> None:
    threads = [threading.Thread(target=write, args=(engine, 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verified(engine) == audit.Verdict(True, 40, None)


def test_text_that_no_database_can_keep_is_made_storable(engine: Engine) -> None:
    with writes(engine).begin() as session:
        audit.append(
            session,
            actor="a\x00b",
            action="policy.apply",
            subject="x" * 1000,
            outcome="refused",
            detail={"\x00": ["half a pair: \ud800", {"set": {1}}, None, True, "\\u0000 stays"]},
        )
    with reads(engine)() as session:
        entry = audit.page(session)[0]
    assert (entry.actor, len(entry.subject)) == ("a�b", 253)
    assert entry.detail == {"�": ["half a pair: ?", {"set": "{1}"}, None, True, "\\u0000 stays"]}
    assert verified(engine).ok
