"""What a node of the graph is: a service, one of its versions or operations, or all services of a namespace.

A series names the version and the operation of the *called* end only. So the called end is `service@version` or
`service#operation`, the calling end the service itself; where a service had one version only in the window, that is the
calling one too. Calls only move from one node to another: sums over all edges are the same however they are grouped.
"""

from __future__ import annotations

from typing import Final

import polars as pl

GROUPS: Final = ("service", "version", "namespace", "operation")
NO_NAMESPACE: Final = "(no namespace)"
_OWN: Final = ["service", "gateway"]  # kinds that have versions, and names with a namespace


def grouped(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """The rows of :class:`collector.summed.Summed` with the ends that they have in a graph by ``by``.

    Beside ``source`` and ``target``, each end has ``…_member``, the node that it is in the graph of services, and
    ``…_facet``, the version, operation or namespace that the group stands for ("" where it stands for none).
    """
    rows = rows.with_columns(source_member="source", target_member="target")
    facets = {
        "service": lambda: (pl.lit(""), pl.lit("")),
        "version": lambda: (_only_version(rows), _version()),
        "operation": lambda: (pl.lit(""), _operation()),
        "namespace": lambda: (_namespace("source"), _namespace("target")),
    }
    source, target = facets[by]()
    rows = rows.with_columns(source_facet=source, target_facet=target)
    if by == "namespace":
        return rows.with_columns(
            **{end: _named(end, pl.col(f"{end}_facet")) for end in ("source", "target")},
            source_kind=_kind("source"),
            target_kind=_kind("target"),
        )
    mark = {"version": "@", "operation": "#"}.get(by, "")
    joined = {
        end: _named(end, pl.concat_str(pl.col(end), pl.lit(mark), pl.col(f"{end}_facet")))
        for end in ("source", "target")
    }
    return rows if by == "service" else rows.with_columns(**joined)


def _named(end: str, group: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(f"{end}_facet") != "").then(group).otherwise(pl.col(end))


def _kind(end: str) -> pl.Expr:
    grouped = pl.col(f"{end}_facet") != ""
    return pl.when(grouped).then(pl.lit("service")).otherwise(f"{end}_kind")


def _version() -> pl.Expr:
    return pl.when(pl.col("target_kind").is_in(_OWN)).then("version").otherwise(pl.lit(""))


def _only_version(rows: pl.DataFrame) -> pl.Expr:
    """The version of a caller that was called in this version and in no other."""
    called = rows.filter(pl.col("target_kind").is_in(_OWN) & (pl.col("calls") > 0))
    versions = called.group_by("target").agg(
        n=pl.col("version").n_unique(), version=pl.col("version").first()
    )
    one = versions.filter((pl.col("n") == 1) & (pl.col("version") != ""))
    known = dict(one.select("target", "version").iter_rows())
    found = pl.col("source").replace_strict(known, default="", return_dtype=pl.String)
    return pl.when(pl.col("source_kind").is_in(_OWN)).then(found).otherwise(pl.lit(""))


def _operation() -> pl.Expr:
    """Operations of all that is called; a destination is one already."""
    return pl.when(pl.col("target_kind") != "messaging").then("operation").otherwise(pl.lit(""))


def _namespace(end: str) -> pl.Expr:
    stated = pl.col(end).str.extract(r"^(?:proxy\()?(.*)/[^/]*$", 1)  # a hop is where its service is (R7.2)
    own = pl.col(f"{end}_kind").is_in(_OWN) & (pl.col(end) != "")
    return (
        pl.when(own)
        .then(pl.when(stated != "").then(stated).otherwise(pl.lit(NO_NAMESPACE)))
        .otherwise(pl.lit(""))
    )
