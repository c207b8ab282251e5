"""The turn among several processes."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store.engines import control_engine
from store.turn import SharedTurn


def test_one_at_a_time(postgres: Engine, postgres_url: str, tmp_path: Path) -> None:
    other_engine = control_engine(postgres_url, tmp_path)
    one, other = SharedTurn(postgres), SharedTurn(other_engine)
    assert one.take()
    assert not other.take()
    one.release()
    assert other.take()
    assert not one.take()
    other.release()
    other_engine.dispose()


def test_who_dies_lets_go(postgres: Engine, postgres_url: str, tmp_path: Path) -> None:
    other_engine = control_engine(postgres_url, tmp_path)
    one, other = SharedTurn(postgres), SharedTurn(other_engine)
    assert one.take()
    with other_engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        pids = sa.text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        for pid in connection.execute(pids).scalars().all():
            connection.execute(sa.select(sa.func.pg_terminate_backend(pid, 5000)))
    assert other.take()
    one.release()
    other.release()
    other_engine.dispose()


def test_a_file_has_one_process(control: Engine) -> None:
    turn = SharedTurn(control)
    assert turn.take()
    turn.release()
    assert not turn.shared
