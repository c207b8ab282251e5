"""Settings that cannot be read are named where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from web.settings import Settings
from web.sources import SettingsFileError, explain, unknown_variables


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "meshscope.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"http_port = 1\nhost =\n", "line 2"),
        (b'host = "\xff"\n', "utf-8"),
        (b"htpp_port = 1\n", r"^meshscope\.toml: htpp_port is not a setting; did you mean http_port\?$"),
        (b"[meshscope]\nhost = 1\n", "meshscope is not a setting"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(file: Path, text: bytes, words: str) -> None:
    file.write_bytes(text)
    with pytest.raises(SettingsFileError, match=words) as error:
        Settings()
    assert str(error.value).startswith("meshscope.toml: ")
    assert "\n" not in str(error.value)


def test_a_wrong_value_is_named_as_it_was_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('http_port = 70000\nxds_port = 1\nretention_calls = "3 days"\n')
    monkeypatch.setenv("MESHSCOPE_XDS_PORT", "many")
    with pytest.raises(ValidationError) as error:
        Settings()
    lines = sorted(line.partition(": Input")[0] for line in explain(error.value, Settings))
    assert lines == [
        "MESHSCOPE_XDS_PORT",
        "meshscope.toml: http_port",
        "meshscope.toml: retention_calls: '3 days' is not a duration such as 250ms, 2s, 15m, 12h or 3d",
    ]


def test_settings_that_do_not_go_together_are_explained_without_a_name(file: Path) -> None:
    file.write_text('auth = "off"\nhost = "0.0.0.0"\n')
    with pytest.raises(ValidationError) as error:
        Settings()
    (line,) = explain(error.value, Settings)
    assert line.startswith("MESHSCOPE_AUTH=off is refused on 0.0.0.0")


def test_a_variable_that_nobody_reads_is_found() -> None:
    environment = {
        "MESHSCOPE_HTPP_PORT": "1",
        "meshscope_data": "read in any case",
        "MESHSCOPE_BENCH_DATA": "of the measurements",
        "MESHSCOPE_ZZZ": "",
        "PATH": "",
    }
    assert list(unknown_variables(Settings, environment)) == [
        "MESHSCOPE_HTPP_PORT is not a setting and does nothing; did you mean MESHSCOPE_HTTP_PORT?",
        "MESHSCOPE_ZZZ is not a setting and does nothing",
    ]
