"""URL → SQLAlchemy engine: telemetry (chDB or a ClickHouse server), control (SQLite or PostgreSQL)."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

# Execution option: the transaction takes SQLite's write lock when it begins. A transaction that reads
# first and writes later cannot upgrade once another has committed; busy_timeout does not help there.
WRITES = "meshscope_writes"
BUSY_TIMEOUT_MS = 5_000


class StoreError(Exception):
    """A store cannot be used. Says what is wrong, where, and what to do about it."""

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(f"{what} ({where}). {fix}")
        self.what, self.where, self.fix = what, where, fix


def telemetry_engine(url: str | None, data: Path) -> Engine:
    """The engine of spans and calls, opened once to prove that it works.

    Without a URL: chDB inside this process, in `data`/telemetry. One process may have that folder open,
    and one process may have only one such folder open. Raises StoreError.
    """
    if url is not None:
        return _opened(sa.create_engine(_checked_url(url, "TELEMETRY_URL", ("clickhousedb",))))
    folder = data / "telemetry"
    _private_folder(data)
    _private_folder(folder)
    # Opening a chDB handle costs 12 ms, using one 0.7 ms: keep as many as there are readers.
    engine = sa.create_engine(
        "clickhousedb://",
        connect_args={"interface": "chdb", "path": str(folder)},
        pool_size=8,
        max_overflow=24,
    )
    return _opened(engine, folder)


def control_engine(url: str | None, data: Path) -> Engine:
    """The engine of policies, audit, users: SQLite at `data`/control.db, or PostgreSQL. Raises StoreError."""
    if url is not None:
        checked = _checked_url(url, "CONTROL_URL", ("postgresql+psycopg", "sqlite"))
        engine = sa.create_engine(checked, pool_pre_ping=True)
    else:
        _private_folder(data)
        file = data / "control.db"
        try:
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"cannot open the control database: {error.strerror}", str(file), _OWN_FOLDER
            ) from error
        engine = sa.create_engine(URL.create("sqlite", database=str(file)))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return _opened(engine)


def reads(engine: Engine) -> sessionmaker[Session]:
    """Sessions that only read; objects stay readable after the session ended."""
    return sessionmaker(engine, expire_on_commit=False)


def writes(engine: Engine) -> sessionmaker[Session]:
    """Sessions that write: `with writes(engine).begin() as session`."""
    return sessionmaker(engine.execution_options(**{WRITES: True}), expire_on_commit=False)


_OWN_FOLDER = "Give MESHSCOPE_DATA a folder that this user may write to."


def _private_folder(folder: Path) -> None:
    """Create `folder` for this user alone. One that is already there keeps its mode, with a warning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        raise StoreError(
            f"cannot make the data folder: {error.strerror}", str(folder), _OWN_FOLDER
        ) from error
    if mode & 0o077:
        structlog.get_logger(__name__).warning(
            "data_open_to_others", folder=str(folder), mode=f"{mode:o}", fix=f"chmod 700 {folder}"
        )


def _checked_url(url: str, setting: str, drivers: tuple[str, ...]) -> URL:
    allowed = " or ".join(f"{driver}://…" for driver in drivers)
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        # The text itself may hold a password: name the setting, never the value.
        raise StoreError("not a database URL", f"MESHSCOPE_{setting}", f"Use {allowed}.") from error
    if parsed.drivername not in drivers:
        raise StoreError(f"unknown database {parsed.drivername}", f"MESHSCOPE_{setting}", f"Use {allowed}.")
    return parsed


def _opened(engine: Engine, folder: Path | None = None) -> Engine:
    """The same engine after one connection was made, so that a wrong setting is found at start."""
    try:
        engine.connect().close()
    except DBAPIError as error:
        engine.dispose()
        raise _explained(error, engine.url, folder) from error
    return engine


def _explained(error: DBAPIError, url: URL, folder: Path | None) -> StoreError:
    if folder is None:
        where = url.render_as_string(hide_password=True)
        reason = str(error.orig).splitlines()[0][:300] if str(error.orig) else type(error.orig).__name__
        fix = "Check that the server runs, the address and the password." if url.host else _OWN_FOLDER
        return StoreError(f"cannot open the database: {reason}", where, fix)
    owner = _owner_of(folder)
    if owner is not None:
        fix = "Stop it, or give this one another folder with MESHSCOPE_DATA."
        return StoreError(f"another meshscope uses this folder (pid {owner})", str(folder), fix)
    # chDB adds a stack trace of its own; its first line says enough.
    reason = str(error.orig).split(", Stack trace", 1)[0][-300:]
    return StoreError(f"cannot open the telemetry store: {reason}", str(folder), _OWN_FOLDER)


def _owner_of(folder: Path) -> str | None:
    """Who has this chDB folder open: ClickHouse locks its file `status` and writes its pid there."""
    try:
        with (folder / "status").open("r+") as status:
            try:
                fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return status.readline().removeprefix("PID:").strip() or "unknown"
    except OSError:
        pass
    return None


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # None: the driver begins nothing by itself, `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = " IMMEDIATE" if connection.get_execution_options().get(WRITES) else ""
    connection.exec_driver_sql(f"BEGIN{mode}")
