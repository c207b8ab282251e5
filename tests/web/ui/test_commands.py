from __future__ import annotations

import inspect

import pytest

from web import cli
from web.listen import Ports
from web.settings import Settings
from web.ui import commands

DEFAULT = Ports(8080, 4317, 4318, 18000)


@pytest.mark.parametrize("flag", ["control", "telemetry"])
def test_what_is_left_out_is_the_default_of_the_command(flag: str) -> None:
    default = inspect.signature(cli.sidecar).parameters[flag].default
    assert commands._DEFAULTS[f"--{flag}"] == default


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::"])
def test_with_the_default_ports_no_flag_is_needed_on_this_machine(host: str) -> None:
    assert "--control" not in commands.sidecar(Settings(host=host), DEFAULT)
    assert "--telemetry" not in commands.sidecar(Settings(host=host), DEFAULT)


def test_another_address_is_named_even_with_the_default_ports() -> None:
    shown = commands.sidecar(Settings(host="10.0.0.5"), DEFAULT)
    assert "--control 10.0.0.5:18000" in shown
    assert "--telemetry 10.0.0.5:4317" in shown
    assert commands.exporter(Settings(host="10.0.0.5"), DEFAULT).endswith("=http://10.0.0.5:4318")


def test_it_can_be_pasted() -> None:
    """A line that ends in a backslash goes on."""
    *lines, last = commands.sidecar(Settings(), Ports(1, 2, 3, 4)).splitlines()
    assert all(line.endswith(" \\") for line in lines)
    assert last.strip() == "--telemetry 127.0.0.1:2"
