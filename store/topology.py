"""Which edges there were when: the read half of what the store adds up from calls by the hour."""

from __future__ import annotations

from typing import Any, Final, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import telemetry

HOUR: Final = 3600
"""s: what the store keeps apart; a silence that is shorter cannot be seen."""

_TABLE: Final = telemetry.topology.c
_SUMS: Final = ("calls", "client_calls", "server_calls")
_LEAST: Final = 1e-6  # what float addition may leave of calls that were taken back
# Constant texts: SQLAlchemy has no lambdas.
_GAPS: Final = sa.text("(here, before, silence) -> here.1 - before.2 >= silence")
_SPLIT: Final = sa.text("(here, gap) -> gap")
_ENDS: Final = sa.text("part -> (part[1].1, part[-1].2)")


def spells(engine: Engine, since: int, silence: int) -> pl.DataFrame:
    """When each edge was in use since the hour that begins at ``since`` (unix s) or later.

    One row per edge and spell: a spell goes on until there is no call for ``silence`` s, at least :data:`HOUR`.
    Columns: :data:`store.telemetry.TOPOLOGY_KEY`, the sums ``calls``, ``client_calls`` and ``server_calls`` of all
    spells of the edge, ``first`` and ``last`` (unix s) of this one.

    R1, R5: an hour of which every call was taken back is none. Where others were left, ``first`` and ``last`` may be
    those of a call that was taken back, within the hour that had them.
    """
    hours = _hours(since)
    keys = [hours.c[name] for name in telemetry.TOPOLOGY_KEY]
    sums = [sa.func.sum(hours.c[name]).label(name) for name in _SUMS]
    found = sa.select(*keys, *sums, _used(hours).label("used")).group_by(*keys).subquery()
    split = _split(found.c.used, silence)
    spell = sa.func.arrayJoin(sa.func.arrayMap(_ENDS, split)).label("spell")
    each = sa.select(*(c for c in found.c if c.name != "used"), spell).subquery()
    names = [sa.func.toString(each.c[name]).label(name) for name in telemetry.TOPOLOGY_KEY]
    ends = [
        sa.func.toInt64(sa.func.toUnixTimestamp(sa.func.tupleElement(each.c.spell, place))).label(name)
        for place, name in enumerate(("first", "last"), 1)
    ]
    query = sa.select(*names, *(each.c[name] for name in _SUMS), *ends)
    return cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))


def _hours(since: int) -> Any:
    """Each edge and hour of which calls are left."""
    keys = [_TABLE.hour, *(_TABLE[name] for name in telemetry.TOPOLOGY_KEY)]
    sums = [sa.func.sum(_TABLE[name]).label(name) for name in _SUMS]
    ends = [sa.func.min(_TABLE.first).label("first"), sa.func.max(_TABLE.last).label("last")]
    inside = _TABLE.hour >= sa.func.toDateTime(min(max(since, 0), 2**32 - 1), "UTC")
    query = sa.select(*keys, *sums, *ends).where(inside).group_by(*keys)
    return query.having(sa.func.sum(_TABLE.calls) > _LEAST).subquery()


def _used(hours: Any) -> Any:
    """First and last call of every hour, in order."""
    return sa.func.arraySort(sa.func.groupArray(sa.func.tuple(hours.c.first, hours.c.last)))


def _split(used: Any, silence: int) -> Any:
    """The same in pieces: a new one after each silence."""
    before = sa.func.arrayPushFront(sa.func.arrayPopBack(used), sa.func.arrayElement(used, 1))
    silences = sa.func.arrayWithConstant(sa.func.length(used), max(silence, HOUR))
    return sa.func.arraySplit(_SPLIT, used, sa.func.arrayMap(_GAPS, used, before, silences))
