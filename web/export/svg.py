"""The graph as a drawing: the cards and curves of the page, without its movement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final
from xml.etree import ElementTree as ET

from web.export.dot import COLOURS, label
from web.export.text import written
from web.layout.routes import route
from web.layout.sticky import place
from web.layout.topology import CARD_HEIGHT, CARD_WIDTH, Edge, Point, Positions, of_graph

MOST: Final = 300  # nodes, and four times as many edges: the layout of the page is made for one screen
_MARGIN: Final = 60.0
_DIP, _REACH = 44.0, 36.0  # of edges within a row, and of loops: as assets/js/20-geometry.js
_NAME: Final = 21  # characters that a card has room for
_EDGE: Final = "#a9b5c4"


def svg(document: dict[str, Any], stored: Positions) -> bytes:
    """The drawing. ``stored``: where cards stand on the page; others take free places near their neighbours."""
    topology = of_graph(document)
    positions = place(topology, stored)
    routes = route(positions, topology.edges)
    drawing = _canvas(positions)
    edges = {(e["source"], e["target"], e["kind"]): e for e in document["edges"]}
    for edge, points in routes.items():
        drawing.append(_path(edges[edge], edge, points))
    for node in document["nodes"]:
        drawing.append(_card(node, positions[node["id"]]))
    ET.indent(drawing)
    text: str = ET.tostring(drawing, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _canvas(positions: Mapping[str, Point]) -> ET.Element:
    xs, ys = [x for x, _ in positions.values()] or [0.0], [y for _, y in positions.values()] or [0.0]
    left, top = min(xs) - _MARGIN, min(ys) - _MARGIN
    width, height = max(xs) + CARD_WIDTH + _MARGIN - left, max(ys) + CARD_HEIGHT + _MARGIN - top
    drawing = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=_points(left, top, width, height),
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="img",
    )
    drawing.set("font-family", "Inter, system-ui, sans-serif")
    ET.SubElement(drawing, "title").text = "Service graph"
    box = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    ET.SubElement(drawing, "rect", box, fill="#f4f6f8")
    return drawing


def _path(said: dict[str, Any], edge: Edge, points: list[Point]) -> ET.Element:
    group = ET.Element("g")
    ET.SubElement(group, "title").text = written(f"{edge[0]} → {edge[1]}: {label(said)}")
    width = min(7.0, 1.2 + math.log10(1 + said["rate"]) * 2)
    line = ET.SubElement(group, "path", d=curves(points, loop=edge[0] == edge[1]), fill="none")
    line.set("stroke", COLOURS.get(said["health"], _EDGE))
    line.set("stroke-width", f"{width:.1f}")
    if said["kind"] == "messaging":
        line.set("stroke-dasharray", "6 5")
    x, y = points[-1]
    if edge[0] != edge[1]:
        up = -1 if points[-2][1] <= y and abs(points[-2][1] - y) >= 1 else 1  # where the line comes from
        wide = 3 + width  # grows with the line, as on the page
        head = f"M{x:.1f},{y:.1f}l{-wide:.1f},{up * 2 * wide:.1f}l{2 * wide:.1f},0z"
        ET.SubElement(group, "path", d=head, fill=COLOURS.get(said["health"], _EDGE))
    return group


def curves(points: list[Point], *, loop: bool) -> str:
    """The ``d`` of a path: curves that are vertical at each point."""
    (x, y), parts = points[0], list[str]()
    if loop:
        (x1, y1) = points[1]
        return f"M{_points(x, y)}C{_points(x + _REACH, y)} {_points(x1 + _REACH, y1)} {_points(x1, y1)}"
    for (x0, y0), (x1, y1) in pairwise(points):
        reach = _DIP if abs(y1 - y0) < 1 else (y1 - y0) / 2
        back = -_DIP if abs(y1 - y0) < 1 else reach
        parts.append(f"C{_points(x0, y0 + reach)} {_points(x1, y1 - back)} {_points(x1, y1)}")
    return f"M{_points(x, y)}{''.join(parts)}"


def _card(node: dict[str, Any], at: Point) -> ET.Element:
    x, y = at
    group = ET.Element("g", transform=f"translate({_points(x, y)})")
    ET.SubElement(group, "title").text = written(node["id"])
    card = {"width": f"{CARD_WIDTH:.0f}", "height": f"{CARD_HEIGHT:.0f}", "rx": "11", "fill": "#fff"}
    border = ET.SubElement(group, "rect", card, stroke=COLOURS.get(node["health"], "#cfd6df"))
    border.set("stroke-width", "1.5")
    _text(group, 14, 22, 13, "#17212e", _short(written(node["service"] or node["id"])), "600")
    figures = f"{node['rate']:.3g}/s"
    if node["error_rate"]:
        figures += f"  {node['error_rate'] * 100:.2g} % failed"
    if node["latency_ms"]:
        figures += f"  p95 {node['latency_ms']['p95']:.3g} ms"
    _text(group, 14, 40, 11, "#526071", figures)
    if node["namespace"]:
        _text(group, 14, -5, 10, "#65738a", _short(written(node["namespace"])))
    return group


def _text(
    group: ET.Element, x: float, y: float, size: int, fill: str, words: str, weight: str = "400"
) -> None:
    text = ET.SubElement(group, "text", x=f"{x:g}", y=f"{y:g}", fill=fill)
    text.set("font-size", str(size))
    text.set("font-weight", weight)
    text.text = words


def _short(text: str) -> str:
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _points(*values: float) -> str:
    return " ".join(f"{value:.1f}" for value in values)
