"""A Chromium for the browser tests: one that is there, else Playwright's own, else Debian's package.

``python -m tests.browser`` gets one and prints where it is; exit code 1 and a reason when none can be had.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def flags() -> list[str]:
    """Command-line flags; Chromium's sandbox does not work for root."""
    return [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def find() -> Path | None:
    """A Chromium that is installed: ``$CHROMIUM``, one on the PATH, or Playwright's own."""
    if given := os.environ.get("CHROMIUM"):
        return Path(given)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    return _playwrights_own()


def _playwrights_own() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None


def _download() -> None:
    _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _from_debian() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])


def _run(command: list[str]) -> None:
    """Whether it worked is seen by looking for the browser afterwards."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )


def get() -> Path | None:
    """Find one, else install one."""
    steps: tuple[Callable[[], None], ...] = (lambda: None, _download, _from_debian)
    for step in steps:
        step()
        if found := find():
            return found
    return None


if __name__ == "__main__":
    browser = get()
    if browser is None:
        sys.exit(
            "The browser tests need Chromium. None is installed, Playwright could not download its own, and Debian's "
            "package could not be installed. Install Chromium or Chrome, or name one in CHROMIUM=/path."
        )
    print(f"browser: {browser}")
