"""What the collector writes to, and reads back when it starts."""

from __future__ import annotations

import time

import pyarrow as pa
from sqlalchemy.engine import Engine

from collector.rollup import Buckets
from store import calls, spans


class StoreSink:
    """The telemetry store as :class:`collector.commit.Sink`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write_spans(self, table: pa.Table) -> None:
        """Rows of :data:`collector.model.SPANS`, on disk when this returns."""
        spans.write(self._engine, table)

    def write_calls(self, buckets: Buckets) -> None:
        """Signed buckets, on disk when this returns."""
        calls.write(self._engine, buckets)

    def recent_calls(self, seconds: int) -> Buckets:
        """The last ``seconds``, for the live graph of a collector that starts."""
        now = int(time.time())
        return calls.between(self._engine, now - seconds, now + 3600)
