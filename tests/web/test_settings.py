"""Settings: where they come from, what is refused, and that the README lists them all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from web.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def test_every_setting_is_in_the_readme() -> None:
    rows = {
        line.split("|")[1].strip(" `")
        for line in README.read_text().splitlines()
        if line.startswith("| `MESHSCOPE_")
    }
    assert rows == {f"MESHSCOPE_{name.upper()}" for name in Settings.model_fields}


def test_the_readme_shows_the_defaults() -> None:
    rows = {
        r.split("|")[1].strip(" `"): r.split("|")[2].strip(" `")
        for r in README.read_text().splitlines()
        if r.startswith("| `MESHSCOPE_")
    }
    plain = {
        name: f.default for name, f in Settings.model_fields.items() if isinstance(f.default, (str, int))
    }
    assert {k: rows[f"MESHSCOPE_{k.upper()}"] for k in plain} == {k: str(v) for k, v in plain.items()}


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meshscope.toml").write_text('http_port = 1234\nretention_spans = "12h"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESHSCOPE_HTTP_PORT", "4321")
    read = Settings()
    assert (read.http_port, read.retention_spans) == (4321, timedelta(hours=12))


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("2s", 2), ("1.5m", 90), ("12h", 43200), ("3d", 259200)]
)
def test_durations(text: str, seconds: float) -> None:
    assert Settings(retention_calls=text).retention_calls.total_seconds() == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"retention_spans": "3 days"}, "is not a duration"),
        ({"http_port": 70000}, "less than or equal to 65535"),
        ({"auth": "off", "host": "0.0.0.0"}, "refused"),
        ({"no_such": 1}, "Extra inputs"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**given)  # type: ignore[arg-type]


def test_a_password_is_not_shown() -> None:
    url = "clickhousedb://user:hunter2@host/db"
    assert "hunter2" not in repr(Settings(telemetry_url=url))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["٣d", "²s", "9" * 400 + "d", "1.d", ".5d"])
def test_digits_of_durations_are_ascii_and_few(text: str) -> None:
    with pytest.raises(ValidationError, match="not a duration"):
        Settings(retention_spans=text)  # type: ignore[arg-type]
