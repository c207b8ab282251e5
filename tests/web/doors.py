"""An application behind the gate, and who knocks at it."""

from __future__ import annotations

from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.types import Message

from web.auth import Actor, Auth, needs
from web.gate import CookieNames, Gate
from web.login import router
from web.problems import install

SESSION_COOKIE, CSRF_COOKIE = CookieNames(8080).session, CookieNames(8080).csrf

HOST = "127.0.0.1:8080"


def make_app(auth: Auth | None) -> FastAPI:
    app = FastAPI()
    install(app)
    app.add_middleware(Gate, auth=auth)
    app.include_router(router(auth))

    @app.api_route("/api/v1/who", methods=["GET", "POST", "PUT", "DELETE"])
    async def who(actor: Annotated[Actor, Depends(needs("mesh:read"))]) -> str:
        return actor.name

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def page(request: Request, path: str) -> str:
        return f"{path} for {request.scope['state']['actor'].name}"

    @app.websocket("/ui/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    return app


def browse(app: FastAPI, peer: str = "10.0.0.9") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")


async def handshake(app: FastAPI, **headers: str) -> str:
    """The type of the first message that the server sends."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in ({"host": HOST} | headers).items()]
    scope = {
        "type": "websocket",
        "path": "/ui/socket",
        "raw_path": b"/ui/socket",
        "root_path": "",
        "scheme": "ws",
        "query_string": b"",
        "headers": raw,
        "subprotocols": [],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    return str(sent[0]["type"])
