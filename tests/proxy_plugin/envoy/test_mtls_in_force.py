"""mTLS on real sidecars: its steps under load, who is refused, certificates that change while calls go on.

One mesh for the file: front → checkout → payments (v1, v2).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from proxy_plugin.envoy.identity import Authority, Identities
from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.resources.values import Json
from proxy_plugin.policy import TrafficPolicy
from tests.proxy_plugin.load import Load
from tests.proxy_plugin.values import policy
from tests.proxy_plugin.world import World, until

pytestmark = pytest.mark.anyio

OFF = policy("mtls", mtls="off")
PERMISSIVE = policy("mtls", mtls="permissive")
STRICT = policy("mtls", mtls="strict")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Mistaken(Identities):
    """Gives the proxies in `as_front` a certificate of the service front."""

    def __init__(self) -> None:
        super().__init__(renew_after=timedelta(seconds=3))
        self.as_front: set[str] = set()

    def secrets(self, sidecar: Sidecar) -> dict[str, Json]:
        wrong = sidecar.instance in self.as_front
        return super().secrets(replace(sidecar, service="front") if wrong else sidecar)


@pytest.fixture(scope="module")
def identities() -> Mistaken:
    return Mistaken()


@pytest.fixture(scope="module")
async def mesh(identities: Mistaken) -> AsyncIterator[World]:
    async with World.small(identities=identities) as small:
        yield small


@pytest.fixture
async def world(mesh: World) -> World:
    """Without policies."""
    await push(mesh)
    return mesh


async def push(world: World, *policies: TrafficPolicy) -> None:
    result = await world.control.push(policies, validate=False)
    assert result.ok, result


async def plain(world: World, name: str = "payments-v1") -> int | str:
    """A call from outside the mesh, straight to a sidecar."""
    async with httpx.AsyncClient(trust_env=False) as stranger:
        try:
            return (await stranger.get(f"http://127.0.0.1:{world.sidecar(name).inbound_port}/")).status_code
        except httpx.TransportError as error:
            return type(error).__name__


async def test_no_call_fails_at_any_step(world: World) -> None:
    async with Load(world.get) as load:
        for step in (PERMISSIVE, STRICT, PERMISSIVE, OFF, STRICT, OFF):
            before = load.total
            await push(world, step)
            await until(lambda: load.total > before + 100)  # noqa: B023
    assert set(load.outcomes) == {"200"}, load.outcomes


async def test_a_long_call_outlasts_every_step(world: World) -> None:
    """It began in plain text; another one began in TLS when that was required."""
    backends = [world.backends["payments-v1"], world.backends["payments-v2"]]
    calls = []
    for step in (PERMISSIVE, STRICT, PERMISSIVE, OFF):
        for backend in backends:
            backend.hold.clear()
        calls.append(asyncio.create_task(world.get()))
        await until(lambda: sum(backend.waiting for backend in backends) == len(calls))
        await push(world, step)
    for backend in backends:
        backend.hold.set()
    assert [(await call).status_code for call in calls] == [200] * 4


async def test_who_may_speak_plain_text(world: World) -> None:
    assert await plain(world) == 200
    await push(world, PERMISSIVE)
    assert await plain(world) == 200
    await push(world, STRICT)
    assert await plain(world) in ("ReadError", "RemoteProtocolError")
    assert await world.apps(4) == {"payments-v1": 2, "payments-v2": 2}
    assert await plain(world, "checkout") == 200  # only payments asks for more
    await push(world)
    assert await plain(world) == 200


def context(
    folder: Path, authority: Authority, service: str, trusted: Authority, server: bool
) -> ssl.SSLContext:
    """TLS as `service`, with a certificate of `authority`; trusts `trusted`."""
    issued = authority.issue(service)
    chain, roots = folder / "chain.pem", folder / "roots.pem"
    chain.write_bytes(issued.certificate + issued.key)
    roots.write_bytes(trusted.certificate())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(chain)
    made.load_verify_locations(roots)
    return made


async def call_as(world: World, tls: ssl.SSLContext) -> tuple[int | str, str]:
    """Straight to payments-v1 with these certificates; the status, or what went wrong, and the TLS version."""
    port = world.sidecar("payments-v1").inbound_port
    async with httpx.AsyncClient(trust_env=False, verify=tls) as stranger:
        try:
            answer = await stranger.get(
                f"https://127.0.0.1:{port}/", headers={"x-meshscope-source": "shop/checkout"}
            )
        except (httpx.TransportError, ssl.SSLError) as error:  # the server's alert comes with the first read
            return str(error), ""
        return answer.status_code, answer.extensions["network_stream"].get_extra_info("ssl_object").version()


async def test_a_certificate_of_another_authority_is_refused(
    world: World, identities: Mistaken, tmp_path: Path
) -> None:
    await push(world, STRICT)
    ours, theirs = identities.authority(), Authority.new()
    status, version = await call_as(world, context(tmp_path, ours, "shop/checkout", ours, server=False))
    assert (status, version) == (200, "TLSv1.3")
    status, _ = await call_as(world, context(tmp_path, theirs, "shop/checkout", ours, server=False))
    assert isinstance(status, str)  # an alert, or a connection that is cut


async def test_access_believes_the_certificate_and_not_the_header(
    world: World, identities: Mistaken, tmp_path: Path
) -> None:
    """Both strangers say that they are checkout; one can prove it."""
    await push(world, STRICT, policy("doors", access={"allow": ["shop/checkout"]}))
    ours = identities.authority()
    assert (await call_as(world, context(tmp_path, ours, "shop/front", ours, server=False)))[0] == 403
    assert (await call_as(world, context(tmp_path, ours, "shop/checkout", ours, server=False)))[0] == 200
    assert await world.apps(4) == {"payments-v1": 2, "payments-v2": 2}


async def test_access_holds_at_every_step(world: World) -> None:
    doors = policy("doors", access={"allow": ["shop/checkout"]})
    await push(world, doors)
    async with Load(world.get) as load:
        for step in (STRICT, OFF):
            before = load.total
            await push(world, step, doors)
            await until(lambda: load.total > before + 100)  # noqa: B023
    assert set(load.outcomes) == {"200"}, load.outcomes


async def test_callers_look_who_answers(world: World, identities: Mistaken) -> None:
    """The sidecar of payments-v2 has a certificate of the mesh, but of another service."""
    identities.as_front.add("payments-v2")
    await push(world, PERMISSIVE)
    answers = [await world.get() for _ in range(4)]
    identities.as_front.clear()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    assert {answer.json()["app"] for answer in answers if answer.is_success} == {"payments-v1"}
    shown = (await world.envoys["payments-v2"].admin.get("/certs")).text
    assert "spiffe://mesh.local/ns/shop/sa/front" in shown
    await push(world)
    await push(world, PERMISSIVE)
    assert await world.apps(4) == {"payments-v1": 2, "payments-v2": 2}


async def serial(world: World, name: str) -> str:
    found = (await world.envoys[name].admin.get("/certs")).json()["certificates"]
    return str(next(chain["serial_number"] for each in found for chain in each.get("cert_chain", [])))


async def test_certificates_change_and_no_call_fails(world: World) -> None:
    await push(world, STRICT)
    names = ("payments-v1", "checkout")
    first = [await serial(world, name) for name in names]
    async with Load(world.get) as load, asyncio.timeout(10):
        while any([await serial(world, name) in first for name in names]):
            pass
        before = load.total
        await until(lambda: load.total > before + 100)
    assert set(load.outcomes) == {"200"}, load.outcomes


async def test_no_key_is_shown(world: World, caplog: pytest.LogCaptureFixture) -> None:
    rendering = await world.control.render([STRICT])
    assert rendering.ok, rendering.refusals()
    assert "workload_cert" in str(rendering)
    assert "inline_bytes" not in str(rendering)
    await push(world, STRICT)
    (dump,) = {await _secrets(world, "payments-v1")}
    assert "[redacted]" in dump or "W3JlZGFjdGVkXQ==" in dump
    assert "inline_bytes" not in str(world.control.proxies())


async def _secrets(world: World, name: str) -> str:
    return (await world.envoys[name].admin.get("/config_dump?resource=dynamic_active_secrets")).text


async def test_strict_waits_for_nobody_who_is_away(world: World) -> None:
    """A caller that is not connected may still speak plain text: the push is taken back, calls go on."""
    await world.add("cart", "shop/cart", upstreams=["payments"])
    await world.ready()
    await world.envoys.pop("cart").kill()
    await until(lambda: sum(proxy.connected for proxy in world.control.proxies()) == 4)
    assert "shop/cart" in world.control.mesh().services()
    result = await world.control.push([STRICT], validate=False)
    assert (result.ok, result.reverted, result.restored) == (False, True, True)
    assert [(each.instance, each.type) for each in result.pending] == [("cart", "CDS")]
    assert await plain(world) == 200
    await until(lambda: "shop/cart" not in world.control.mesh().services())
    await push(world, STRICT)
    assert await plain(world) != 200


async def test_a_strict_push_that_is_given_up_goes_back_step_by_step(world: World) -> None:
    async with Load(world.get) as load:
        published = asyncio.Event()
        pushing = asyncio.create_task(world.control.push([STRICT], validate=False, published=published))
        await published.wait()
        pushing.cancel()
        await asyncio.wait({pushing})
        assert world.control.policies() == ()
        await until(lambda: not world.control.mesh().underway and world.in_agreement())
        before = load.total
        await until(lambda: load.total > before + 100)
    assert set(load.outcomes) == {"200"}, load.outcomes
    assert await plain(world) == 200


async def test_without_an_authority_nothing_is_sent(tmp_path: Path) -> None:
    """The dry run says why; who speaks plain text goes on."""
    (tmp_path / "authority.pem").write_text("broken")
    (tmp_path / "authority.pem").chmod(0o600)
    async with World.small(identities=Identities(tmp_path)) as small:
        result = await small.control.push([STRICT])
        assert (result.ok, small.control.policies()) == (False, ())
        assert "authority.pem" in result.refused[0]
        assert await small.apps(4) == {"payments-v1": 2, "payments-v2": 2}
