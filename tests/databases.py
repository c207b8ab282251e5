"""Databases for the tests: SQLite and chDB in a folder, chDB behind ClickHouse's HTTP protocol, and a PostgreSQL of
their own where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
from sqlalchemy.engine import Engine

from proxy_plugin.envoy.ports import free_ports
from store.engines import control_engine, telemetry_engine
from store.migrate import migrate
from tests.clickhouse import clickhouse


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated control database. To be copied: migrating takes four times as long."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    engine = control_engine(None, folder)
    migrate(engine, "control")
    engine.dispose()
    return folder


@pytest.fixture
def control(tmp_path: Path, migrated: Path) -> Iterator[Engine]:
    """A migrated control database (SQLite)."""
    shutil.copytree(migrated, tmp_path / "data", dirs_exist_ok=True)
    engine = control_engine(None, tmp_path / "data")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated telemetry store. To be copied: migrating takes five times as long."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    engine = telemetry_engine(None, folder)
    migrate(engine, "telemetry")
    engine.dispose()
    return folder


@pytest.fixture(scope="session")
def migrated_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server whose database is migrated, by HTTP."""
    folder = tmp_path_factory.mktemp("migrated") / "server"
    with clickhouse(folder) as (url, _):
        engine = telemetry_engine(url, folder)
        migrate(engine, "telemetry")
        engine.dispose()
    return folder


@pytest.fixture
def embedded_telemetry(tmp_path: Path, migrated_telemetry: Path) -> Iterator[Engine]:
    """A migrated telemetry store (chDB). One at a time: a process can have one such folder open."""
    shutil.copytree(migrated_telemetry, tmp_path / "data", symlinks=True, dirs_exist_ok=True)
    engine = telemetry_engine(None, tmp_path / "data")
    yield engine
    engine.dispose()


@pytest.fixture
def served_telemetry(tmp_path: Path, migrated_server: Path) -> Iterator[Engine]:
    """A migrated telemetry store behind ClickHouse's HTTP protocol."""
    shutil.copytree(migrated_server, tmp_path / "server", symlinks=True)
    with clickhouse(tmp_path / "server") as (url, _):
        engine = telemetry_engine(url, tmp_path)
        yield engine
        engine.dispose()


@pytest.fixture
def telemetry(embedded_telemetry: Engine) -> Engine:
    """The store of a server that has its own; the tests of the store try both kinds."""
    return embedded_telemetry


def _binaries() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian keeps them out of PATH."""
    found = [Path(path).resolve() for path in (shutil.which("initdb"), shutil.which("postgres")) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return next((path.parent for path in found if (path.parent / "postgres").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL prefix of a running server, without the database name. Stopped and removed at the end."""
    programs = _binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql): NOT TESTED")
    folder = Path(mkdtemp(prefix="meshscope-pg-"))
    # PostgreSQL refuses to run as root: then it runs as nobody, who owns the folder.
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data, (port,) = folder / "data", free_ports(1)

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

    try:
        run(programs / "initdb", "-D", data, "-U", "meshscope", "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://meshscope@127.0.0.1:{port}/"
        finally:
            run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of its own for one test."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    plain = postgres_server.replace("+psycopg", "")
    with psycopg.connect(plain + "postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
    yield postgres_server + name
    with psycopg.connect(plain + "postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def postgres(postgres_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A migrated control database (PostgreSQL)."""
    engine = control_engine(postgres_url, tmp_path)
    migrate(engine, "control")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """One test, both databases."""
    found: Engine = request.getfixturevalue("control" if request.param == "sqlite" else "postgres")
    return found
