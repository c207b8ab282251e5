"""Where the server of a data folder listens, so that other commands of this machine find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web.settings import Settings

_ANY = ("127.0.0.1", "::1", "0.0.0.0", "::")


def address(host: str, port: int) -> str:
    """The console's address as a person types it."""
    return f"http://{'localhost' if host in _ANY else host}:{port}"


def url(settings: Settings) -> str:
    """The address of the server that runs on this data folder; without one, of the one that would."""
    try:
        port = int(_note(settings).read_text("ascii"))
    except (OSError, ValueError):
        port = settings.http_port
    return address(settings.host, port)


@contextmanager
def noted(settings: Settings, port: int) -> Iterator[None]:
    """Note the HTTP port in the data folder for as long as the server runs."""
    note = _note(settings)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{port}\n", "ascii")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _note(settings: Settings) -> Path:
    return settings.data / "http.port"
