"""The real application on a real port, for processes that follow it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from tests.web.mesh import Mesh
from web.api import library, policies, proxies
from web.auth import Auth
from web.gate import Gate
from web.listen import HttpServer, bind, port_of
from web.policies.library_clients import LibraryClients
from web.policies.publish import Publisher
from web.problems import install


@dataclass
class Console:
    """A control plane's HTTP side; `serving` may be entered again, as after a restart."""

    mesh: Mesh
    publisher: Publisher
    token: str
    libraries: LibraryClients
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """On the same port each time, with a memory of its own."""
        self.libraries = LibraryClients(self.mesh.control)
        app = FastAPI()
        install(app)
        for router in (
            policies.router(self.publisher),
            proxies.router(self.mesh.control, self.libraries),
            library.router(self.libraries),
        ):
            app.include_router(router)
        listener = bind("127.0.0.1", self.port, "HTTP_PORT", "the API")
        self.port = port_of(listener)
        server = HttpServer(Gate(app, Auth(self.mesh.database)), listener)
        await server.start()
        try:
            yield
        finally:
            await self.libraries.close()
            await server.stop()
            listener.close()


def console(mesh: Mesh, publisher: Publisher) -> Console:
    token = Auth(mesh.database).create_token("library")
    return Console(mesh, publisher, token, LibraryClients(mesh.control))
