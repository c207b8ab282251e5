"""Where the server of a data folder listens, so that other commands of this machine find it."""

from __future__ import annotations

import fcntl
import shlex
import shutil
import sys
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
    return server(settings) or address(settings.host, settings.http_port)


def server(settings: Settings) -> str | None:
    """The address of the server that runs on this data folder; None when none does.

    A server keeps its note locked: one that was killed leaves a note without a lock.
    """
    try:
        with _note(settings).open("rb+") as note:
            try:
                fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return address(settings.host, int(note.read()))
    except (OSError, ValueError):
        pass
    return None


@contextmanager
def noted(settings: Settings, port: int) -> Iterator[None]:
    """Note the HTTP port in the data folder for as long as the server runs."""
    file = _note(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as note:
        # Shared: with databases elsewhere, two servers may have one folder. Whoever asks locks for a moment only.
        fcntl.flock(note, fcntl.LOCK_SH)
        note.truncate(0)
        note.write(f"{port}\n".encode("ascii"))
        note.flush()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def invitation(settings: Settings, link: str, end: str = "Ctrl-C ends.") -> str:
    """What people are told at the end of a start: how they get in."""
    if settings.auth == "off":
        return f"Open {link} — {end}"
    return f"Another link: {login_command(settings)}\nOpen {link} — it signs you in once. {end}"


def login_command(settings: Settings) -> str:
    """The command that prints a new link, for any folder that it is typed in."""
    program = Path(sys.argv[0]).absolute()
    found = shutil.which("meshscope")
    name = str(program) if program.name == "meshscope" and found != str(program) else "meshscope"
    return shlex.join([name, "login", "--data", str(settings.data.absolute())])


def _note(settings: Settings) -> Path:
    return settings.data / "http.port"
