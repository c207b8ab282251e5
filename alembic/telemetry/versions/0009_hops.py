"""In which view of the graph a call is: proxies as nodes of their own, or not.

Calls that were counted before are the same in both views.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WORD = "LowCardinality(String)"
HISTOGRAMS = ("client_histogram", "server_histogram")
SUMS = (
    "calls",
    "failed",
    "client_calls",
    "client_failed",
    "server_calls",
    "server_failed",
    "requests",
    "attempts",
    "inferred",
    "bytes_out",
    "bytes_in",
    "samples",
)
KEY = (
    "target",
    "source",
    "kind",
    "evidence",
    "operation",
    "protocol",
    "version",
    "failure",
    "flags",
    "source_kind",
    "target_kind",
    "via",
    "caller_address",
    "collector",
    "instance",
    "hops",
)
ROLLUPS = {"calls_10s": 10, "calls_1m": 60, "calls_1h": 3600}  # table → seconds of a bucket
TABLES = ("calls", *ROLLUPS, "topology")

TOPOLOGY_KEY = "source, target, kind, protocol, evidence, source_kind, target_kind, via, caller_address, hops"
NEVER, EVER = "toDateTime(4294967295, 'UTC')", "toDateTime(0, 'UTC')"
TOPOLOGY = f"""
SELECT toStartOfHour(time) AS hour, {TOPOLOGY_KEY},
    sum(calls) AS calls, sum(client_calls) AS client_calls, sum(server_calls) AS server_calls,
    min(if(counted, time, {NEVER})) AS first, max(if(counted, time, {EVER})) AS last
FROM (SELECT time, {TOPOLOGY_KEY}, calls, client_calls, server_calls, calls > 0 AS counted FROM calls)
GROUP BY hour, {TOPOLOGY_KEY}
"""  # noqa: S608 - names of ours


def rollup(seconds: int) -> str:
    bucket = f"toStartOfInterval(time, INTERVAL {seconds} SECOND)"
    return f"SELECT {bucket} AS time, {', '.join((*KEY, *SUMS, *HISTOGRAMS))} FROM calls"  # noqa: S608 - names of ours


def upgrade() -> None:
    """Safe to repeat. Nobody may write calls meanwhile."""
    views = {name: rollup(seconds) for name, seconds in ROLLUPS.items()} | {"topology": TOPOLOGY}
    for name in views:
        op.execute(f"DROP VIEW IF EXISTS {name}_from")
    for name in TABLES:
        if not _has(name, "hops"):  # a column can be added to the key only by the statement that makes it
            key = f"ADD COLUMN hops {WORD} AFTER caller_address, MODIFY ORDER BY ({_order(name)}, hops)"
            op.execute(f"ALTER TABLE {name} {key}")
    for name, selected in views.items():
        op.execute(f"CREATE MATERIALIZED VIEW {name}_from TO {name} AS {selected}")


def downgrade() -> None:
    raise NotImplementedError("a column of the key cannot be dropped: start with an empty database")


def _order(table: str) -> str:
    query = sa.text(
        "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = :name"
    )
    return str(op.get_bind().execute(query, {"name": table}).scalar_one())


def _has(table: str, column: str) -> bool:
    return column in [row[0] for row in op.get_bind().execute(sa.text(f"DESCRIBE TABLE {table}"))]
