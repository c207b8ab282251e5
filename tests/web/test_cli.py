"""The commands as people type them, in an empty folder."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog

from store.engines import control_engine
from store.migrate import migrate
from web import running
from web.auth import Auth
from web.cli import main
from web.settings import Settings


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: object
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run(folder, *arguments, **variables)`: without any MESHSCOPE variable but those given."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def command(folder: Path, *arguments: str, **variables: str) -> Done:
        with monkeypatch.context() as here:
            for name in [name for name in os.environ if name.startswith("MESHSCOPE_")]:
                here.delenv(name)
            for name, value in variables.items():
                here.setenv(name, value)
            here.setenv("GRPC_ENABLE_FORK_SUPPORT", "false")
            here.chdir(folder)
            here.setattr("sys.argv", ["meshscope", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        return Done(ended.value.code, *capfd.readouterr())

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def refused(done: Done, code: int = 1) -> str:
    """The one line that says why."""
    assert done.returncode == code, done
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a control database in ``data``, as a server leaves it."""
    engine = control_engine(None, tmp_path / "data")
    migrate(engine, "control")
    engine.dispose()
    return tmp_path


def test_it_says_its_version() -> None:
    """As installed: in a process of its own."""
    program = Path(sys.executable).with_name("meshscope")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    assert said.stdout == f"meshscope {version('meshscope')}\n"


@pytest.mark.parametrize(
    "arguments", [["login"], ["token", "create", "ci"], ["token", "list"], ["token", "revoke", "ci"]]
)
def test_a_folder_without_data_is_refused_and_not_made(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    line = refused(run(tmp_path, *arguments))
    assert f"no Meshscope data in {tmp_path}/data: start `meshscope serve` there" in line
    assert "--data or MESHSCOPE_DATA" in line
    assert not list(tmp_path.iterdir())


def test_a_database_elsewhere_needs_no_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    url = f"sqlite:///{folder}/data/control.db"
    done = run(tmp_path / "empty", "token", "create", "ci", MESHSCOPE_CONTROL_URL=url)
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "empty").iterdir())


def test_tokens_are_made_listed_and_revoked(run: Run, folder: Path) -> None:
    secret = run(folder, "token", "create", "ci").stdout.strip()
    engine = control_engine(None, folder / "data")
    assert Auth(engine).login_with_token(secret)
    engine.dispose()
    assert run(folder, "token", "list").stdout.startswith("ci  ")
    assert run(folder, "token", "revoke", "ci").returncode == 0
    assert run(folder, "token", "list").stdout == "no tokens\n"
    assert "there is no token 'ci'" in refused(run(folder, "token", "revoke", "ci"))


def test_a_link_for_a_server_that_is_not_there_comes_with_a_word(run: Run, folder: Path) -> None:
    done = run(folder, "login", MESHSCOPE_HTTP_PORT="1234")
    assert done.stdout.startswith("http://localhost:1234/login?token=")
    assert f"no server runs on {folder}/data" in done.stderr
    assert "no server runs on" in refused(run(folder, "login", MESHSCOPE_HTTP_PORT="0"))


def test_a_link_for_a_server_that_runs(run: Run, folder: Path) -> None:
    with running.noted(Settings(data=folder / "data"), 4711):
        done = run(folder, "login")
    assert done.stdout.startswith("http://localhost:4711/login?token=")
    assert not done.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_folder_in_use_is_refused_in_one_line(run: Run, folder: Path, command: str) -> None:
    with running.noted(Settings(data=folder / "data"), 4711):
        line = refused(run(folder, command))
    assert f"a Meshscope runs on {folder}/data already, at http://localhost:4711" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http_port = 1\nhost =\n", "line 2"),
        ("htpp_port = 1\n", "htpp_port is not a setting; did you mean http_port?"),
        ("http_port = 70000\n", "http_port: Input should be less than or equal to 65535"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(run: Run, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "meshscope.toml").write_text(text)
    line = refused(run(tmp_path, "check"), code=2)
    assert line.startswith("meshscope: meshscope.toml: ")
    assert words in line


def test_a_variable_that_does_nothing_is_said_at_the_start(run: Run, folder: Path) -> None:
    """The start ends at once: a server runs on the folder."""
    with running.noted(Settings(data=folder / "data"), 4711):
        said = run(folder, "serve", MESHSCOPE_XDS_PROT="1").stderr.splitlines()
    assert said[0] == (
        "meshscope: MESHSCOPE_XDS_PROT is not a setting and does nothing; did you mean MESHSCOPE_XDS_PORT?"
    )


def test_check_says_what_to_fix_by_its_exit_code(run: Run, folder: Path) -> None:
    ports = dict.fromkeys(("HTTP_PORT", "OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "XDS_PORT"), "0")
    done = run(folder, "check", **{f"MESHSCOPE_{name}": port for name, port in ports.items()})
    assert done.returncode == 0, done.stdout
    with running.noted(Settings(data=folder / "data"), 1):
        done = run(folder, "check")
    assert done.returncode == 1
    assert "FIX  a Meshscope runs on this folder, but does not answer" in done.stdout


def test_a_service_is_a_name_in_dns(run: Run, tmp_path: Path) -> None:
    line = refused(run(tmp_path, "sidecar", "--service", "a/b/c", "--app-port", "80"))
    assert "'a/b/c' is not a service: use name or namespace/name" in line


def test_an_address_has_a_port(run: Run, tmp_path: Path) -> None:
    line = refused(run(tmp_path, "sidecar", "--service", "a", "--app-port", "80", "--control", "here"))
    assert "'here' is not host:port" in line
