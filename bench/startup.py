"""How long a start takes: both migrations, and ``serve`` until it is ready, beside a bare start of Python.

``python -m bench.startup``. The bare start imports what ``serve`` imports, so that what is left is our own work.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Engine

from bench import server
from bench.result import Result
from store.engines import control_engine, telemetry_engine
from store.migrate import History, migrate

_ROUNDS: Final = 5
_BARE: Final = "bare start with imports"


def run() -> Result:
    """Least of some rounds of each."""
    best: dict[str, float] = {}
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
            for name, seconds in _round(Path(folder)).items():
                best[name] = min(best.get(name, seconds), seconds)
    bare = best[_BARE]
    lines = [f"{'what':<28}{'s':>7}{'× bare':>9}"]
    lines += [f"{name:<28}{seconds:>7.2f}{seconds / bare:>9.3f}" for name, seconds in best.items()]
    return Result("startup", "\n".join(lines), {_figure(n): round(s / bare, 4) for n, s in best.items()})


def _figure(name: str) -> str:
    return f"{name.replace(',', '').replace(' ', '_')}_over_bare"


def _round(folder: Path) -> dict[str, float]:
    """What is measured → s."""
    data = folder / "data"
    return {
        _BARE: _timed(_bare),
        "serve, new data": _timed(lambda: _serve(data)),
        "serve, the same data": _timed(lambda: _serve(data)),
        **_migrations(telemetry_engine(None, folder / "t"), "telemetry"),
        **_migrations(control_engine(None, folder / "c"), "control"),
    }


def _migrations(engine: Engine, history: History) -> dict[str, float]:
    try:
        return {
            f"migrate {history}": _timed(lambda: migrate(engine, history)),
            f"migrate {history} again": _timed(lambda: migrate(engine, history)),
        }
    finally:
        engine.dispose()


def _timed(action: Callable[[], float | None]) -> float:
    """What ``action`` took, in s; what it gives is taken off."""
    began = time.perf_counter()
    return -(action() or 0.0) - began + time.perf_counter()


def _bare() -> None:
    subprocess.run([sys.executable, "-c", "import web.cli, web.main"], check=True)


def _serve(data: Path) -> float:
    """Until it is ready; gives how long its end took."""
    with server.serve(data):
        ready = time.perf_counter()
    return time.perf_counter() - ready


def main() -> None:
    """The command line."""
    run().show()


if __name__ == "__main__":
    main()
