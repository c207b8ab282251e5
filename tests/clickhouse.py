"""A server of ClickHouse's HTTP protocol over embedded chDB: as much of it as clickhouse-connect asks for.

So that ``TELEMETRY_URL=clickhousedb://…`` is tried against the same engine, without a server to install.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb
from clickhouse_connect.driver._backend.chdb_backend import CHDB_TRANSPORT_SETTINGS

USER, PASSWORD, DATABASE = "mesh", "geheim-7", "mesh"
_INSERT: Final = re.compile(rb"\s*(INSERT\s+INTO\s[^\n]*?)\s+FORMAT\s+(\w+)\s", re.IGNORECASE)
_ANSWERS: Final = re.compile(r"\s*(SELECT|WITH|FROM|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN)\b", re.IGNORECASE)
_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_CODE: Final = re.compile(r"Code: (\d+)")


class RefusedError(Exception):
    """What the engine says is wrong."""


class Embedded:
    """chDB, for many threads: each takes a connection of its own for a while."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._all: list[Any] = []
        self._lock = threading.Lock()
        self.run(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", "TabSeparated")

    def run(
        self, statement: str, form: str, settings: dict[str, str] | None = None, database: str = "default"
    ) -> bytes:
        """The answer in a format. Raises RefusedError."""
        connection = self._taken()
        changed = settings or {}
        try:
            connection.query(f"USE {database}")
            for name, value in changed.items():
                connection.query(f"SET {name} = '{value}'")
            answer: bytes = connection.query(statement, form).bytes() or b""
        except RuntimeError as error:
            raise RefusedError(str(error)) from error
        finally:
            for name in changed:
                connection.query(f"SET {name} = DEFAULT")
            self._free.put(connection)
        return answer

    def close(self) -> None:
        for connection in self._all:
            connection.close()

    def _taken(self) -> Any:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            with self._lock:
                self._all.append(chdb.connect(self._path))  # type: ignore[no-untyped-call]
                return self._all[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self._body()
        address = urlsplit(self.path)
        if address.path == "/ping":
            self._send(200, b"Ok.\n")
            return
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("authorization") != expected:
            self._send(403, b"Code: 516. DB::Exception: Authentication failed", code="516")
            return
        asked = dict(parse_qsl(address.query, keep_blank_values=True))
        self.server.asked += 1
        try:
            self._send(200, *self._result(asked.pop("query", ""), body, asked))
        except RefusedError as error:
            code = found[1] if (found := _CODE.search(str(error))) else "1002"
            self._send(404 if code == "60" else 500, str(error).encode(), code=code)

    def _result(self, query_: str, body: bytes, asked: dict[str, str]) -> tuple[bytes, str]:
        """The answer, and its format ("" for a statement that has none)."""
        settings = {name: value for name, value in asked.items() if name not in CHDB_TRANSPORT_SETTINGS}
        database = asked.get("database", "default")
        whole = query_.encode() + b"\n" + body if query_ else body
        if (insert := _INSERT.match(whole)) and insert[2] != b"Values":
            with NamedTemporaryFile(suffix=".data") as file:
                file.write(whole[insert.end() :])
                file.flush()
                statement = f"{insert[1].decode()} FROM INFILE '{file.name}' FORMAT {insert[2].decode()}"
                return self.server.engine.run(statement, "TabSeparated", settings, database), ""
        text = whole.decode()
        form = found[1] if (found := _FORMAT.search(text)) else "TabSeparated"
        answer = self.server.engine.run(text, form, settings, database)
        return answer, form if _ANSWERS.match(text) else ""

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, body: bytes, form: str = "", *, code: str = "") -> None:
        self.send_response(status)
        headers = {"X-ClickHouse-Summary": json.dumps({}), "X-ClickHouse-Timezone": "UTC"}
        headers |= {"X-ClickHouse-Format": form} if form else {}
        headers |= {"X-ClickHouse-Exception-Code": code} if code else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing is logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, engine: Embedded) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine, self.asked = engine, 0


@contextmanager
def clickhouse(folder: Path) -> Iterator[tuple[str, _Server]]:
    """A server with its data in ``folder``: the URL of a database of its own, and the server itself."""
    engine = Embedded(folder)
    server = _Server(engine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"clickhousedb://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/{DATABASE}", server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        engine.close()
