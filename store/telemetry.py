"""The telemetry tables as SQLAlchemy sees them. The migrations make them; queries are built from these."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from collector import model
from collector.breaker_edges import TRANSITIONS
from collector.directory import SAID

# Rows of one key were added up before they come here; looking for more of them costs as much as the insert itself.
_INSERT: Final = {"optimize_on_insert": 0}
_LONG: Final = {"max_query_size": 1 << 30}  # bytes: a set of ids is one long text
_SHORT: Final = 1 << 16  # characters; of 4 bytes at most, they fit into what the store takes anyway (256 KiB)
# Within the query: embedded, a setting beside it costs four more (what it was, the change, and back): 2 ms.
_STRINGS: Final = sa.text("SETTINGS output_format_arrow_string_as_string = 1")

metadata = sa.MetaData()

# What the view works out from the joined texts.
_COMPUTED: Final = (
    *model.READING,
    *model.REPORTER,
    "attributes",
    "resource",
    *(f"events.{name}" for name in ("time", "name", "attributes")),
    *(f"links.{name}" for name in ("trace_id", "span_id", "attributes")),
)

span_rows = sa.Table("span_rows", metadata, *(sa.Column(name) for name in (*model.STORED.names, "collector")))
spans = sa.Table(
    "spans", metadata, *(sa.Column(name) for name in (*model.STORED.names, "collector", *_COMPUTED))
)
progress = sa.Table("progress", metadata, sa.Column("settled"), sa.Column("collector"))
addresses = sa.Table("addresses", metadata, *(sa.Column(name) for name in (*SAID, "noted", "collector")))
calls = sa.Table(
    "calls", metadata, *(sa.Column(name) for name in (*model.CALLS.names, "records", "collector"))
)

# Seconds of a bucket → the table that the store adds up in such buckets, and `calls` itself.
buckets: Final = {
    1: calls,
    **{
        seconds: sa.Table(
            name, metadata, *(sa.Column(column) for column in (*model.CALLS.names, "collector"))
        )
        for seconds, name in ((10, "calls_10s"), (60, "calls_1m"), (3600, "calls_1h"))
    },
}
# What makes an edge, before its names are resolved.
TOPOLOGY_KEY: Final = (
    "source",
    "target",
    "kind",
    "protocol",
    "evidence",
    "source_kind",
    "target_kind",
    "via",
    "caller_address",
    "hops",
)
topology = sa.Table(
    "topology",
    metadata,
    *(
        sa.Column(name)
        for name in ("hour", *TOPOLOGY_KEY, "calls", "client_calls", "server_calls", "first", "last")
    ),
)

breaker_transitions = sa.Table(
    "breaker_transitions", metadata, *(sa.Column(name) for name in (*TRANSITIONS, "collector"))
)


def insert(engine: Engine, table: sa.Table, rows: pa.Table) -> None:
    """Insert Arrow rows as one block; returns when the store has it on disk."""
    with engine.connect() as connection:
        client(connection).insert_arrow(table.name, rows, settings=_INSERT)


def read(engine: Engine, query: sa.Select[Any]) -> pa.Table:
    """Rows of a query as Arrow columns."""
    with engine.connect() as connection:
        whole = query.suffix_with(_STRINGS)
        sql = str(whole.compile(engine, compile_kwargs={"literal_binds": True}))
        # The dialect doubles per cent signs for its driver, which this goes past.
        settings = _LONG if len(sql) > _SHORT else None
        table: pa.Table = client(connection).query_arrow(sql.replace("%%", "%"), settings=settings)
        return table


def client(connection: sa.Connection) -> Any:
    """The ClickHouse client beneath a connection: Arrow in and out has no place in the DB-API."""
    return connection.connection.dbapi_connection.client  # type: ignore[union-attr]
