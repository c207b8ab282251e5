"""One demo and one browser for all tests of a module."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests import browser as chromium

READY_WITHIN = 60.0
ARTEFACTS = Path("artefacts")


@dataclass(frozen=True)
class Demo:
    """A demo that runs."""

    process: subprocess.Popen[str]
    ports: dict[str, int]
    data: Path
    token: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports['http']}"

    def api(self) -> httpx.Client:
        """A client with an API token."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=20)

    def login_link(self) -> str:
        """A new link that signs in, as a person would ask for one."""
        return command(self.data, "login")


def meshscope() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("meshscope"))


def environment(data: Path) -> dict[str, str]:
    """Any free ports, data of its own."""
    ports = dict.fromkeys(("HTTP_PORT", "OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "XDS_PORT"), "0")
    return os.environ | {f"MESHSCOPE_{name}": value for name, value in (ports | {"DATA": str(data)}).items()}


def command(data: Path, *arguments: str) -> str:
    """What a command of ours prints."""
    done = subprocess.run(
        [meshscope(), *arguments], env=environment(data), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def start(data: Path, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, int]]:
    """``meshscope demo`` or ``serve``, until it says that it is ready."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "stderr.log").open("w") as log:
        process = subprocess.Popen(
            [meshscope(), *arguments], env=environment(data), stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise AssertionError((data / "stderr.log").read_text())
    ready = json.loads(line)
    assert ready.pop("event") == "ready"
    return process, ready


def stop(process: subprocess.Popen[str]) -> int:
    """As Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    code = process.wait(30)
    if process.stdout:
        process.stdout.close()
    return code


@pytest.fixture(scope="module")  # not longer: it would take half a core from all tests that follow
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """``meshscope demo`` with authentication on; its mesh is whole when the fixture is."""
    data = tmp_path_factory.mktemp("demo")
    process, ports = start(data, "demo", "--no-browser", "--rate", "30")
    try:
        token = command(data, "token", "create", "tests")
        running = Demo(process, ports, data, token)
        with running.api() as api:
            wait_for(lambda: len(graph(api)["edges"]) >= 15, READY_WITHIN, "the mesh on the graph")
        yield running
    finally:
        code = stop(process)
    assert code == 0, (data / "stderr.log").read_text()[-3000:]


def graph(api: httpx.Client, window: str = "now-10s") -> dict[str, Any]:
    """The graph, destinations expanded."""
    answer = api.get("/api/v1/graph", params={"start": window, "messaging": "expanded"})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until ``condition()`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Ended with its module: Playwright's loop would be in the way of async tests."""
    path = chromium.find()
    assert path is not None, "no browser: run `make browser`"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(path), headless=True, args=chromium.flags())
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Demo) -> StorageState:
    """The cookies of somebody who opened a link that signs in."""
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(demo.login_link())
    opened.wait_for_url("**/ui/graph")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(
    browser: Browser, demo: Demo, signed_in: StorageState, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A signed-in page. Fails on any console error, page error, or request that leaves the server."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
        base_url=demo.url,
        storage_state=signed_in,
    )
    opened = context.new_page()
    errors: list[str] = []
    outside: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    opened.on("request", lambda r: outside.append(r.url) if _leaves(r.url, demo.url) else None)
    yield opened
    ARTEFACTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name)
    opened.screenshot(path=ARTEFACTS / f"{name}.png")
    context.close()
    assert not errors, errors
    assert not outside, outside


def _leaves(url: str, origin: str) -> bool:
    return not url.startswith((origin, "data:", "blob:"))
