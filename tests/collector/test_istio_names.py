"""Who calls and who is called by Istio's metrics (semantics R12, cases J2, J4, J5)."""

from __future__ import annotations

import polars as pl
import pytest

from collector import graph
from tests.collector.meters import Writer, edges, labels, metered
from tests.collector.notation import drawn

FROM_DESTINATION = labels(reporter="destination")
NOWHERE = {"destination_workload": "unknown", "destination_service_namespace": "unknown"}


def test_j2_no_source() -> None:
    nobody = {
        "source_workload": "unknown",
        "source_canonical_service": "unknown",
        "source_workload_namespace": "unknown",
    }
    found = metered(Writer().count(3, FROM_DESTINATION | nobody, since=-1))
    assert drawn(found.sums) == {"unknown→default/b": "3/0"}
    assert graph.build(found).nodes.filter(pl.col("id") == "unknown")["kind"].to_list() == ["unknown"]
    assert edges(
        Writer().count(3, {"reporter": "destination", "destination_service_name": "b"}, since=-1)
    ) == {"unknown→b": "3/0"}


def test_j4_black_hole_and_passthrough() -> None:
    blocked = labels(
        destination_service_name="BlackHoleCluster",
        destination_service="unknown",
        response_code="502",
        **NOWHERE,
    )
    passed = labels(destination_service_name="PassthroughCluster", destination_service="x.example", **NOWHERE)
    writer = Writer().count(2, blocked, since=-1).count(1, blocked | {"response_code": "200"}, since=-1)
    found = metered(
        [
            writer.count(5, passed, since=-1),
            Writer("c").count(1, blocked | {"source_canonical_service": "c"}, since=-1),
        ]
    )
    assert drawn(found.sums) == {
        "default/a→blocked": "3/3",
        "default/a→passthrough": "5/0",
        "default/c→blocked": "1/1",
    }
    kinds = dict(graph.build(found).nodes.select("id", "kind").iter_rows())
    assert (kinds["blocked"], kinds["passthrough"]) == ("external", "external")


@pytest.mark.parametrize("host", ["203.0.113.7", "203.0.113.8:443", "2001:db8::7", "[2001:db8::7]:443"])
def test_j5_bare_addresses_are_one_node(host: str) -> None:
    one = labels(destination_service=host, destination_service_name=host, **NOWHERE)
    other = labels(destination_service="198.51.100.1", destination_service_name="x", **NOWHERE)
    assert edges(Writer().count(2, one, since=-1).count(3, other, since=-1)) == {
        "default/a→external IPs": "5/0"
    }


TARGETS = [
    ({}, "default/b"),
    ({"destination_service_name": "unknown"}, "default/b-v1"),
    ({"destination_service_namespace": ""}, "b"),
    ({"destination_workload": "unknown"}, "default/b"),
    ({"destination_workload": "", "destination_service": "api.example.com"}, "api.example.com"),
    ({"destination_workload": "", "destination_service": "api.example.com:443"}, "api.example.com:443"),
    ({"destination_workload": "", "destination_service": "b.shop.svc"}, "shop/b"),
    ({"destination_workload": "", "destination_service": "unknown"}, "default/b"),
    ({"destination_service_name": "InboundPassthroughClusterIpv4"}, "default/b-v1"),
    (
        {"destination_workload": "", "destination_service": "", "destination_service_name": ""},
        "unidentified(default/a)",
    ),
]


@pytest.mark.parametrize(("said", "target"), TARGETS)
def test_who_is_called(said: dict[str, str], target: str) -> None:
    assert edges(Writer().count(1, labels(**said), since=-1)) == {f"default/a→{target}": "1/0"}


SOURCES = [
    ({}, "default/a"),
    ({"source_canonical_service": "unknown"}, "default/a-v1"),
    ({"source_workload_namespace": "unknown"}, "a"),
]


@pytest.mark.parametrize(("said", "source"), SOURCES)
def test_who_calls(said: dict[str, str], source: str) -> None:
    assert edges(Writer().count(1, labels(**said), since=-1)) == {f"{source}→default/b": "1/0"}
