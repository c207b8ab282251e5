"""Up to where the stored spans are in the calls: what is later must be looked at when a collector starts."""

from __future__ import annotations

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import telemetry
from store.collectors import own, signed


def settle(engine: Engine, collector: str, arrived: int) -> None:
    """Every span that this collector stored before this second (unix) is in the calls."""
    seconds = pa.array([arrived], pa.timestamp("s", tz="UTC"))
    telemetry.insert(engine, telemetry.progress, signed(pa.table({"settled": seconds}), collector))


def settled(engine: Engine, collector: str) -> int:
    """The latest second that this collector settled; 0 for none."""
    latest = sa.func.toInt64(sa.func.toUnixTimestamp(sa.func.max(telemetry.progress.c.settled))).label(
        "latest"
    )
    query = sa.select(latest).where(own(telemetry.progress.c.collector, collector))
    return int(telemetry.read(engine, query)["latest"][0].as_py())
