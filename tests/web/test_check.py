"""``check`` looks at everything and says what to mend."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from web import running
from web.check import Finding, findings
from web.settings import Settings

ANY = {"http_port": 0, "otlp_grpc_port": 0, "otlp_http_port": 0, "xds_port": 0}


def settings(folder: Path, **given: object) -> Settings:
    return Settings(data=folder, **ANY | given)  # type: ignore[arg-type]


def wrong(found: list[Finding]) -> list[str]:
    return [finding.what for finding in found if finding.kind == "fix"]


def test_a_new_folder_is_fine(tmp_path: Path) -> None:
    found = list(findings(settings(tmp_path / "data")))
    assert {finding.kind for finding in found} == {"ok"}
    text = "\n".join(finding.what for finding in found)
    for part in ("database telemetry: clickhousedb", "database control: sqlite", "xds_port", "Envoy: "):
        assert part in text


def test_every_database_and_every_port_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "telemetry").write_text("no folder")
    (tmp_path / "control.db").write_text("no database, and long enough to be told from an empty one" * 20)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        found = list(findings(settings(tmp_path, otlp_http_port=busy)))
    telemetry, control, port = wrong(found)
    assert telemetry.startswith("database telemetry: ")
    assert control.startswith("database control: ")
    assert f"127.0.0.1:{busy} (otlp_http_port): in use" in port
    assert "MESHSCOPE_OTLP_HTTP_PORT" in port


def test_a_variable_that_does_nothing_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHSCOPE_HTPP_PORT", "1")
    found = list(findings(settings(tmp_path)))
    (warning,) = (finding.what for finding in found if finding.kind == "warn")
    assert "did you mean MESHSCOPE_HTTP_PORT?" in warning
    assert not wrong(found)


class Answers(BaseHTTPRequestHandler):
    """Alive, but one of its databases is not."""

    def do_GET(self) -> None:
        checks = {"telemetry": "ok", "control": "does not answer"}
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"checks": checks}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def answering() -> Iterator[int]:
    """The port of a server that answers as ours does."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_running_server_is_asked_and_its_folder_left_alone(tmp_path: Path, answering: int) -> None:
    mine = settings(tmp_path, http_port=answering)
    with running.noted(mine, answering):
        found = list(findings(mine))
    assert (
        Finding("ok", f"a Meshscope runs on this folder and answers at http://localhost:{answering}") in found
    )
    assert Finding("ok", "database telemetry: ok") in found
    assert wrong(found) == ["database control: does not answer"]
    assert not (tmp_path / "telemetry").exists()


def test_a_server_that_hangs_is_a_fault(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with running.noted(settings(tmp_path), closed.getsockname()[1]):
            (fault,) = wrong(list(findings(settings(tmp_path))))
    assert "does not answer" in fault
    assert "restart it" in fault
