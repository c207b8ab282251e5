"""``meshscope sidecar`` beside a person's own apps, and what happens when Envoy refuses a configuration."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from proxy_plugin.envoy.ports import free_ports
from tests.e2e.conftest import command, environment, graph, meshscope, wait_for

WORDS = "missing ]"  # Envoy's own, for the regular expression "(["


@contextmanager
def running(arguments: list[str], env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=env,
    )
    try:
        yield process
    finally:
        process.terminate()
        with process:
            process.wait(20)


@contextmanager
def app(port: int) -> Iterator[None]:
    with running([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]):
        wait_for(lambda: _answers(port), 10, "the app")
        yield


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def sidecar(ports: dict[str, int], *arguments: str) -> Iterator[dict[str, int]]:
    """Its ports, when it is ready."""
    where = ["--control", f"127.0.0.1:{ports['xds']}", "--telemetry", f"127.0.0.1:{ports['otlp_grpc']}"]
    with running([meshscope(), "sidecar", *where, *arguments]) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def test_own_apps_join_and_a_refused_rule_leaves_them_alone(tmp_path: Path, browser: Browser) -> None:
    front, back = free_ports(2, "127.0.0.1")
    env = environment(tmp_path) | {"PYTHONPATH": os.getcwd()}
    with running([sys.executable, "-m", "tests.e2e.stale_rule"], env) as server, app(front), app(back):
        assert server.stdout is not None
        assert server.stdin is not None
        ports = json.loads(server.stdout.readline())
        token = command(tmp_path, "token", "create", "tests")
        url = f"http://localhost:{ports['http']}"
        with (
            sidecar(ports, "--service", "shop/back", "--app-port", str(back)),
            sidecar(
                ports, "--service", "shop/front", "--app-port", str(front), "--upstreams", "back"
            ) as mine,
            httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as api,
        ):

            def call() -> int:
                return httpx.get(
                    f"http://127.0.0.1:{mine['outbound']}/", headers={"host": "back"}
                ).status_code

            wait_for(lambda: call() == 200, 15, "a call through both sidecars")
            wait_for(lambda: "shop/front" in _callers(api, "shop/back"), 10, "the call on the graph")

            server.stdin.write("now\n")
            server.stdin.flush()
            wait_for(lambda: WORDS in _refusals(api), 10, "Envoy's words in the API")
            assert call() == 200, "the old configuration serves on"
            context = browser.new_context(base_url=url)
            page = context.new_page()
            page.goto(command(tmp_path, "login"))
            page.goto("/ui/proxies")
            expect(page.locator("main")).to_contain_text(WORDS)
            context.close()


def _callers(api: httpx.Client, target: str) -> list[str]:
    return [edge["source"] for edge in graph(api)["edges"] if edge["target"] == target]


def _refusals(api: httpx.Client) -> str:
    proxies = api.get("/api/v1/proxies").json()["items"]
    return " ".join(t["error"] or "" for p in proxies for t in p["types"].values() if t["state"] == "nacked")


def test_what_is_wrong_with_a_sidecar_is_said_in_one_line() -> None:
    done = subprocess.run(
        [meshscope(), "sidecar", "--service", "a", "--app-port", "80", "--upstreams", "http://x"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "is not a target" in done.stderr or "is not host:port" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("setting", ["HTTP_PORT", "OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "XDS_PORT"])
def test_serve_names_the_port_that_is_taken(tmp_path: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = environment(tmp_path) | {f"MESHSCOPE_{setting}": str(port)}
        done = subprocess.run([meshscope(), "serve"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert f"MESHSCOPE_{setting}" in done.stderr
