"""Sends of messages that were created in another trace (semantics R6.1): a send linked to a create span of its service
is the same message.

The two traces are never derived as one. The trace of the send notes with each of its links whether the creation that
it names is stored (``made``), and leaves such a send out where nobody consumed it; the message is the creation's. When
a trace of creations changes, the traces that send them are derived again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
import polars as pl

from collector import deliveries
from collector.archive import TraceId
from collector.coded import ID, Coded
from collector.frames import SOURCE, Frames
from collector.walk import Bools, Ints

CREATED: Final = {"high": pl.UInt64, "low": pl.UInt64, "target": pl.UInt64, "service": pl.String}
"""Creations: both halves of the trace id, span id, service id."""

NONE: Final = pl.DataFrame(schema=CREATED)


def of(spans: Coded) -> pl.DataFrame:
    """The create spans among these (:data:`CREATED`)."""
    if not (spans.facts["messaging"] == "create").any():
        return NONE
    said = spans.facts.select("service", "messaging")[spans.rows["fact"]]
    rows = spans.rows.select(*ID, target="span").hstack(said)
    return rows.filter(messaging="create").select(*CREATED).unique()


def targets(spans: Coded) -> set[TraceId]:
    """The other traces that send spans among these link to."""
    return set(_sending(spans).select("to_high", "to_low").unique().rows())


def senders(spans: Coded, told: Collection[TraceId]) -> set[TraceId]:
    """The traces among these of which a send span links to one of ``told``."""
    ids = pl.DataFrame([*told], schema={"to_high": pl.UInt64, "to_low": pl.UInt64}, orient="row")
    return set(_sending(spans).join(ids, on=ids.columns, how="semi").select(ID).unique().rows())


def _sending(spans: Coded) -> pl.DataFrame:
    """Links of send spans to other traces."""
    if spans.links.is_empty() or not (spans.facts["messaging"] == "send").any():
        return deliveries.NO_STORED_LINKS
    said = spans.facts.select("service", "messaging")[spans.rows["fact"]]
    sends = spans.rows.select(*ID, "span").hstack(said).filter(messaging="send")
    links = spans.links.join(sends, on=[*ID, "span", "service"], how="semi")
    return links.filter((pl.col("high") != pl.col("to_high")) | (pl.col("low") != pl.col("to_low")))


def within(held: Frames, ids: pl.DataFrame) -> pl.DataFrame:
    """The create spans of these traces (:data:`CREATED`); ``ids``: halves of the ids of traces by their ``trace``."""
    if not (held.facts["messaging"] == "create").any():
        return NONE
    said = held.facts.select("service", "messaging")[held.spans["fact"]]
    rows = held.spans.select("trace", target="span").hstack(said).filter(messaging="create")
    return rows.join(ids, on="trace").select(*CREATED).unique()


def asked(held: Frames) -> pl.DataFrame:
    """Links of send spans to other traces (:data:`collector.deliveries.LINK`)."""
    if held.links.is_empty() or not (held.facts["messaging"] == "send").any():
        return deliveries.NO_LINKS
    said = held.facts.select("service", "messaging")[held.spans["fact"]]
    sends = held.spans.select("trace", "span").hstack(said).filter(messaging="send")
    return held.links.filter(~pl.col("own")).join(sends, on=["trace", "span", "service"], how="semi")


def marked(links: pl.DataFrame, created: pl.DataFrame, known: Iterable[TraceId]) -> pl.DataFrame:
    """``links`` with ``made`` as ``created`` says, where they lead to ``known`` traces; the others as they are."""
    ids = pl.DataFrame(list(known), schema=dict.fromkeys(ID, pl.UInt64), orient="row").unique()
    found = links.join(ids.with_columns(known=True), on=ID, how="left", maintain_order="left")
    found = found.join(created.with_columns(stored=True), on=list(CREATED), how="left", maintain_order="left")
    now = pl.when(pl.col("known").fill_null(value=False) | pl.col("stored"))
    return found.with_columns(
        made=now.then(pl.col("stored").fill_null(value=False)).otherwise("made")
    ).select(links.columns)


def sent(links: pl.DataFrame, call_of: Ints, sends: Bools, creates: Bools) -> pl.DataFrame:
    """What calling sides send of what was created elsewhere: ``call``, ``high``, ``low``, ``target``.

    Args:
        links: columns :data:`collector.deliveries.LINK`, and ``row`` of the linking span.
        call_of: per span the one that stands for its calling side.
        sends: send spans.
        creates: create spans; a side that has one is a message of its own.
    """
    made = links.filter("made")
    row = made["row"].to_numpy()
    call = call_of[row]
    creating = np.isin(call, call_of[creates])
    return made.select(*deliveries.TARGET, call=pl.Series(call)).filter(pl.Series(sends[row] & ~creating))


def got(links: pl.DataFrame, sent: pl.DataFrame, side: Ints, consumes: Bools) -> Ints:
    """The consumers that link to what the side sends that they hang under (``side``, −1 for none)."""
    row = links["row"].to_numpy()
    linked = links.select(*deliveries.TARGET, "row", call=pl.Series(side[row])).filter(
        pl.Series(consumes[row])
    )
    found: Ints = linked.join(sent, on=[*deliveries.TARGET, "call"], how="semi")["row"].to_numpy()
    return found


class Senders:
    """Which held traces send what other traces create. For one thread.

    Whoever touches a trace of creations touches those that send them: these are never let go of before it.
    """

    def __init__(self) -> None:
        self._by: dict[TraceId, set[TraceId]] = {}  # trace of creations → traces that send them

    def of(self, traces: Iterable[TraceId]) -> set[TraceId]:
        """Held traces that send what these create."""
        return {sender for i in traces for sender in self._by.get(i, ())} if self._by else set()

    def keep(self, asks: pl.DataFrame) -> None:
        """Their traces are held: columns of :data:`collector.coded.ID` (of creations), and of those that send them."""
        for high, low, *sender in asks.select(*ID, *SOURCE).unique().rows():
            self._by.setdefault((high, low), set()).add((sender[0], sender[1]))

    def leave(self, asks: pl.DataFrame) -> list[TraceId]:
        """Their traces are let go of.

        Returns:
            The traces of creations: that these are sent is forgotten.
        """
        lost = []
        for high, low, *sender in asks.select(*ID, *SOURCE).unique().rows():
            known = self._by.get((high, low), set())
            known.discard((sender[0], sender[1]))
            if not known:
                self._by.pop((high, low), None)
            lost.append((high, low))
        return lost
