from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from store.engines import StoreError, control_engine, reads, telemetry_engine, writes
from tests.clickhouse import PASSWORD, clickhouse


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_control_is_sqlite_with_wal_and_foreign_keys(control: Engine) -> None:
    with control.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000}


def test_what_is_made_belongs_to_this_user_alone(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    control_engine(None, data).dispose()
    telemetry_engine(None, data).dispose()
    assert [mode(data), mode(data / "telemetry"), mode(data / "control.db")] == [0o700, 0o700, 0o600]


def test_a_folder_that_others_may_read_gets_a_warning(tmp_path: Path) -> None:
    for open_to, warnings in ((0o755, 1), (0o710, 1), (0o700, 0)):
        data = tmp_path / f"{open_to:o}"
        data.mkdir()
        data.chmod(open_to)
        with capture_logs() as logs:
            control_engine(None, data).dispose()
        assert [each["event"] for each in logs] == ["data_open_to_others"] * warnings
        assert mode(data) == open_to


def test_the_command_makes_files_for_this_user_alone(tmp_path: Path) -> None:
    """Also those that the databases make by themselves, in a folder that others may read."""
    tmp_path.chmod(0o755)
    command = [str(Path(sys.executable).with_name("meshscope")), "migrate", "--data", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, umask=0o022)
    found = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert len(found) > 10
    assert [path for path in found if mode(path) & 0o077] == []


def test_telemetry_keeps_what_was_stored(tmp_path: Path) -> None:
    for statement in (
        "CREATE TABLE kept (number Int32) ENGINE = MergeTree ORDER BY number",
        "INSERT INTO kept VALUES (7)",
    ):
        engine = telemetry_engine(None, tmp_path)
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()
    engine = telemetry_engine(None, tmp_path)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT number FROM kept")).scalar_one() == 7
    engine.dispose()


def test_a_folder_in_use_names_the_other_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from store.engines import telemetry_engine\n"
        "engine = telemetry_engine(None, Path(sys.argv[1])); held = engine.connect()\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=rf"another meshscope uses this folder \(pid {other.pid}\)"):
            telemetry_engine(None, tmp_path)
        other.stdin.close()
        assert other.wait(30) == 0
    telemetry_engine(None, tmp_path).dispose()


def test_a_data_path_that_is_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for make in (telemetry_engine, control_engine):
        with pytest.raises(StoreError, match="MESHSCOPE_DATA"):
            make(None, tmp_path / "data")


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/db", "no url: geheim", "sqlite:///x", "nonsense://h"])
def test_other_databases_are_refused_without_showing_the_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError, match="MESHSCOPE_TELEMETRY_URL") as error:
        telemetry_engine(url, tmp_path)
    assert "geheim" not in str(error.value)


def test_a_server_that_is_not_there_is_explained_without_the_password(tmp_path: Path) -> None:
    for make, url in (
        (telemetry_engine, "clickhousedb://u:geheim@127.0.0.1:1/db"),
        (control_engine, "postgresql+psycopg://u:geheim@127.0.0.1:1/db"),
    ):
        with pytest.raises(StoreError, match="Check that the server runs") as error:
            make(url, tmp_path)
        assert "geheim" not in str(error.value)


def test_writers_queue_instead_of_failing(control: Engine) -> None:
    """Read, then write: without BEGIN IMMEDIATE one of two would fail with "database is locked"."""
    count = 40
    with writes(control).begin() as session:
        session.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
        session.execute(sa.text("INSERT INTO counter VALUES (0)"))

    def add() -> None:
        for _ in range(count):
            with writes(control).begin() as session:
                number = session.execute(sa.text("SELECT n FROM counter")).scalar_one()
                session.execute(sa.text("UPDATE counter SET n = :n"), {"n": number + 1})

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reads(control)() as session:
        assert session.execute(sa.text("SELECT n FROM counter")).scalar_one() == 3 * count


def test_a_reader_is_not_held_up_by_a_writer(control: Engine) -> None:
    with writes(control).begin() as writing, reads(control)() as reading:
        writing.execute(sa.text("DELETE FROM layouts"))
        assert reading.execute(sa.text("SELECT count(*) FROM layouts")).scalar_one() == 0


def test_a_server_of_clickhouse_is_asked_by_name_and_password(tmp_path: Path) -> None:
    with clickhouse(tmp_path / "server") as (url, _):
        telemetry_engine(url, tmp_path).dispose()
        with pytest.raises(
            StoreError, match="Check that the server runs, the address and the password"
        ) as error:
            telemetry_engine(url.replace(PASSWORD, "geheim-8"), tmp_path)
        assert "geheim" not in str(error.value)
        assert not (tmp_path / "telemetry").exists()
