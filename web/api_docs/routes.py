"""GET /api/docs: Swagger UI from our own files, under the console's Content-Security-Policy.

FastAPI's page of the same name loads Swagger UI from another server and starts it with an inline script.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse

SWAGGER_UI: Final = "5.35.0"
"""Version of the npm package `swagger-ui-dist` whose files are in `swagger-ui/`; part of their addresses."""

_FOLDER: Final = Path(__file__).parent
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_AN_HOUR: Final = {"Cache-Control": "max-age=3600"}


def router(csrf_cookie: str) -> APIRouter:
    """The page and its files, one route each: nothing else of the folder is served.

    `csrf_cookie`: the cookie that "Try it out" sends back as a header.
    """
    routes = APIRouter(include_in_schema=False)
    page = Template((_FOLDER / "page.html").read_text("utf-8")).substitute(
        version=SWAGGER_UI, csrf_cookie=csrf_cookie
    )

    @routes.get("/api/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page)

    def serve(path: str, file: Path, headers: dict[str, str]) -> None:
        @routes.get(path)
        async def answer() -> FileResponse:
            return FileResponse(file, headers=headers)

    for name in ("page.css", "page.js"):
        serve(f"/api/docs/{name}", _FOLDER / name, _AN_HOUR)
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        serve(f"/api/docs/{SWAGGER_UI}/{name}", _FOLDER / "swagger-ui" / name, _FOR_EVER)
    return routes
