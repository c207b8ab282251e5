"""Backend: the app behind a sidecar, a small HTTP/1.1 server that says what it saw."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httpx

FORWARDED = ("traceparent", "tracestate", "x-request-id")


@dataclass
class Backend:
    """Answers JSON: `app`, `path`, `headers`, and `next` when it called on.

    `status` and `hold` may be changed while it runs. `hold`: requests wait until it is set. `calls_on`: the
    URL and the Host of what it calls itself, with the trace context of the request.
    """

    name: str
    status: int = 200
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    calls_on: tuple[str, str] | None = None
    seen: int = 0
    waiting: int = 0
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self.hold.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                await reader.readexactly(int(headers.get("content-length", 0)))
                body = json.dumps(await self._answer(head[0].split()[1], headers)).encode()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (self.status, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str]) -> dict[str, object]:
        self.seen += 1
        self.waiting += 1
        await self.hold.wait()
        self.waiting -= 1
        answer: dict[str, object] = {"app": self.name, "path": path, "headers": headers}
        if self.calls_on is not None:
            url, host = self.calls_on
            context = {name: headers[name] for name in FORWARDED if name in headers}
            async with httpx.AsyncClient(trust_env=False) as client:
                response = await client.get(url + path, headers={"host": host, **context})
            answer["next"] = response.json() if response.is_success else response.status_code
        return answer
