"""Which stored span is whose parent (semantics R1.3, R2.5)."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow.compute as pc

from collector.ids import pairs
from collector.walk import CALLED, CALLING, Bools, Ints


def find(spans: pl.DataFrame) -> tuple[Ints, Bools]:
    """Parents by span id, inside one trace.

    Args:
        spans: columns ``row``, ``trace``, ``span``, ``parent``, ``side``, ``service``
            and ``instance`` (texts as numbers, 0 for "").

    Returns:
        Row number of each span's parent (−1: none stored), and whether it names a parent at all.
    """
    trace, span, parent = (spans[name].to_numpy() for name in ("trace", "span", "parent"))
    ids = pairs(trace, span)
    found = pc.index_in(pairs(trace, parent), value_set=ids)  # of several of one id the first
    parents: Ints = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    names_parent = parent != 0
    if len(ids.unique()) == len(ids):
        return parents, names_parent
    at = pl.col("row").cast(pl.Int64)
    halves = spans.select("trace", "span", "parent", "side", "service", "instance", at=at)
    own = (spans["parent"] == spans["span"]).to_numpy()
    parents = np.where(
        own, np.arange(spans.height), parents
    )  # R2.4: its own parent, whatever else has that id
    shared = halves.filter(pl.struct("trace", "span").is_duplicated())
    for chosen in (_of_children(spans, shared), _of_called_halves(spans, shared)):
        parents[chosen["row"].to_numpy()] = chosen["at"].to_numpy()
        names_parent[chosen["row"].to_numpy()] = True
    return parents, names_parent


def _of_children(spans: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """A child of a shared id belongs to the half of its own service, best of its own instance, else the called one."""
    same = pl.col("service") == pl.col("service_right")
    here = (pl.col("instance") != 0) & (pl.col("instance") == pl.col("instance_right"))
    pairs = spans.join(shared.drop("parent"), left_on=["trace", "parent"], right_on=["trace", "span"])
    # CALLED, CALLING, LOCAL, as they are numbered.
    order = [~(same & here), ~same, -pl.col("side_right"), pl.col("service_right")]
    return (
        pairs.filter((pl.col("row") != pl.col("at")) & (pl.col("parent") != pl.col("span")))
        .sort(*order)
        .unique("row", keep="first", maintain_order=True)
    )


def _of_called_halves(spans: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """The called half of a shared id hangs under its calling half, of several that with its own parent."""
    calling = shared.filter(pl.col("side") == CALLING)
    pairs = spans.filter(pl.col("side") == CALLED).join(calling, on=["trace", "span"], how="inner")
    order = [pl.col("parent") != pl.col("parent_right"), pl.col("service_right")]
    return pairs.sort(*order).unique("row", keep="first", maintain_order=True)
