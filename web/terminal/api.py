"""A client of the API for commands: finds the server of the data folder, and signs in to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    import httpx

    from web.settings import Settings

TIMEOUT: Final = 60.0  # s

Data = Annotated[Path | None, typer.Option(help="Folder of the server to ask (MESHSCOPE_DATA).")]
Url = Annotated[
    str, typer.Option(envvar="MESHSCOPE_URL", help="Address of a server elsewhere, http://host:8080.")
]
Token = Annotated[
    str, typer.Option(envvar="MESHSCOPE_TOKEN", help="API token; of a server of this folder none is needed.")
]


class ApiError(Exception):
    """The server cannot be asked, or refuses; says why in one line. ``problem``: its whole answer (RFC 9457)."""

    def __init__(self, said: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(said)
        self.problem: Mapping[str, Any] = problem or {}


class Api:
    """Asks one server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, parameters: Mapping[str, str | list[str]]) -> Any:
        """The JSON of an answer. Raises ApiError with what the server says is wrong."""
        return self._answer("GET", path, params=dict(parameters))

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """The same, for what changes something."""
        return self._answer("POST", path, json=dict(body), headers=dict(headers))

    def send(
        self, method: str, path: str, parameters: Mapping[str, str], body: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON (None where there is none) of an answer; ``body`` is YAML."""
        headers = {"content-type": "application/yaml"}
        answer = self._answered(method, path, params=dict(parameters), content=body or "", headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    def yaml(self, path: str) -> str:
        """The YAML of an answer."""
        return self._answered("GET", path, headers={"accept": "application/yaml"}).text

    def _answer(self, method: str, path: str, **request: Any) -> Any:
        return self._answered(method, path, **request).json()

    def _answered(self, method: str, path: str, **request: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise ApiError(f"{self._client.base_url} does not answer: {error}") from error
        if answer.is_success:
            return answer
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> ApiError:
    try:
        problem = answer.json()
        said = problem.get("detail") or problem["title"]
    except (ValueError, KeyError, AttributeError):
        problem, said = {}, f"{answer.status_code} {answer.reason_phrase}"
    needed = " (a token is needed: --token)" if answer.status_code == 401 else ""
    return ApiError(f"{said}{needed}", problem)


@contextmanager
def connected(data: Path | None, url: str, token: str) -> Iterator[Api]:
    """The API at ``url``, else of the server that runs on the data folder.

    Who may read the folder's control database needs no token: a session is opened there, and ended.

    Raises:
        ApiError: no server runs there.
    """
    import httpx

    if url:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ApiError(f"{url!r} is no address of a server: http://host:port")
        with httpx.Client(base_url=url, headers=_bearer(token), timeout=TIMEOUT) as client:
            yield Api(client)
        return
    from web.running import server
    from web.settings import Settings

    settings = Settings(data=data) if data is not None else Settings()
    found = server(settings)
    if found is None:
        raise ApiError(
            f"no server runs on {settings.data.absolute()}: start `meshscope serve`, or name one with --url"
        )
    with (
        _signed_in(settings, found, token) as headers,
        httpx.Client(base_url=found, headers=headers, timeout=TIMEOUT) as client,
    ):
        yield Api(client)


@contextmanager
def _signed_in(settings: Settings, url: str, token: str) -> Iterator[dict[str, str]]:
    """The headers of a request."""
    if token or settings.auth == "off":
        yield _bearer(token)
        return
    from store.engines import control_engine
    from web.auth import Auth, csrf_token
    from web.gate import CSRF_HEADERS, CookieNames

    database = settings.control_url.get_secret_value() if settings.control_url else None
    engine = control_engine(database, settings.data)
    auth = Auth(engine)
    _, secret = auth.use_login_link(auth.issue_login_link())
    try:
        cookie = f"{CookieNames(urlsplit(url).port or 80).session}={secret}"
        # What is sent with a change by cookie, as the console does (web/gate.py).
        yield {"cookie": cookie, "origin": url, CSRF_HEADERS[0]: csrf_token(secret)}
    finally:
        auth.leave(secret)
        engine.dispose()


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}
