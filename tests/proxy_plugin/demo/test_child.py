"""The apps as processes of their own, here without Envoys: each app dials the next one directly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy_plugin.demo.child import AppsNotReadyError, AppsProcess
from proxy_plugin.demo.client import Client
from proxy_plugin.demo.layout import lay_out
from proxy_plugin.demo.placement import Dial, Place, Placement
from proxy_plugin.demo.ports import Ports
from proxy_plugin.demo.shop import SHOP
from tests.proxy_plugin.demo.otlp import receiving
from tests.proxy_plugin.demo.waiting import alive, until

pytestmark = pytest.mark.anyio
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def shop_without_envoys(folder: Path, otlp_http: str) -> AsyncIterator[int]:
    """The port of web."""
    with Ports() as ports:
        layout = lay_out(SHOP, ports.take, seed=1, otlp_http=otlp_http)
        port = {place.owner: place.port for place in (*layout.apps.places, *layout.externals.places)}
        direct = tuple(
            place.model_copy(update={"dial": {t: Dial(port=port[t], host=t) for t in place.dial}})
            for place in layout.apps.places
        )
        apps = await AppsProcess.start("apps", layout.apps.model_copy(update={"places": direct}), folder)
        externals = await AppsProcess.start("externals", layout.externals, folder)
        try:
            yield port["shop/web"]
        finally:
            for child in (apps, externals):
                await child.stop()
        for child in (apps, externals):
            assert child.process.returncode == 0, child.log.read_text()
            assert child.log.read_text() == ""


async def test_an_order_leaves_the_spans_of_databases_and_messages_in_one_trace(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with shop_without_envoys(tmp_path, receiver.url) as web:
            client = Client()
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            response = await client.request(web, "POST", "/checkout", headers)
            client.close()
            assert response.status == 200, response.body
        # The processes have ended: what they had to tell was flushed.
    assert receiver.names(TRACE) >= {
        ("shop/cart", "HGETALL redis-cart:6379"),
        ("shop/checkout", "INSERT orders"),
        ("shop/checkout", "send order.created"),
        ("platform/notify", "process order.created"),
    }


async def test_stop_ends_the_process_and_may_be_repeated(tmp_path: Path) -> None:
    with Ports() as ports:
        place = Place(owner="psp.example:8443", instance="psp", port=ports.take())
        child = await AppsProcess.start("psp", Placement(seed=1, places=(place,)), tmp_path)
        assert alive(child.pid)
        await child.stop()
        await child.stop()
        assert not alive(child.pid)


async def test_a_port_that_is_taken_is_reported_with_the_processs_own_words(tmp_path: Path) -> None:
    with Ports() as ports:
        place = Place(owner="psp.example:8443", instance="psp", port=ports.take())
        placement = Placement(seed=1, places=(place, place.model_copy(update={"instance": "psp-2"})))
        with pytest.raises(AppsNotReadyError, match="Address already in use"):
            await AppsProcess.start("psp", placement, tmp_path)


PARENT = """
import asyncio, sys
from pathlib import Path
from proxy_plugin.demo.child import AppsProcess
from proxy_plugin.demo.placement import Placement

async def main():
    placement = Placement.model_validate_json(sys.argv[1])
    child = await AppsProcess.start("psp", placement, Path(sys.argv[2]))
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_apps_go_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with Ports() as ports:
        place = Place(owner="psp.example:8443", instance="psp", port=ports.take())
        placement = Placement(seed=1, places=(place,)).model_dump_json()
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, placement, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        child = int(await parent.stdout.readline())
        assert alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
        await until(lambda: not alive(child))
