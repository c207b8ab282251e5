"""The drawing."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given, settings

from tests.web.export.documents import document, documents
from web.export.svg import curves, svg
from web.export.text import written

NS = "{http://www.w3.org/2000/svg}"


def cards(drawing: ET.Element) -> dict[str, str]:
    """Node id → where its card stands."""
    groups = [group for group in drawing.iter(f"{NS}g") if group.get("transform")]
    return {str(group.findtext(f"{NS}title")): str(group.get("transform")) for group in groups}


@settings(max_examples=30)
@given(graph=documents)
def test_every_node_and_edge_is_drawn_and_nothing_else(graph: dict[str, Any]) -> None:
    drawing = ET.fromstring(svg(graph, {}))  # noqa: S314 - our own
    groups = list(drawing.iter(f"{NS}g"))
    assert len(groups) == len(graph["nodes"]) + len(graph["edges"])
    assert {each.tag for each in drawing.iter()} <= {
        NS + name for name in ("svg", "g", "title", "rect", "path", "text")
    }
    titles = [title.text or "" for title in drawing.iter(f"{NS}title")]
    assert all(written(node["id"]).strip() in [t.strip() for t in titles] for node in graph["nodes"])


def test_cards_stand_where_the_page_has_them() -> None:
    graph = document([("a", "b", 1)])
    found = cards(ET.fromstring(svg(graph, {"a": (500.0, 0.0), "b": (40.0, 132.0)})))  # noqa: S314
    assert found == {"a": "translate(500.0 0.0)", "b": "translate(40.0 132.0)"}


def test_an_empty_graph_is_an_empty_drawing() -> None:
    assert len(list(ET.fromstring(svg({"nodes": [], "edges": []}, {})).iter(f"{NS}g"))) == 0  # noqa: S314


def test_curves_are_vertical_at_their_points() -> None:
    assert curves([(0, 0), (10, 100)], loop=False) == "M0.0 0.0C0.0 50.0 10.0 50.0 10.0 100.0"
    assert curves([(0, 0), (90, 0)], loop=False) == "M0.0 0.0C0.0 44.0 90.0 44.0 90.0 0.0"
    assert curves([(5, 0), (5, 9)], loop=True) == "M5.0 0.0C41.0 0.0 41.0 9.0 5.0 9.0"
