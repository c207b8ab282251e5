"""The end of the audit log is missed when it is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from store import audit
from store.anchor import Anchor, Head
from store.engines import reads
from tests.store.test_audit import tamper, write


@pytest.fixture
def anchor(engine: Engine, tmp_path: Path) -> Anchor:
    """Of four entries."""
    write(engine, 4)
    with reads(engine)() as session:
        head = audit.head(session)
    assert head is not None
    return Anchor(tmp_path / "audit.head").write(head)


def verified(engine: Engine, anchor: Anchor) -> audit.Verdict:
    with reads(engine)() as session:
        return audit.verify(session, anchor.read())


def test_it_works(engine: Engine, anchor: Anchor) -> None:
    assert verified(engine, anchor) == audit.Verdict(True, 4, None)
    write(engine, 1)  # an entry that could not be anchored
    assert verified(engine, anchor) == audit.Verdict(True, 5, None)


@pytest.mark.parametrize(("above", "entries", "first_bad"), [(3, 3, 4), (1, 1, 2), (0, 0, 1)])
def test_a_tail_that_was_cut_off(
    engine: Engine, anchor: Anchor, above: int, entries: int, first_bad: int
) -> None:
    tamper(engine, f"DELETE FROM audit WHERE seq > {above}")  # noqa: S608
    assert verified(engine, anchor) == audit.Verdict(False, entries, first_bad)


def test_a_tail_that_was_written_anew(engine: Engine, anchor: Anchor) -> None:
    """Its hashes fit; they are not the ones that there were."""
    tamper(engine, "DELETE FROM audit WHERE seq > 2")
    write(engine, 5)
    assert verified(engine, anchor) == audit.Verdict(False, 7, 4)


def test_an_older_head_changes_nothing(tmp_path: Path) -> None:
    anchor = Anchor(tmp_path / "audit.head")
    assert anchor.read() is None
    assert anchor.write(Head(7, "b")).write(Head(3, "a")).read() == Head(7, "b")


def test_a_broken_file_is_no_reason_to_trust(engine: Engine, anchor: Anchor, tmp_path: Path) -> None:
    (tmp_path / "audit.head").write_text("{")
    assert not verified(engine, anchor).ok
