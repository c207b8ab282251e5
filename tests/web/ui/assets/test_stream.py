from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

# Stands for the server's end: tests say what it sends.
SERVER = """
window.EventSource = class {
    constructor(url) { this.url = url; this.handlers = {}; this.readyState = 1; window.server = this; }
    addEventListener(name, handler) { this.handlers[name] = handler; }
    send(name, data) { this.handlers[name]({ data: JSON.stringify(data) }); }
    close() { this.readyState = 2; }
};
window.heard = [];
window.listener = { postMessage: (message) => heard.push(message) };
window.stream = new meshStream.Stream("start=now-30s&messaging=collapsed");
stream.add(listener);
"""
GRAPH = {
    "start": "2030-01-01T00:00:00Z",
    "end": "2030-01-01T00:00:30Z",
    "rev": 1,
    "nodes": [{"id": "a", "calls": 1}, {"id": "b", "calls": 1}],
    "edges": [{"source": "a", "target": "b", "kind": "call", "calls": 1}],
}
DELTA = {
    "start": "2030-01-01T00:00:01Z",
    "end": "2030-01-01T00:00:31Z",
    "rev": 2,
    "nodes": [{"id": "b", "calls": 2}],
    "edges": [],
    "removed": {"nodes": ["a"], "edges": [["a", "b", "call"]]},
}


@pytest.fixture
def stream(page: Page) -> Page:
    page.evaluate(SERVER)
    return page


def last(page: Page) -> Any:
    return page.evaluate("heard[heard.length - 1]")


def test_it_asks_for_the_window_and_the_view(stream: Page) -> None:
    assert stream.evaluate("server.url") == "/api/v1/graph/stream?start=now-30s&messaging=collapsed"


def test_a_listener_that_joins_late_gets_the_merged_graph(stream: Page) -> None:
    stream.evaluate(
        "([graph, delta]) => { server.send('snapshot', graph); server.send('delta', delta); }", [GRAPH, DELTA]
    )
    stream.evaluate("stream.add({ postMessage: (m) => m.type === 'snapshot' && (window.late = m) })")
    late = stream.evaluate("late")
    assert (late["nodes"], late["edges"], late["rev"]) == ([{"id": "b", "calls": 2}], [], 2)


def test_a_delta_names_what_is_gone_by_edge_id(stream: Page) -> None:
    stream.evaluate(
        "([graph, delta]) => { server.send('snapshot', graph); server.send('delta', delta); }", [GRAPH, DELTA]
    )
    assert last(stream)["removed"] == {"nodes": ["a"], "edges": ["a>b>call"]}


def test_a_lost_connection_is_told_and_a_message_ends_it(stream: Page) -> None:
    stream.evaluate("(graph) => { server.send('snapshot', graph); server.onerror(); }", GRAPH)
    assert last(stream) == {"type": "state", "state": "lost"}
    stream.evaluate("(delta) => server.send('delta', delta)", DELTA)
    states = stream.evaluate("heard.filter((m) => m.type === 'state').map((m) => m.state)")
    assert states == ["connecting", "live", "lost", "live"]


FEED = """
delete window.SharedWorker;
window.changes = 0;
window.feed = new meshui.Feed({ onGraph: () => changes++, onState: () => {} });
feed.follow(30);
"""


def test_the_feed_applies_deltas_in_place(stream: Page) -> None:
    stream.evaluate(FEED)
    stream.evaluate(
        "([graph, delta]) => { server.send('snapshot', graph); server.send('delta', delta); }", [GRAPH, DELTA]
    )
    assert stream.evaluate("[[...feed.nodes.keys()], [...feed.edges.keys()], feed.rev, changes]") == [
        ["b"],
        [],
        2,
        2,
    ]


def test_age_counts_from_the_data_whatever_the_clocks_say(stream: Page) -> None:
    """The server's clock is years away; what counts is that its time goes on."""
    stream.evaluate(FEED)
    stream.evaluate("(graph) => server.send('snapshot', graph)", GRAPH)
    assert stream.evaluate("feed.age()") < 1
    stream.evaluate("const now = Date.now(); Date.now = () => now + 7000")
    assert 6.5 < stream.evaluate("feed.age()") < 8
    assert stream.evaluate("feed.stale()")
    later = DELTA | {"end": "2030-01-01T00:00:37Z"}
    stream.evaluate("(delta) => server.send('delta', delta)", later)
    assert not stream.evaluate("feed.stale()")
