"""The wheel of proxy_plugin: installs alone, weighs little, and needs no more than it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "proxy_plugin"
MOST_BYTES = 250_000
HEAVY = {"collector", "envoy", "google", "grpc", "numpy", "polars", "store", "structlog", "web", "yaml"}
"""Top-level names that a service with the library has no use for."""
PURE = {f"proxy_plugin.envoy.{name}" for name in ("facts", "matching", "mesh", "rules")}
"""Values and rules, shared with the sidecars; they know nothing of Envoy's API."""
ALONE = """
import json, sys
import proxy_plugin.asgi, proxy_plugin.httpx
member = proxy_plugin.httpx.Member("shop/checkout", upstreams={"shop/payments": "http://127.0.0.1:1"})
proxy_plugin.httpx.MeshTransport(member)
json.dump(sorted(sys.modules), sys.stdout)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and what it requires without extras, and nothing else: as an installer would fill it."""
    folder = tmp_path_factory.mktemp("bare")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (info,) = folder.glob("*.dist-info")
    for found in _closure(Distribution.at(info), {}).values():
        for file in found.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


def _closure(of: Distribution, found: dict[str, Distribution]) -> dict[str, Distribution]:
    for name in _required(of):
        if name not in found:
            found[name] = distribution(name)
            _closure(found[name], found)
    return found


def _required(of: Distribution) -> Iterator[str]:
    for line in of.requires or ():
        condition = line.partition(";")[2]
        if "extra ==" not in condition and "python_" not in condition and "platform" not in condition:
            yield re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"proxy_plugin"}
    wanted = {f"proxy_plugin/{name}" for name in ("httpx.py", "asgi.py", "py.typed", "library/member.py")}
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith("proxy_plugin/demo/") or "test" in name]


def test_it_weighs_little(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES


def test_it_runs_with_what_it_requires_and_loads_nothing_of_the_rest(bare: Path) -> None:
    """`-S`: nothing of this environment; the folder is all there is beside Python itself."""
    code = f"import sys; sys.path.insert(0, {str(bare)!r}){ALONE}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert not HEAVY & {name.split(".")[0] for name in loaded}
    assert not [name for name in loaded if name.startswith("opentelemetry.sdk")]
    assert {name for name in loaded if name.startswith("proxy_plugin.envoy.")} == PURE
    assert not HEAVY & {entry.name for entry in bare.iterdir()}
