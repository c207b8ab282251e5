"""Watches a service mesh and steers it."""

# Commands import what they need: `meshscope login` answers in a moment, `serve` brings in everything. Over 300 lines:
# each command says its options here, where the others are; what they do is elsewhere.

from __future__ import annotations

import asyncio
import json
import os
import sys
import webbrowser
from collections.abc import Container, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from web.terminal.breakers import breakers
from web.terminal.calls import calls
from web.terminal.events import events
from web.terminal.graph import graph
from web.terminal.policies import policies
from web.terminal.traces import traces

if TYPE_CHECKING:
    from web.auth import Auth
    from web.settings import Settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
tokens = typer.Typer(no_args_is_help=True, help="API tokens, for scripts.")
cli.add_typer(tokens, name="token")
cli.add_typer(events, name="events")
cli.add_typer(policies, name="policy")
cli.command()(calls)
cli.command()(traces)
cli.command()(graph)
cli.command()(breakers)

# One line for each of 13 proxies: who runs the demo wants to see the lines that matter.
_MINOR_IN_DEMO = ("envoy_started", "proxy_joined", "proxy_left")


def main() -> None:
    """Entry point; what is wrong is said in one line, without a traceback."""
    os.umask(0o077)  # what we keep is for this user alone, also in a folder that others may read
    # Read when gRPC is imported: its fork handlers only complain, since every child of ours is another program.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    try:
        cli()
    except Exception as error:
        _explain(error)
        raise


def _explain(error: Exception) -> None:
    """End with one line for what a user can mend; return for what only a developer can."""
    from pydantic import ValidationError

    from store.engines import StoreError
    from web.listen import PortTaken
    from web.settings import Settings
    from web.sources import SettingsFileError, explain

    if isinstance(error, (StoreError, PortTaken)):
        _fail(str(error))
    if isinstance(error, SettingsFileError):
        _say(str(error))
        raise SystemExit(2)
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        for line in explain(error, Settings):
            _say(line)
        raise SystemExit(2)


def _say(message: str) -> None:
    print(f"meshscope: {message}", file=sys.stderr)


def _fail(message: str) -> NoReturn:
    _say(message)
    raise SystemExit(1)


def _run(coroutine: Coroutine[Any, Any, int]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raise typer.Exit(runner.run(coroutine))


def _settings(data: Path | None, minor: Container[str] = ()) -> Settings:
    from web import logs
    from web.settings import Settings

    settings = Settings(data=data) if data is not None else Settings()
    logs.configure(settings.log_level, settings.log_format, minor)
    return settings


def _settings_to_serve(data: Path | None, minor: Container[str] = ()) -> Settings:
    """Also says which variables do nothing. Fails where a server runs on the folder already."""
    from web.running import server
    from web.settings import Settings
    from web.sources import unknown_variables

    settings = _settings(data, minor)
    for line in unknown_variables(Settings, os.environ):
        _say(line)
    # The embedded store would find out too, and write its own view of it to stderr first.
    if settings.telemetry_url is None and (url := server(settings)):
        _fail(
            f"a Meshscope runs on {settings.data.absolute()} already, at {url}: "
            "stop it, or give this one another folder with --data or MESHSCOPE_DATA"
        )
    return settings


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"meshscope {version('meshscope')}")
        raise typer.Exit


@cli.callback(help=__doc__)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What comes before a command."""


Data = Annotated[Path | None, typer.Option(help="Folder of the embedded stores (MESHSCOPE_DATA).")]


@cli.command("serve")
def serve_command(data: Data = None) -> None:
    """Receivers, linker, store, API, console, control plane: everything in one process."""
    _run(_serve(_settings_to_serve(data)))


async def _serve(settings: Settings) -> int:
    from web.main import serve
    from web.running import invitation
    from web.signals import stop_signal

    stop = stop_signal()
    async with serve(settings) as running:
        if not stop.is_set():
            running.announce()
            print(invitation(settings, await running.login_link()), file=sys.stderr, flush=True)
        await stop.wait()
    return 0


@cli.command()
def demo(
    browser: Annotated[bool, typer.Option(help="Open the console in a browser.")] = True,
    duration: Annotated[float | None, typer.Option(min=1, help="End after so many seconds.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Requests per second at the edge.")] = 50.0,
    data: Data = None,
) -> None:
    """The server and a real mesh: small services behind real Envoy sidecars, with load."""
    from web.demo import run_demo

    settings = _settings_to_serve(data, _MINOR_IN_DEMO)
    _run(run_demo(settings, browser=webbrowser.open if browser else None, duration=duration, rate=rate))


@cli.command()
def sidecar(
    service: Annotated[str, typer.Option(help="namespace/name or name of the service.")],
    app_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the app on this machine.")],
    upstreams: Annotated[
        str,
        typer.Option(
            help="Who it may call: name, namespace/name, or host:port[=address:port]; commas between."
        ),
    ] = "",
    version: Annotated[str, typer.Option(help="Version of the app.")] = "v1",
    instance: Annotated[str, typer.Option(help="Name of this instance; default: one is made up.")] = "",
    control: Annotated[str, typer.Option(help="Where the control plane listens.")] = "127.0.0.1:18000",
    telemetry: Annotated[str, typer.Option(help="Where OTLP/gRPC goes.")] = "127.0.0.1:4317",
) -> None:
    """A real Envoy beside one app, joined to the control plane."""
    # Over 40 lines: an option with its help in each line.
    from proxy_plugin.envoy.bootstrap import ControlAddress, TelemetryTarget
    from proxy_plugin.envoy.ports import PortBusyError
    from proxy_plugin.envoy.sidecar import plan_sidecar, run_sidecar
    from web import logs
    from web.signals import stop_signal

    logs.configure("info", "console")
    names = [name.strip() for name in upstreams.split(",") if name.strip()]
    try:
        plan = plan_sidecar(service, app_port, upstreams=names, version=version, instance=instance)
        addresses = ControlAddress(*_address(control)), TelemetryTarget(*_address(telemetry))
    except ValueError as error:
        _fail(str(error))

    def ready(joined: Any) -> None:
        line = {"event": "ready", "node_id": joined.node_id}
        line |= {"inbound": joined.inbound_port, "outbound": joined.outbound_port, "admin": joined.admin_port}
        print(json.dumps(line), flush=True)

    async def run() -> int:
        return await run_sidecar(plan, *addresses, stop=stop_signal(), ready=ready)

    try:
        _run(run())
    except PortBusyError as error:
        _fail(str(error))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{text!r} is not host:port")
    return host, int(port)


@cli.command()
def migrate(data: Data = None) -> None:
    """Bring both databases to the newest schema; ``serve`` does so when it starts."""
    from web.main import databases

    for engine in databases(_settings(data)):
        engine.dispose()
    print("both databases are at the newest schema")


@cli.command()
def check(data: Data = None) -> None:
    """Check settings, databases, ports and Envoy; say what to fix."""
    from web.check import findings

    words = {"ok": "ok  ", "warn": "warn", "fix": "FIX "}
    wrong = 0
    for finding in findings(_settings(data)):
        wrong += finding.kind == "fix"
        print(f"{words[finding.kind]} {finding.what}")
    raise typer.Exit(1 if wrong else 0)


@cli.command()
def login(data: Data = None) -> None:
    """Print a new link that signs in to the console, once."""
    from web.running import server, url

    settings = _settings(data)
    auth = _auth(settings)
    if server(settings) is None:
        nobody = f"no server runs on {settings.data.absolute()}: start `meshscope serve`"
        if settings.http_port == 0:
            _fail(f"{nobody}, it prints a link")
        _say(f"{nobody}, then open the link")
    print(f"{url(settings)}/login?token={auth.issue_login_link()}")


@tokens.command("create")
def create_token(name: str, data: Data = None) -> None:
    """Make an API token and show it, this once."""
    try:
        print(_auth(_settings(data)).create_token(name))
    except ValueError as error:
        _fail(str(error))


@tokens.command("list")
def list_tokens(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Names of the tokens, when they were made and last used."""
    found = [
        {"name": t.name, "created_at": str(t.created_at), "last_used_at": str(t.last_used_at or "never")}
        for t in _auth(_settings(data)).list_tokens()
    ]
    print(
        json.dumps(found) if as_json else "\n".join("  ".join(row.values()) for row in found) or "no tokens"
    )


@tokens.command("revoke")
def revoke_token(name: str, data: Data = None) -> None:
    """Make a token invalid at once."""
    if not _auth(_settings(data)).revoke_token(name):
        _fail(f"there is no token {name!r}")


def _auth(settings: Settings) -> Auth:
    """Tokens are in the control database, which several processes may open. Fails where there is none yet."""
    if settings.control_url is None and not (settings.data / "control.db").is_file():
        _fail(
            f"no Meshscope data in {settings.data.absolute()}: "
            "start `meshscope serve` there, or name it with --data or MESHSCOPE_DATA"
        )
    from store.engines import control_engine
    from store.migrate import migrate as migrate_database
    from web.auth import Auth

    url = settings.control_url.get_secret_value() if settings.control_url else None
    engine = control_engine(url, settings.data)
    migrate_database(engine, "control")
    return Auth(engine)
