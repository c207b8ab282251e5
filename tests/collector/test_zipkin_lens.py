"""Real traces of Zipkin's own page: the edges that a reader of the JSON would draw, written down.

Source: openzipkin/zipkin (Apache-2.0), zipkin-lens. The largest is drawn a second time by :func:`read`, which looks
at nothing but ids, parent ids and endpoints.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from tests.collector import data
from tests.collector.notation import drawn
from tests.collector.zipkin import drawn_from

FOLDER: Path = data.path("zipkin_lens")
Report = list[dict[str, Any]]

# One topic has two groups of consumers, and the producer is one of them; the other six messages reach nobody.
KAFKA = {"kafka→servicea": 1, "servicea→servicea": 3, "servicea→serviceb": 3, "servicea→kafka": 6}
# The proxies' client spans (unknown, yelp-main) hang below a server of another service: entries, inferred (R2.2).
YELP = {
    "user→routing": 1,
    "routing→unknown": 1,
    "unknown→yelp_main/api_proxy": 1,
    "routing→yelp-main": 1,
    "yelp_main/api_proxy→yelp-main": 2,
    "yelp-main→memcache": 3,
    "yelp-main→mysql": 2,
    "yelp-main→mobile_api": 1,
    "mobile_api→memcache": 2,
    "mobile_api→blt": 1,
    "mobile_api→spectre": 1,
}
# 37 edges of 16 services. auth and bookie call Cassandra and MySQL under their own names; strongman and stlogin hand on
# to another instance of themselves; one id is borne by five servers of pusher, which R1.2 counts as one.
INSTALL = {
    "account→auth": 15,
    "auth→auth": 132,
    "bookie→account": 15,
    "bookie→auth": 14,
    "bookie→bookie": 120,
    "bookie→coresrv": 13,
    "bookie→execution": 2,
    "bookie→unidentified(bookie)": 1,
    "bouncer→auth": 1,
    "bouncer→pusher": 1,
    "coresrv→auth": 15,
    "coresrv→strongman": 1,
    "execution→alice": 1,
    "execution→auth": 3,
    "execution→bookie": 16,
    "execution→bouncer": 1,
    "execution→guardian": 14,
    "guardian→platformapi": 1,
    "paperboy→auth": 1,
    "platformapi→bookie": 17,
    "platformapi→execution": 14,
    "platformapi→gizmo": 52,
    "platformapi→paperboy": 1,
    "platformapi→unidentified(platformapi)": 83,
    "pusher→archiver.st.internal": 1,
    "pusher→dove": 1,
    "pusher→oreck": 1,
    "stlogin→auth": 5,
    "stlogin→platformapi": 53,
    "stlogin→stlogin": 9,
    "stlogin→strongman": 1,
    "strongman→auth": 2,
    "strongman→platformapi": 30,
    "strongman→stlogin": 1,
    "strongman→strongman": 15,
    "strongman→unidentified(strongman)": 1,
    "user→coresrv": 1,
}


def report(name: str) -> Report:
    found: Report = orjson.loads((FOLDER / name).read_bytes())
    return found


def halves(spans: Report) -> list[Report]:
    """One report per reporter, as real senders do: every service sends its own spans."""
    by_service: dict[str, Report] = defaultdict(list)
    for span in spans:
        by_service[_service(span)].append(span)
    return list(by_service.values())


def _service(span: dict[str, Any]) -> str:
    name: str = span["localEndpoint"].get("serviceName", "")
    return name.lower()


def read(spans: Report) -> Counter[str]:
    """Edges as a patient reader draws them, one span id after the other."""
    by_id: dict[str, Report] = defaultdict(list)
    for span in spans:
        by_id[span["id"]].append(span)
    edges: Counter[str] = Counter()
    for same in by_id.values():
        clients = [span for span in same if span.get("kind") == "CLIENT"]
        servers = {_service(span): span for span in same if span.get("kind") == "SERVER"}
        for client in clients:
            for target in servers or [_target(client)]:
                edges[f"{_service(client)}→{target}"] += 1
        if not clients:
            for server in servers.values():
                edges += Counter(_caller(server, by_id))
    return edges


def _target(client: dict[str, Any]) -> str:
    """Who is called where no server reported: the remote endpoint, the host of the URL, nobody known."""
    remote = client.get("remoteEndpoint", {}).get("serviceName")
    host = urlsplit(client["tags"].get("http.url", "")).netloc if "tags" in client else ""
    return remote or host or f"unidentified({_service(client)})"


def _caller(server: dict[str, Any], by_id: dict[str, Report]) -> list[str]:
    """The edge to a server without a client span: from its parent's service, unless that is the very same instance."""
    if "parentId" not in server:
        return [f"user→{_service(server)}"]
    parents = [span for span in by_id[server["parentId"]] if span.get("kind") == "SERVER"]
    [parent] = [span for span in parents if _service(span) == _service(server)] or parents
    if _service(parent) == _service(server) and parent["localEndpoint"] == server["localEndpoint"]:
        return []
    return [f"{_service(parent)}→{_service(server)}"]


def found(*reports: Report) -> dict[str, int]:
    sums = drawn(drawn_from(*reports))
    return {edge: int(text.split("/")[0]) for edge, text in sums.items()}


FILES = {
    "messaging-kafka.json": (28, 2, KAFKA),
    "yelp.json": (16, 6, YELP),
    "smartthings-mobile-web-install.json": (1041, 16, INSTALL),
}


@pytest.mark.parametrize("name", FILES)
def test_a_report(name: str) -> None:
    assert found(report(name)) == FILES[name][2]


@pytest.mark.parametrize("name", FILES)
def test_every_service_reports_for_itself(name: str) -> None:
    """Whichever half comes first."""
    parts = halves(report(name))
    assert found(*parts) == FILES[name][2]
    assert found(*reversed(parts)) == FILES[name][2]


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_is_known_of_them(name: str) -> None:
    spans, services, _ = FILES[name]
    assert len(report(name)) == spans
    assert len({_service(span) for span in report(name)}) == services


def test_the_largest_read_by_its_ids() -> None:
    assert read(report("smartthings-mobile-web-install.json")) == Counter(INSTALL)
    assert (len(INSTALL), sum(INSTALL.values())) == (37, 655)


def test_a_failed_call_of_the_largest() -> None:
    assert drawn(drawn_from(report("smartthings-mobile-web-install.json")))["execution→alice"] == "1/1"
