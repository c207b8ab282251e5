"""``meshscope policy``, against a publisher with a mesh."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from tests.web.api.conftest import make_app
from tests.web.mesh import Mesh
from tests.web.terminal.conftest import Run
from web.auth import Auth
from web.listen import HttpServer, bind, port_of
from web.policies.publish import Publisher

pytestmark = pytest.mark.anyio

TWO = """
name: slow
target: {service: shop/payments}
timeout: 2s
---
name: retries
target: {service: shop/checkout}
retry: {attempts: 2, on: [5xx]}
"""


@dataclass
class Terminal:
    run: Run
    file: Path
    environment: dict[str, str]

    async def __call__(self, *arguments: str, given: str = "") -> Result:
        return await self.run("policy", *arguments, given=given, **self.environment)

    async def ok(self, *arguments: str, given: str = "") -> str:
        done = await self(*arguments, given=given)
        assert done.exit_code == 0, done.output
        return done.stdout

    def write(self, text: str) -> str:
        self.file.write_text(text)
        return str(self.file)


@pytest.fixture
async def policy(run: Run, publisher: Publisher, mesh: Mesh, tmp_path: Path) -> AsyncIterator[Terminal]:
    auth, listener = Auth(mesh.database, mesh.clock), bind("127.0.0.1", 0, "", "")
    server = HttpServer(make_app(publisher, mesh, auth), listener)
    await server.start()
    url = f"http://127.0.0.1:{port_of(listener)}"
    environment = {"MESHSCOPE_URL": url, "MESHSCOPE_TOKEN": auth.create_token("ci")}
    yield Terminal(run, tmp_path / "rules.yaml", environment)
    await server.stop()


async def test_a_file_is_applied_and_exported(policy: Terminal, mesh: Mesh) -> None:
    file = policy.write(TWO)
    planned = await policy.ok("plan", "-f", file)
    assert "slow: valid" in planned
    assert "+timeout: 2s" in planned
    assert (await policy("diff", "-f", file)).exit_code == 1
    applied = await policy.ok("apply", "-f", file, "--reason", "release 7")
    assert applied.splitlines() == [
        "slow: revision 1 applied (2 acked)",
        "retries: revision 1 applied (1 acked)",
    ]
    assert "'timeout': '2s'" in mesh.checkout.rules()
    assert (await policy.ok("diff", "-f", file)).strip() == ""
    exported = await policy.ok("export")
    assert list(yaml.safe_load_all(exported)) == [
        {"name": "retries", "target": {"service": "shop/checkout"}, "retry": {"attempts": 2, "on": ["5xx"]}},
        {"name": "slow", "target": {"service": "shop/payments"}, "timeout": "2s"},
    ]
    assert (await policy.ok("diff", "-f", policy.write(exported))).strip() == ""
    assert json.loads(await policy.ok("export", "slow", "--json"))[0]["timeout"] == "2s"


async def test_what_is_wrong_is_said_with_field_and_fix(policy: Terminal) -> None:
    file = policy.write(
        TWO + "---\nname: canary\ntarget: {service: shop/payments}\nsplit: [{version: v9, weight: 100}]\n"
    )
    refused = await policy("apply", "-f", file)
    assert refused.exit_code == 1
    assert "error: split[0].version: shop/payments has no version v9. Use one of: v1, v2." in refused.stderr
    assert json.loads(await policy.ok("list", "--json"))["items"] == []
    assert (await policy("plan", "-f", file)).exit_code == 1


async def test_one_life(policy: Terminal, mesh: Mesh) -> None:
    await policy.ok("apply", "-f", policy.write(TWO))
    await policy.ok("apply", "-f", policy.write("name: slow\ntarget: {service: shop/payments}\ntimeout: 3s"))
    assert "off" not in await policy.ok("list")
    assert await policy.ok("toggle", "slow", "off") == "slow: revision 3 applied (2 acked)\n"
    assert "off" in await policy.ok("list")
    await policy.ok("rollback", "slow", "--to", "1")
    assert "timeout: 2s" in await policy.ok("show", "slow")
    assert await policy.ok("lease", "slow", "15m") == "slow: revision 4 done\n"
    assert json.loads(await policy.ok("show", "slow", "--json"))["expires_at"]
    assert "applied" in await policy.ok("lease", "slow", "end")
    lines = (await policy.ok("revisions", "slow")).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["5", "lease_ended"],
        ["4", "applied"],
        ["3", "applied"],
        ["2", "applied"],
        ["1", "applied"],
    ]
    assert await policy.ok("delete", "slow") == "slow: removed\n"
    assert (await policy("show", "slow")).exit_code == 1


async def test_a_schedule_is_steered(policy: Terminal) -> None:
    steps = (
        "split: [{version: v1, weight: 100}]\nsteps: {version: v2, schedule: [{weight: 5}, {weight: 100}]}"
    )
    await policy.ok("apply", "-f", policy.write(f"name: canary\ntarget: {{service: shop/payments}}\n{steps}"))
    await policy.ok("steps", "canary", "pause")
    assert "1 paused" in await policy.ok("list")
    assert (await policy("steps", "canary", "pause")).exit_code == 1
    await policy.ok("steps", "canary", "abort")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no policy in it"),
        ("a: [", "is no YAML"),
        ("- 1", "document 1: a policy is a mapping with a name"),
        (TWO + "---\nname: slow\n", "slow is given twice"),
    ],
)
async def test_a_file_that_is_none(policy: Terminal, text: str, said: str) -> None:
    done = await policy("apply", "-f", policy.write(text))
    assert (done.exit_code, said in done.stderr) == (2, True)


async def test_a_server_that_is_not_there(policy: Terminal) -> None:
    policy.environment["MESHSCOPE_URL"] = "http://127.0.0.1:9"
    assert (await policy("diff", "-f", policy.write(TWO))).exit_code == 3
    assert (await policy("list")).exit_code == 1


ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: canary, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: payments}]
  rules:
  - timeouts: {request: 2s}
    backendRefs: [{name: payments, port: 80}]
"""


async def test_a_route_of_the_gateway_api_is_a_policy_and_back(policy: Terminal, mesh: Mesh) -> None:
    await policy.ok("apply", "-f", policy.write(ROUTE))
    assert yaml.safe_load(await policy.ok("export", "canary")) == {
        "name": "canary",
        "target": {"service": "shop/payments", "route": {"path_prefix": "/", "headers": {}}},
        "timeout": "2s",
    }
    (route,) = yaml.safe_load_all(await policy.ok("export", "--as", "httproute"))
    assert (route["kind"], route["spec"]["rules"][0]["timeouts"]) == ("HTTPRoute", {"request": "2s"})


async def test_what_a_route_cannot_say_is_said(policy: Terminal) -> None:
    text = ROUTE.replace("- timeouts: {request: 2s}", "- sessionPersistence: {type: Cookie}")
    done = await policy("apply", "-f", policy.write(text))
    assert (done.exit_code, "sessionPersistence" in done.stderr) == (2, True)
    await policy.ok(
        "apply", "-f", policy.write("{name: limit, target: {service: shop/payments}, access: {}}")
    )
    done = await policy("export", "--as", "httproute")
    assert (done.exit_code, done.stderr.split(":")[:2]) == (1, ["error", " limit."])


async def test_policies_are_read_from_standard_input(policy: Terminal, mesh: Mesh) -> None:
    await policy.ok("apply", "-f", "-", given=TWO)
    named = [each["name"] for each in json.loads(await policy.ok("list", "--json"))["items"]]
    assert sorted(named) == ["retries", "slow"]
