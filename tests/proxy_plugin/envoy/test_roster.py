from __future__ import annotations

import pytest
import structlog

from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.roster import LATELY, Roster
from proxy_plugin.envoy.xds import Stream
from tests.proxy_plugin.values import CHECKOUT, FRONT

pytestmark = pytest.mark.anyio


def stream(sidecar: Sidecar = CHECKOUT) -> Stream:
    return Stream(sidecar, False, structlog.get_logger())


async def test_who_is_connected_is_listed_by_service() -> None:
    found = Roster().proxies([stream(FRONT), stream(CHECKOUT)])
    assert [(proxy.service, proxy.connected) for proxy in found] == [
        ("shop/checkout", True),
        ("shop/front", True),
    ]
    assert {kind.state for kind in found[0].types.values()} == {"not_requested"}


async def test_who_left_stays_for_a_while() -> None:
    roster = Roster()
    gone = stream()
    roster.left(gone)
    (proxy,) = roster.proxies([])
    assert not proxy.connected
    assert {kind.state for kind in proxy.types.values()} == {"disconnected"}
    gone.last_seen -= LATELY + 1
    roster.left(gone)
    assert roster.proxies([]) == []


async def test_who_returned_is_listed_once() -> None:
    roster = Roster()
    roster.left(stream())
    assert [proxy.connected for proxy in roster.proxies([stream()])] == [True]
    roster.forget(CHECKOUT.node_id)
    assert roster.proxies([]) == []
