"""The graph in Graphviz' language."""

from __future__ import annotations

from typing import Any, Final

from web.export.text import written

_SHAPES: Final = {
    "database": "cylinder",
    "messaging": "cds",
    "user": "oval",
    "unknown": "oval",
    "external": "oval",
}
COLOURS: Final = {"degraded": "#c07300", "failing": "#c2203b", "idle": "#7a8797"}


def dot(document: dict[str, Any]) -> bytes:
    """``dot -Tpdf graph.dot``; edges are labelled with rate, failed share and p95."""
    lines = [
        "digraph meshscope {",
        "  rankdir=TB;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ]
    lines += [f"  {_node(node)}" for node in document["nodes"]]
    lines += [f"  {_edge(edge)}" for edge in document["edges"]]
    return "\n".join((*lines, "}", "")).encode()


def _node(node: dict[str, Any]) -> str:
    name = quoted(node["id"])
    said = {"shape": _SHAPES.get(node["kind"], "box"), "color": COLOURS.get(node["health"], "#17212e")}
    return f"{name} [label={name}, {_attributes(said)}];"


def _edge(edge: dict[str, Any]) -> str:
    said = {"label": label(edge), "color": COLOURS.get(edge["health"], "#17212e")}
    if edge["kind"] == "messaging":
        said["style"] = "dashed"
    return f"{quoted(edge['source'])} -> {quoted(edge['target'])} [{_attributes(said)}];"


def label(edge: dict[str, Any]) -> str:
    """What a drawing says of an edge: ``12.5/s, 3 % failed, p95 41 ms``."""
    words = [f"{edge['rate']:.3g}/s"]
    if edge["error_rate"]:
        words.append(f"{edge['error_rate'] * 100:.2g} % failed")
    latency = edge["server"]["latency_ms"] or edge["client"]["latency_ms"]
    if latency:
        words.append(f"p95 {latency['p95']:.3g} ms")
    return ", ".join(words)


def _attributes(said: dict[str, str]) -> str:
    return ", ".join(f"{name}={quoted(value)}" for name, value in said.items())


def quoted(text: str) -> str:
    """A quoted name; in a label a backslash is a letter as well."""
    escaped = written(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
