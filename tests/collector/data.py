"""Real telemetry, kept beside the project and too large for it: tests that need it say so when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[3] / "shared" / "data"


def path(name: str) -> Path:
    """The file; skips the module's tests, with the reason, where there is none."""
    found = _FOLDER / name
    if not found.exists():
        pytest.skip(
            f"needs the real telemetry {found}, which is not part of the project", allow_module_level=True
        )
    return found
