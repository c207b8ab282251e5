"""Commands that pages tell people to type, with the addresses of the running server."""

from __future__ import annotations

from typing import Final

from web import running
from web.listen import Ports
from web.settings import Settings

_EXAMPLE: Final = "meshscope sidecar --service shop/checkout --app-port 3000 --upstreams payments"
_DEFAULTS: Final = {"--control": "127.0.0.1:18000", "--telemetry": "127.0.0.1:4317"}
"""As in `web.cli`; a test compares."""
_HERE: Final = ("127.0.0.1", "localhost", "0.0.0.0", "::")


def sidecar(settings: Settings, ports: Ports) -> str:
    """`meshscope sidecar …`; flags that say what is the default anyhow are left out."""
    host = "127.0.0.1" if settings.host in _HERE else settings.host
    wanted = {"--control": f"{host}:{ports.xds}", "--telemetry": f"{host}:{ports.otlp_grpc}"}
    flags = [f"{flag} {address}" for flag, address in wanted.items() if address != _DEFAULTS[flag]]
    return " \\\n  ".join([_EXAMPLE, *flags])


def exporter(settings: Settings, ports: Ports) -> str:
    """The environment of an app that sends its own traces."""
    return f"export OTEL_EXPORTER_OTLP_ENDPOINT={running.address(settings.host, ports.otlp_http)}"
