"""What is logged, where, and how."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from web import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    said = capsys.readouterr()
    assert not said.out, "stdout is for scripts"
    return said.err.splitlines()


def test_our_lines_and_those_of_libraries_are_json_alike(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger().info("ours", port=1)
    logging.getLogger("library").warning("theirs")
    logging.getLogger("alembic").info("too much")
    ours, theirs = (json.loads(line) for line in lines(capsys))
    assert (ours["event"], ours["level"], ours["port"]) == ("ours", "info", 1)
    assert (theirs["event"], theirs["level"]) == ("theirs", "warning")


def test_a_traceback_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    try:
        raise ValueError("why")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines(capsys)
    assert "ValueError: why" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["small debug", "great info", "small warning"]),
        ("info", ["great info", "small warning"]),
        ("warning", ["small warning"]),
    ],
)
def test_minor_events_are_for_who_debugs(
    level: str, seen: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning is never minor."""
    logs.configure(level, "json", minor={"small"})
    log = structlog.get_logger()
    log.info("small")
    log.info("great")
    log.warning("small")
    found = [json.loads(line) for line in lines(capsys)]
    assert [f"{entry['event']} {entry['level']}" for entry in found] == seen
