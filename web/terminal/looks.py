"""A look at the server, or one after the other."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from web.terminal.api import Api, ApiError, connected

_CLEAR: Final = "\x1b[H\x1b[J"


def look(
    data: Path | None, url: str, token: str, show: Callable[[Api], str], *, every: float | None, clear: bool
) -> None:
    """Print what ``show`` makes of the server, once, or every so many seconds until Ctrl-C.

    Ends with one line and exit code 1 for what the server refuses.
    """
    try:
        with connected(data, url, token) as api:
            while True:
                text = show(api)
                typer.echo(f"{_CLEAR}{text}" if clear and sys.stdout.isatty() else text)
                if every is None:
                    return
                sys.stdout.flush()
                time.sleep(every)
    except ApiError as error:
        print(f"meshscope: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def width() -> int | None:
    """Of the terminal; None where there is none, and nothing need be shortened."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
