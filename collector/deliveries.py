"""Deliveries of messages across traces (semantics R6.2): a consumer is linked to the spans that produced its messages.

The two traces are never derived as one: batches would tie all traces together. Instead the consumer's trace says of
every link "a delivery from the destination", and hands a *stub* of the consumer to the trace that the link names. Where
the producer is stored, that trace adds "a delivery from the producer" and takes the other row back. Both rows only add
up, so it does not matter which of the two traces comes first, or again.
"""

from __future__ import annotations

from typing import Final

import polars as pl

TARGET: Final = ["high", "low", "target"]
"""The linked span: both halves of its trace id, and its span id."""

LINK: Final = {
    "trace": pl.Int64,  # number of the linking span's trace
    "span": pl.UInt64,
    "service": pl.String,
    "high": pl.UInt64,
    "low": pl.UInt64,
    "target": pl.UInt64,
    "own": pl.Boolean,  # whether it links into its own trace
}
"""The columns of links between spans."""


def no_links() -> pl.DataFrame:
    """No links."""
    return pl.DataFrame(schema=LINK)


def as_spans(stubs: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
    """Stubs as spans under the producers that they name, in the traces of those.

    Args:
        stubs: what :meth:`collector.linker.Linker.deliveries` gives, with ``trace`` now the number of the named trace.
        like: the spans that they are added to, for the columns and their order.
    """
    last = 2**64 - 1
    nobody_else = pl.Series("span", [last - i for i in range(stubs.height)], dtype=pl.UInt64)
    spans = stubs.with_columns(nobody_else, parent="target", stub=pl.lit(value=True))
    return spans.select(pl.col(name).cast(kind) for name, kind in like.schema.items())


def distinct(links: pl.DataFrame) -> pl.DataFrame:
    """Per consumer (``row``) each linked span once, numbered in a fixed order (``nth``)."""
    once = links.unique(["row", *TARGET]).sort("row", *TARGET)
    return once.with_columns(nth=pl.int_range(pl.len()).over("row"))
