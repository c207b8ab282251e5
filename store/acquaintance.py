"""Who was met at which address: one row each time that something of it changes; the last one counts."""

from __future__ import annotations

import time
from typing import Any, Final, cast

import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector.directory import SAID
from store import telemetry
from store.collectors import own, signed

_TABLE = telemetry.addresses.c
_KEY: Final = ("address", "service")


def write(engine: Engine, collector: str, said: pl.DataFrame) -> None:
    """Note rows of :data:`collector.directory.SAID`."""
    if said.is_empty():
        return
    noted = pa.array([time.time_ns()] * said.height, pa.timestamp("ns", tz="UTC"))
    rows = said.to_arrow(compat_level=pl.CompatLevel.oldest()).append_column("noted", noted)
    telemetry.insert(engine, telemetry.addresses, signed(rows, collector))


def read(engine: Engine, collector: str) -> pl.DataFrame:
    """What this collector noted last of each address and service."""
    last: list[Any] = [
        sa.func.argMax(_TABLE[name], _TABLE.noted).label(name) for name in SAID if name not in _KEY
    ]
    keys = [sa.func.toString(_TABLE[name]).label(name) for name in _KEY]
    mine = sa.select(*keys, *last).where(own(_TABLE.collector, collector))
    query = mine.group_by(*(_TABLE[name] for name in _KEY))
    found = cast(pl.DataFrame, pl.from_arrow(telemetry.read(engine, query)))
    return found.select(pl.col(name).cast(kind) for name, kind in SAID.items())
