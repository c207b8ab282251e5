"""What is known and silent in a window, and when it was first and last seen."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from collector import graph
from collector.graph import ServiceGraph
from collector.shaping import UNKNOWN


def with_first_and_last(shown: ServiceGraph, known: ServiceGraph) -> ServiceGraph:
    """``shown``, with the first and the last call that either has."""
    return replace(
        shown,
        nodes=_ever_used(shown.nodes, known.nodes, ["id"]),
        edges=_ever_used(shown.edges, known.edges, graph.EDGE),
    )


def _ever_used(shown: pl.DataFrame, known: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    seen = known.select(*key, since="first", until="last")
    rows = shown.join(seen, on=key, how="left", maintain_order="left").with_columns(
        first=pl.min_horizontal("since", "first"), last=pl.max_horizontal("until", "last")
    )
    return rows.drop("since", "until")


def with_idle(shown: ServiceGraph, known: ServiceGraph) -> ServiceGraph:
    """``shown`` and, silent, what only ``known`` has; the first and the last call that either has.

    An unknown caller is a gap in what was told, not somebody who is silent now.
    """
    silent_edges = known.edges.join(shown.edges, on=graph.EDGE, how="anti").filter(
        pl.col("source") != UNKNOWN
    )
    silent_nodes = known.nodes.join(shown.nodes, on="id", how="anti").filter(pl.col("id") != UNKNOWN)
    shown = with_first_and_last(shown, known)
    edges = [shown.edges, _silenced(silent_edges, keep={"first", "last"})]
    return replace(
        shown,
        edges=pl.concat(edges).sort(graph.EDGE),
        nodes=pl.concat([shown.nodes, _silenced(silent_nodes, keep={"first", "last"})]).sort("id"),
    )


def _silenced(rows: pl.DataFrame, keep: set[str]) -> pl.DataFrame:
    """The same rows without a single call."""
    figures = [n for n, kind in rows.schema.items() if kind == pl.Float64 and n not in keep]
    latencies = [n for n in figures if n.endswith(tuple(graph.QUANTILES))]
    sums = [n for n in figures if n not in latencies]
    return rows.with_columns(
        *(
            pl.when(pl.col(n).is_not_null()).then(0.0).alias(n) for n in sums
        ),  # what calls have not, they have not
        *(pl.lit(None, pl.Float64).alias(n) for n in latencies),
    )
