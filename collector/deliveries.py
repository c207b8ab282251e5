"""Deliveries of messages across traces (semantics R6.2): a consumer is linked to the spans that produced its messages.

The two traces are never derived as one: batches would tie all traces together. Instead the consumer's trace says of
every link "a delivery from the destination", and hands a *stub* of the consumer to the trace that the link names. Where
the producer is stored, that trace adds "a delivery from the producer" and takes the other row back. Both rows only add
up, so it does not matter which of the two traces comes first, or again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector import walk
from collector.ids import words
from collector.walk import Bools, Ints

TARGET: Final = ["high", "low", "target"]
"""The linked span: both halves of its trace id, and its span id."""

STORED: Final = ("links.trace_id", "links.span_id")
"""The columns of stored spans that have their links."""

LINK: Final = {
    "trace": pl.Int64,  # number of the linking span's trace
    "span": pl.UInt64,
    "service": pl.String,
    "high": pl.UInt64,
    "low": pl.UInt64,
    "target": pl.UInt64,
    "own": pl.Boolean,  # whether it links into its own trace
    "made": pl.Boolean,  # whether it links to a stored creation in another trace (see collector.creations)
}
"""The columns of links between spans of numbered traces."""

_STORED_LINK: Final = {
    "high": pl.UInt64,
    "low": pl.UInt64,
    "span": pl.UInt64,
    "service": pl.String,
    "to_high": pl.UInt64,
    "to_low": pl.UInt64,
    "target": pl.UInt64,
}


NO_LINKS: Final = pl.DataFrame(schema=LINK)
NO_LINKED: Final = NO_LINKS.drop("service").with_columns(
    row=pl.lit(None, pl.UInt32),
    side=pl.lit(None, pl.Int8),
    fact=pl.lit(None, pl.UInt32),
    service=pl.lit(None, pl.Int64),
)
"""No links, with what their spans have."""
NO_STORED_LINKS: Final = pl.DataFrame(schema=_STORED_LINK)
"""What :func:`links` gives where there are none."""


def links(table: pa.Table) -> pl.DataFrame:
    """A row for each link of stored spans: both halves of the ids of both traces, both spans, the linking service."""
    counts = pc.list_value_length(table["links.span_id"]).to_numpy()
    having = np.nonzero(counts)[0]
    if not len(having):
        return NO_STORED_LINKS
    rows = pa.array(np.repeat(having, counts[having].astype(np.int64)))
    named = table.select(["trace_id", "span_id", "service"]).take(rows)
    of, to = words(named["trace_id"], 2), words(pc.list_flatten(table["links.trace_id"]), 2)
    columns = {
        "high": of[:, 0],
        "low": of[:, 1],
        "span": words(named["span_id"], 1)[:, 0],
        "service": pl.from_arrow(named["service"]),
        "to_high": to[:, 0],
        "to_low": to[:, 1],
        "target": words(pc.list_flatten(table["links.span_id"]), 1)[:, 0],
    }
    return pl.DataFrame(columns, schema=_STORED_LINK)


def numbered(links: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Stored links as :data:`LINK`; ``ids``: both halves of the ids of traces, and their number as ``trace``."""
    if links.is_empty():
        return NO_LINKS
    own = (pl.col("high") == pl.col("to_high")) & (pl.col("low") == pl.col("to_low"))
    named = links.join(ids, on=["high", "low"]).with_columns(own=own, made=pl.lit(value=False))
    to = named.drop("high", "low").rename({"to_high": "high", "to_low": "low"})
    return to.select(*LINK)


def with_stubs(
    spans: pl.DataFrame, facts: pl.DataFrame, stubs: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Spans and, as spans under the producers that they name, stubs, in the traces of those.

    Args:
        spans: columns of :data:`collector.frames.SPANS`.
        facts: what they say.
        stubs: what :meth:`collector.linker.Linker.deliveries` gives, with ``trace`` now the number of the named trace
            and ``source_high``, ``source_low`` the id of the consumer's.

    Returns:
        ``spans`` with the columns ``stub``, ``sampled`` (as stubs have it) and ``consumer`` (stubs of one CONSUMER
        have one number); facts with those of the stubs.
    """
    spans = spans.with_columns(
        stub=pl.lit(value=False), sampled=pl.lit(value=True), consumer=pl.lit(None, pl.UInt32)
    )
    if stubs is None or stubs.is_empty():
        return spans, facts
    stubs = stubs.sort("source_high", "source_low", "span", *TARGET)
    nobody_else = pl.Series("span", [2**64 - 1 - i for i in reversed(range(stubs.height))], dtype=pl.UInt64)
    consumer = pl.col("index").min().over("source_high", "source_low", "span", "service")
    added = stubs.with_row_index().with_columns(consumer=consumer).with_columns(nobody_else)
    added = added.with_columns(parent="target", stub=pl.lit(value=True))
    added = added.with_columns(fact=pl.int_range(pl.len()) + facts.height)
    spans = pl.concat([spans, added.select(pl.col(name).cast(kind) for name, kind in spans.schema.items())])
    return spans, pl.concat([facts, added.select(facts.columns)])


def destinations(node: Ints, message: Ints, consumer: Ints) -> Ints:
    """R6.5: a message that names no destination has that which its consumers name, of several the first by name.

    Args:
        node: per span the destination that its side names: numbers in the order of the names, 0 for none.
        message: rows of the messages …
        consumer: … and of who got them.
    """
    told = pl.DataFrame(
        {"message": message, "own": node[message], "node": node[consumer]},
        schema=dict.fromkeys(("message", "own", "node"), pl.Int64),
    ).filter((pl.col("own") == 0) & (pl.col("node") != 0))
    found = told.group_by("message").agg(pl.col("node").min())
    named = node.copy()
    named[found["message"].to_numpy()] = found["node"].to_numpy()
    return named


def again(spans: pl.DataFrame, told: Bools, call: Ints) -> Ints:
    """Stubs (those ``told``) of a message that another stub of the same CONSUMER has brought: two links, one message.

    ``call``: the message of each stub. The one that carries the latency sample counts.
    """
    row = np.nonzero(told)[0]
    if not len(row):
        return row
    stubs = spans[row].select("row", "consumer", "sampled").with_columns(call=pl.Series(call[row]))
    order = stubs.sort(~pl.col("sampled"), "row")
    later: Ints = order.filter(~pl.struct("consumer", "call").is_first_distinct())["row"].to_numpy()
    return later


def with_creations(
    merged: Ints, links: pl.DataFrame, spans: pl.DataFrame, sends: Bools, creates: Bools
) -> Ints:
    """R6.1: a send that links to a create span of its service is the same message.

    Args:
        merged: nested calling spans → the one that each is nested in (−1: none).
        links: columns :data:`LINK`, ``row`` and ``side`` of the linking span.
        spans: columns ``trace``, ``service``, ``span``, ``row``.
        sends: send spans.
        creates: create spans.

    Returns:
        ``merged`` with the outermost span of each such send, if it does not create itself, merged into its creation;
        of several into that of the lowest id.
    """
    if links.is_empty():
        return merged
    own_links = links.filter("own")
    sending = own_links.filter(pl.Series(sends[own_links["row"].to_numpy()]))
    if sending.is_empty():
        return merged
    created = spans.filter(pl.Series(creates)).select("trace", "service", target="span", at="row")
    found = sending.join(created, on=["trace", "service", "target"]).sort("target")
    call = walk.representatives(merged)
    row = call[found["row"].cast(pl.Int64).to_numpy()]
    at = call[found["at"].cast(pl.Int64).to_numpy()]
    creating = np.zeros(len(merged), dtype=bool)
    creating[call[creates]] = True
    own = ~creating[row]
    merged = merged.copy()
    merged[row[own][::-1]] = at[own][::-1]
    return merged


def distinct(links: pl.DataFrame) -> pl.DataFrame:
    """Per consumer (``row``) each linked span once, numbered in a fixed order (``nth``)."""
    once = links.unique(["row", *TARGET]).sort("row", *TARGET)
    return once.with_columns(nth=pl.int_range(pl.len()).over("row"))
