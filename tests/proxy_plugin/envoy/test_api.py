from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pool

from proxy_plugin.envoy.api import CDS, InvalidResourceError, envoy_api


def test_a_resource_becomes_an_any_and_comes_back() -> None:
    cluster = {"@type": CDS, "name": "a", "type": "EDS", "connect_timeout": "0.250s"}
    packed: Any = envoy_api().pack(cluster)
    assert packed.type_url == CDS
    assert envoy_api().to_dict(packed) == cluster


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"nmae": "a"}, "nmae"), ({"type": "EDDS"}, "EDDS"), ({"connect_timeout": "soon"}, "soon")],
)
def test_what_the_api_does_not_know_is_refused_before_it_is_sent(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidResourceError, match=named):
        envoy_api().pack({"@type": CDS, "name": "a", **wrong})


def test_a_type_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidResourceError):
        envoy_api().pack({"@type": "type.googleapis.com/envoy.config.cluster.v3.Nothing"})


def test_packing_leaves_the_resource_as_it_is() -> None:
    option = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"}
    option["explicit_http_config"] = {"http_protocol_options": {}}  # type: ignore[assignment]
    cluster = {"@type": CDS, "name": "a", "typed_extension_protocol_options": {"o": option}}
    before = repr(cluster)
    envoy_api().pack(cluster)
    assert repr(cluster) == before


def test_nothing_enters_the_default_pool() -> None:
    envoy_api()
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("envoy.config.cluster.v3.Cluster")
