"""A server is found by its data folder, for as long as it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from web import running
from web.settings import Settings

HOLDER = """
import sys
from pathlib import Path
from web import running
from web.settings import Settings

with running.noted(Settings(data=Path(sys.argv[1])), 4711):
    print("noted", flush=True)
    sys.stdin.read()
"""


def settings(folder: Path, **given: str) -> Settings:
    return Settings(data=folder, **given)  # type: ignore[arg-type]


def test_a_server_is_found_while_it_runs(tmp_path: Path) -> None:
    mine = settings(tmp_path / "data")
    assert running.server(mine) is None
    with running.noted(mine, 4711):
        assert running.server(mine) == running.url(mine) == "http://localhost:4711"
        assert running.server(mine) is not None, "asking does not end it"
    assert running.server(mine) is None
    assert running.url(mine) == "http://localhost:8080"


def test_the_note_of_a_server_that_was_killed_is_known_as_such(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"noted\n"
        assert running.server(settings(tmp_path)) == "http://localhost:4711"
        holder.kill()
    assert (tmp_path / "http.port").exists()
    assert running.server(settings(tmp_path)) is None
    with running.noted(settings(tmp_path), 12):
        assert running.server(settings(tmp_path)) == "http://localhost:12"


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "localhost"), ("::1", "localhost"), ("0.0.0.0", "localhost"), ("10.0.0.7", "10.0.0.7")],
)
def test_the_address_is_what_a_person_types(host: str, shown: str) -> None:
    assert running.address(host, 80) == f"http://{shown}:80"


def test_the_invitation_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "meshscope")])
    text = running.invitation(settings(Path("my data")), "http://x/login?token=t")
    assert text.splitlines() == [
        f"Another link: {tmp_path}/bin/meshscope login --data '{tmp_path}/my data'",
        "Open http://x/login?token=t — it signs you in once. Ctrl-C ends.",
    ]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "meshscope").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert running.login_command(settings(tmp_path)) == f"meshscope login --data {tmp_path}"


def test_without_authentication_there_is_no_link_to_ask_for(tmp_path: Path) -> None:
    assert running.invitation(settings(tmp_path, auth="off"), "http://x", "Bye.") == "Open http://x — Bye."
