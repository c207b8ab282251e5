"""Zipkin's spans that come in pieces, in any number of reports, and trace ids of two lengths (semantics R11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from collector import model, naming, walk

TraceId = tuple[int, int]  # high and low half

_SAME_ID: Final = ["trace", "span"]
_SIDES: Final = dict(enumerate(walk.SIDE_OF_KIND.tolist()))


def join(spans: pl.DataFrame) -> pl.DataFrame:
    """Pieces of one span as one: earliest start, longest duration, whatever one of them states.

    Pieces have one trace, id and side, and endpoints that do not contradict. One without kind belongs to the half
    of its service; one without service or address to the first, in order of names, that has one.

    Args:
        spans: columns of :data:`collector.linker.LINKED`; those of other senders stay as they are.
    """
    pieces = (pl.col("telemetry") == naming.ZIPKIN) & pl.struct(_SAME_ID).is_duplicated()
    found = spans.filter(pieces)
    if found.is_empty():
        return spans
    kind = pl.col("kind").max().over(*_SAME_ID, "service")
    found = found.with_columns(kind=pl.when(pl.col("kind") == model.UNSPECIFIED).then(kind).otherwise("kind"))
    found = found.with_columns(side=pl.col("kind").replace_strict(_SIDES, return_dtype=pl.Int8))
    by = [*_SAME_ID, "side"]
    for name in ("service", "instance"):
        first = pl.col(name).filter(pl.col(name) != "").min().over(by).fill_null("")
        found = found.with_columns(pl.when(pl.col(name) == "").then(first).otherwise(name).alias(name))
        by.append(name)
    joined = found.sort(pl.all()).group_by(by, maintain_order=True).agg(_joined(spans.schema, by))
    return pl.concat([spans.filter(~pieces), joined.select(spans.columns)])


def _joined(schema: Mapping[str, pl.DataType], by: Iterable[str]) -> list[pl.Expr]:
    """How the columns of pieces become one, by what they hold."""
    failed = pl.col("failure").filter(pl.col("failure") != model.OK)
    how = {
        "start": pl.col("start").min(),
        "failure": pl.coalesce(failed.first(), pl.lit(model.OK)),
        "peer_rank": pl.col("peer_rank").min(),
        "peer_kind": pl.col("peer_kind").sort_by("peer_rank").first(),
    }
    return [
        how.get(name, _stated(name, kind)).alias(name) for name, kind in schema.items() if name not in (*by,)
    ]


def _stated(name: str, kind: pl.DataType) -> pl.Expr:
    """The first text that says something; of numbers and truth values the largest."""
    if kind == pl.String:
        return pl.col(name).filter(pl.col(name) != "").first().fill_null("")
    return pl.col(name).max()


class ShortIds:
    """Which Zipkin traces are one: those of one low half, where one of them has nothing but that half."""

    def __init__(self) -> None:
        self._held: dict[int, dict[TraceId, None]] = {}

    def together(self, ids: Iterable[TraceId]) -> dict[TraceId, TraceId]:
        """Each of ``ids``, and each that is held and one trace with it → the one that stands for them all."""
        groups: dict[int, dict[TraceId, None]] = {}
        for found in ids:
            groups.setdefault(found[1], dict(self._held.get(found[1], {})))[found] = None
        together: dict[TraceId, TraceId] = {}
        for low, group in groups.items():
            if len(group) > 1 and (0, low) in group:
                together |= dict.fromkeys(group, (0, low))
        return together

    def keep(self, ids: Iterable[TraceId]) -> None:
        """These are held from now on."""
        for found in ids:
            self._held.setdefault(found[1], {})[found] = None

    def forget(self, found: TraceId) -> None:
        """This one is held no longer."""
        group = self._held.get(found[1])
        if group is not None:
            group.pop(found, None)
            if not group:
                del self._held[found[1]]
