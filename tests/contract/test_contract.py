"""What the server answers to anything is what its OpenAPI document says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.world import World, concrete

CONFIG = Path(__file__).with_name("schemathesis.toml")
ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
    "COLUMNS": "120",
    "NO_COLOR": "1",
}
FREE = ("/healthz", "/readyz", "/metrics")
"""No secrets, and asked for by programs of the same machine."""


def test_every_answer_is_as_described(world: World, tmp_path: Path) -> None:
    """Whatever is sent: no 5xx, only the statuses, types and schemas of the document, and nothing accepted
    that it forbids. Its command, not its plugin, which reaches into an older pytest."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG)]
    done = subprocess.run(
        [*command, "run", f"{world.url}/api/openapi.json"],
        env=os.environ | ENVIRONMENT | {"CONTRACT_TOKEN": world.token},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_nothing_is_told_to_who_is_not_signed_in(world: World) -> None:
    with world.client(signed_in=False) as nobody:
        told = {
            f"{method} {path}": nobody.request(method, concrete(path, operation)).status_code
            for method, path, operation in world.operations()
            if path not in FREE
        }
    assert told == dict.fromkeys(told, 401)
    assert len(told) > 12


def test_a_parameter_that_nobody_knows_is_refused(world: World) -> None:
    with world.client() as api:
        answers = {
            path: api.get(concrete(path, operation), params={"x-unknown": "1"})
            for _, path, operation in world.operations("get")
        }
    refused = {path: (answer.status_code, answer.json().get("known")) for path, answer in answers.items()}
    known = {
        path: sorted(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
        for _, path, operation in world.operations("get")
    }
    assert refused == {path: (400, names) for path, names in known.items()}


@pytest.mark.parametrize("path", FREE)
def test_some_answers_are_free(world: World, path: str) -> None:
    with world.client(signed_in=False) as nobody:
        assert nobody.get(path).status_code == 200
