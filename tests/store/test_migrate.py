from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine

from store.control import Base
from store.engines import StoreError, control_engine, telemetry_engine
from store.migrate import migrate, migrations
from store.sink import StoreSink


def test_models_equal_the_migrated_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(control: Engine) -> None:
    before = sa.inspect(control).get_table_names()
    migrate(control, "control")
    assert sa.inspect(control).get_table_names() == before


def test_several_processes_may_migrate_one_postgresql_at_once(postgres_url: str, tmp_path: Path) -> None:
    failures: list[Exception] = []

    def run() -> None:
        engine = control_engine(postgres_url, tmp_path)
        try:
            migrate(engine, "control")
        except Exception as error:
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_downgrade_leaves_nothing(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations() / "control"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine, "control")


def test_a_newer_database_is_refused_with_advice(control: Engine) -> None:
    with control.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(StoreError, match=r"from_the_future.*newer meshscope"):
        migrate(control, "control")


@pytest.mark.parametrize("verb", ["UPDATE audit SET actor = 'somebody'", "DELETE FROM audit"])
def test_the_database_itself_keeps_the_audit_append_only(engine: Engine, verb: str) -> None:
    entry = sa.text(
        "INSERT INTO audit (seq, at, actor, action, subject, outcome, detail, prev_hash, hash) "
        "VALUES (1, '2030-01-01', 'a', 'b', 'c', 'applied', '{}', '', '')"
    )
    with engine.begin() as connection:
        connection.execute(entry)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(verb))


def test_telemetry_of_the_first_version_is_kept(tmp_path: Path) -> None:
    """And is read by the view, which names the columns that came later too."""
    engine = telemetry_engine(None, tmp_path)
    config = Config()
    config.set_main_option("script_location", str(migrations() / "telemetry"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            connection.execute(sa.text("INSERT INTO span_rows (start, operation) VALUES (now(), 'kept')"))
            connection.execute(sa.text("INSERT INTO calls (time, source, calls) VALUES (now(), 'kept', 3)"))
            connection.execute(sa.text("INSERT INTO progress VALUES (now())"))
        for _ in range(2):
            migrate(engine, "telemetry")
        with engine.connect() as connection:
            view = connection.execute(
                sa.text("SELECT operation, collector, `links.span_id` FROM spans")
            ).fetchall()
            calls = connection.execute(
                sa.text("SELECT source, collector, records, instance, hops FROM calls")
            ).fetchall()
            summed = [
                connection.execute(sa.text(f"SELECT source, calls FROM {table}")).fetchall()  # noqa: S608
                for table in ("calls_10s", "calls_1m", "calls_1h")
            ]
            keys = connection.execute(
                sa.text(
                    "SELECT sorting_key FROM system.tables WHERE name LIKE 'calls%' AND sorting_key != ''"
                )
            ).fetchall()
        assert (view, calls) == ([("kept", "", [])], [("kept", "", [], "", "")])
        assert summed == [[("kept", 3.0)]] * 3
        assert [key.endswith(", hops") for (key,) in keys] == [True] * 4
        assert StoreSink(engine, "a").settled() > 0
    finally:
        engine.dispose()


def test_telemetry_that_is_up_to_date_is_only_asked_for_its_revision(tmp_path: Path) -> None:
    """What a migration takes is measured: ``python -m bench.startup``."""
    engine = telemetry_engine(None, tmp_path)
    asked: list[str] = []
    try:
        migrate(engine, "telemetry")
        sa.event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        migrate(engine, "telemetry")
        with engine.connect() as connection:
            versions = connection.execute(sa.text("SELECT count() FROM alembic_version")).scalar_one()
        assert versions == 1
        assert asked
        assert {statement.split()[0] for statement in asked} <= {"SELECT", "EXISTS", "DESCRIBE", "SHOW"}
    finally:
        engine.dispose()
