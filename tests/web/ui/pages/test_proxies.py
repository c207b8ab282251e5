from __future__ import annotations

import pytest

from proxy_plugin.envoy.status import TypeStatus
from tests.web.mesh import Mesh
from tests.web.ui.conftest import Wired
from tests.web.ui.panel.world import proxy
from tests.web.ui.tree import having, properties, text
from web.listen import Ports
from web.ui.pages.proxies import ProxiesPage, empty, proxies_table, summary

pytestmark = pytest.mark.anyio
REFUSED = proxy(
    "shop/cart", LDS=TypeStatus("nacked", "8/123456789abc", "Didn't find a registered implementation")
)


def test_a_refusal_is_shown_in_envoys_own_words() -> None:
    shown = proxies_table([proxy(), REFUSED])
    assert "Didn't find a registered implementation" in text(shown)
    assert [properties(row)["data-state"] for row in having(shown, "data-proxy")] == ["synced", "nacked"]
    assert summary([proxy(), REFUSED]) == "2 connected · 1 rejected their configuration"


def test_a_proxy_that_left_is_not_counted() -> None:
    assert summary([proxy(connected=False)]) == "0 connected"
    assert "gone" in text(proxies_table([proxy(connected=False)]))


def test_versions_are_shown_by_their_hash() -> None:
    words = text(proxies_table([REFUSED]))
    assert "1234567" in words
    assert "8/1234" not in words


async def test_the_mesh_is_listed(parts: Wired, mesh: Mesh) -> None:
    count, shown = await ProxiesPage(parts).refresh(0)
    assert count == f"{len(mesh.proxies)} connected"
    assert len(having(shown, "data-proxy")) == len(mesh.proxies)


async def test_without_proxies_it_says_how_one_joins_this_server(parts: Wired) -> None:
    parts.ports = Ports(1, 4317, 4318, 20004)
    words = text(empty(parts))
    assert "--control 127.0.0.1:20004" in words
    assert "--telemetry" not in words
