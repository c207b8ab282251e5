"""Up to where the stored spans are in the calls: what is later must be looked at when a collector starts."""

from __future__ import annotations

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import telemetry


def settle(engine: Engine, arrived: int) -> None:
    """Every span that arrived before this second (unix) is in the calls."""
    seconds = pa.array([arrived], pa.timestamp("s", tz="UTC"))
    telemetry.insert(engine, telemetry.progress, pa.table({"settled": seconds}))


def settled(engine: Engine) -> int:
    """The latest second that was settled; 0 for none."""
    latest = sa.func.toInt64(sa.func.toUnixTimestamp(sa.func.max(telemetry.progress.c.settled))).label(
        "latest"
    )
    return int(telemetry.read(engine, sa.select(latest))["latest"][0].as_py())
