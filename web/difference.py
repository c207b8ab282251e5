"""Two windows of the graph, side by side, as the API writes it (see ``GET /api/v1/graph/diff``)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from collector import difference, graph
from collector.difference import METRICS, Seen
from collector.graph import EDGE, ServiceGraph
from collector.significance import LEAST_CALLS, LEAST_CHANGE, LEVEL
from web import shapes
from web.live import Graphs, Question, narrowed
from web.markers import Between, with_markers
from web.shapes import Json
from web.window import Window, rfc3339, window

_WRITTEN: Final = {"rate": "rate", "error_rate": "error_rate", "p95": "p95_ms"}
_TEST: Final = {
    "method": {
        "rate": "two Poisson counts, conditional on their sum, continuity-corrected normal approximation",
        "error_rate": "two proportions, pooled, continuity-corrected",
        "p95_ms": "shares of calls above the p95 of both windows together, as two proportions",
    },
    "adjusted": "Benjamini-Hochberg over all differences of one figure",
    "level": LEVEL,
    "least_calls": {_WRITTEN[name]: least for name, least in LEAST_CALLS.items()},
    "least_change": {_WRITTEN[name]: least for name, least in LEAST_CHANGE.items()},
}


@dataclass(frozen=True, slots=True)
class _Window:
    """One of the two windows."""

    question: Question
    asked: Window
    built: ServiceGraph
    seen: Seen


def diff(
    graphs: Graphs,
    a: Question,
    b: Question,
    now: float,
    *,
    markers: Between = lambda _start, _end: [],
    only_significant: bool = False,
) -> Json:
    """What ``b`` has, lacks or does otherwise than ``a``; they differ in their times only. Blocks.

    ``markers``: where those from the start of the earlier window to the end of the later one come from.

    Raises:
        Problem: 400, a time that cannot be read (``a_start`` … ``b_end``).
    """
    times = [window(of.start, of.end, now, prefix=f"{name}_") for name, of in (("a", a), ("b", b))]
    one, other = (_window(graphs, of, asked, now) for of, asked in zip((a, b), times, strict=True))
    ends, nodes, edges = _narrowed(one, other)
    if only_significant:
        marked = pl.any_horizontal(f"{name}_significant" for name in METRICS)
        nodes, edges = nodes.filter(marked), edges.filter(marked)
    found = {
        "a": _times(one.asked, now),
        "b": _times(other.asked, now),
        "test": _TEST,
        "added": _alone(graphs, other, now, nodes.filter(~pl.col("in_a")), edges.filter(~pl.col("in_a"))),
        "removed": _alone(graphs, one, now, nodes.filter(~pl.col("in_b")), edges.filter(~pl.col("in_b"))),
        "changed": {"nodes": _changed(nodes, ["id"]), "edges": _changed(edges, EDGE)},
    }
    asked = one.asked, other.asked
    events = markers(min(each.start for each in asked), max(each.end for each in asked))
    return with_markers(found, events, ends.to_dicts(), a.group_by)


def _window(graphs: Graphs, question: Question, asked: Window, now: float) -> _Window:
    calls = graphs.chosen(asked, now, question)
    return _Window(question, asked, graph.drawn(calls), Seen(calls, asked.elapsed(now)))


def _times(asked: Window, now: float) -> Json:
    return {"start": rfc3339(asked.start), "end": rfc3339(min(asked.end, now))}


def _narrowed(one: _Window, other: _Window) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Nodes (what they are, then their figures) and edges, compared, that lie in the namespace, or near the focus, in
    both windows together."""
    question = one.question
    ends = pl.concat([each.built.nodes.select("id", "kind", "member", "facet") for each in (one, other)])
    ends = ends.unique("id", keep="first", maintain_order=True)
    nodes = [{"id": row["id"], **shapes.names(row, question.group_by)} for row in ends.iter_rows(named=True)]
    edges = pl.concat([each.built.edges.select(EDGE) for each in (one, other)]).unique(maintain_order=True)
    left = narrowed({"nodes": nodes, "edges": edges.to_dicts()}, question)
    near = pl.Series("id", [node["id"] for node in left["nodes"]], dtype=pl.String)
    pairs = pl.DataFrame(left["edges"], schema=dict.fromkeys(EDGE, pl.String))
    return (
        ends.filter(pl.col("id").is_in(near.implode())),
        difference.nodes(one.seen, other.seen).filter(pl.col("id").is_in(near.implode())),
        difference.edges(one.seen, other.seen).join(pairs, on=EDGE, how="semi", maintain_order="left"),
    )


def _alone(
    graphs: Graphs, there: _Window, now: float, nodes: pl.DataFrame, edges: pl.DataFrame
) -> dict[str, list[Json]]:
    """Nodes and edges, whole, that this window has alone; and whether that is more than chance."""
    own = replace(
        there.built,
        nodes=there.built.nodes.join(nodes, on="id", how="semi"),
        edges=there.built.edges.join(edges, on=EDGE, how="semi"),
    )
    whole = graphs.document(own, there.asked, now, there.question)
    return {"nodes": _judged(whole["nodes"], nodes, ["id"]), "edges": _judged(whole["edges"], edges, EDGE)}


def _judged(whole: list[Json], found: pl.DataFrame, key: list[str]) -> list[Json]:
    said = {
        tuple(row[:-2]): {"p_value": _rounded(row[-2]), "significant": row[-1]}
        for row in found.select(*key, "rate_p", "rate_significant").iter_rows()
    }
    return [each | said[tuple(each[name] for name in key)] for each in whole]


def _changed(found: pl.DataFrame, key: list[str]) -> list[Json]:
    """What is in both and differs; what is significant first, then by key."""
    marked = pl.any_horizontal(f"{name}_significant" for name in METRICS)
    differs = pl.any_horizontal(pl.col(f"{name}_a").ne_missing(pl.col(f"{name}_b")) for name in METRICS)
    rows = found.filter(pl.col("in_a") & pl.col("in_b") & differs).with_columns(significant=marked)
    return [
        {name: row[name] for name in key}
        | {"significant": row["significant"]}
        | {_WRITTEN[name]: _change(row, name) for name in METRICS}
        for row in rows.sort(~pl.col("significant"), *key).iter_rows(named=True)
    ]


def _change(row: dict[str, Any], name: str) -> Json:
    a, b = row[f"{name}_a"], row[f"{name}_b"]
    return {
        "a": _rounded(a),
        "b": _rounded(b),
        "change": _rounded(b - a) if a is not None and b is not None else None,
        "p_value": _rounded(row[f"{name}_p"]),
        "significant": row[f"{name}_significant"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
