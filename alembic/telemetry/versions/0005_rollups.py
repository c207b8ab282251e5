"""Calls in buckets of 10 s, 1 min and 1 h, added up by the store; the target's instance, and how many samples.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORD, SUM = "LowCardinality(String)", "SimpleAggregateFunction(sum, Float64)"
HISTOGRAM = "SimpleAggregateFunction(sumMap, Map(Int16, Float64))"
FORMER_KEY = (
    "source",
    "target",
    "kind",
    "protocol",
    "operation",
    "version",
    "failure",
    "flags",
    "evidence",
    "source_kind",
    "target_kind",
    "via",
    "caller_address",
    "collector",
)
# In the order of its tables: who is asked for most, first; what differs most from row to row, late.
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
)
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
HISTOGRAMS = ("client_histogram", "server_histogram")

# Table → seconds of a bucket; of what a part holds; of what lies together in it: one series within that time is found
# in a few granules, and a window reads little more than it asks for.
ROLLUPS = {
    "calls_10s": (10, "toDate(time)", "toStartOfInterval(time, INTERVAL 15 MINUTE)"),
    "calls_1m": (60, "toMonday(time)", "toStartOfInterval(time, INTERVAL 2 HOUR)"),
    "calls_1h": (3600, "toYYYYMM(time)", "toStartOfInterval(time, INTERVAL 1 DAY)"),
}


def table(name: str) -> str:
    _, part, together = ROLLUPS[name]
    columns = ["time DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'start of the bucket'"]
    columns += [f"{column} {WORD}" for column in KEY]
    columns += [f"{column} {SUM}" for column in SUMS]
    columns += [f"{column} {HISTOGRAM} COMMENT 'bin: calls'" for column in HISTOGRAMS]
    return f"""
CREATE TABLE IF NOT EXISTS {name} ({", ".join(columns)})
ENGINE = AggregatingMergeTree
PARTITION BY {part}
ORDER BY ({together}, {", ".join(KEY)}, time)
SETTINGS min_parts_to_merge_at_once = 32
"""


def bucket(name: str) -> str:
    seconds, *_ = ROLLUPS[name]
    return f"toStartOfInterval(time, INTERVAL {seconds} SECOND)"


def view(name: str) -> str:
    """Rows of one key are added up by merges, and by every query: the view itself need not."""
    columns = ", ".join((*KEY, *SUMS, *HISTOGRAMS))
    selected = f"SELECT {bucket(name)} AS time, {columns} FROM calls"  # noqa: S608 - names of ours
    return f"CREATE MATERIALIZED VIEW {name}_from TO {name} AS {selected}"


def filling(name: str, source: str) -> str:
    added = [f"sum({column})" for column in SUMS] + [f"sumMap({column})" for column in HISTOGRAMS]
    columns = ", ".join((*KEY, *SUMS, *HISTOGRAMS))
    keys = ", ".join((f"{bucket(name)} AS bucket", *KEY))
    selected = f"SELECT {keys}, {', '.join(added)} FROM {source}"  # noqa: S608 - names of ours
    insert = f"INSERT INTO {name} (time, {columns}) {selected}"
    return f"{insert} WHERE toDate(time) = {{day}} GROUP BY bucket, {', '.join(KEY)}"


def upgrade() -> None:
    """Safe to repeat: what an attempt before left behind is made anew. Nobody may write calls meanwhile."""
    if not _has("calls", "samples"):
        op.execute(f"ALTER TABLE calls ADD COLUMN samples {SUM} AFTER bytes_in")
    if not _has("calls", "instance"):  # a column can be added to the key only by the statement that makes it
        former = ", ".join(("time", *FORMER_KEY))
        op.execute(
            f"ALTER TABLE calls ADD COLUMN instance {WORD} AFTER version, MODIFY ORDER BY ({former}, instance)"
        )
    days = [row[0] for row in _rows("SELECT DISTINCT toString(toDate(time)) FROM calls")]
    finer = "calls"
    for name in ROLLUPS:
        op.execute(f"DROP VIEW IF EXISTS {name}_from")
        op.execute(table(name))
        op.execute(f"TRUNCATE TABLE {name}")
        for day in days:  # memory is in proportion
            op.execute(filling(name, finer).format(day=f"toDate('{day}')"))
        finer = name
    for name in ROLLUPS:
        op.execute(view(name))


def downgrade() -> None:
    raise NotImplementedError("a column of the key cannot be dropped: start with an empty database")


def _has(table: str, column: str) -> bool:
    return column in [row[0] for row in _rows(f"DESCRIBE TABLE {table}")]


def _rows(query: str) -> list:
    return op.get_bind().execute(sa.text(query)).fetchall()
