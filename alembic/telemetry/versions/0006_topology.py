"""Which edges there were in which hour, added up by the store.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORD, SUM = "LowCardinality(String)", "SimpleAggregateFunction(sum, Float64)"
KEY = "source, target, kind, protocol, evidence, source_kind, target_kind, via, caller_address"  # what makes an edge

# Sums are signed, as those of calls are: an hour whose calls were all taken back (R1, R5) has none left. What is taken
# back within an hour that keeps others may still count for its first and last call.
TABLE = f"""
CREATE TABLE IF NOT EXISTS topology (
    hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    {", ".join(f"{name} {WORD}" for name in KEY.split(", "))},
    calls {SUM},
    client_calls {SUM},
    server_calls {SUM},
    first SimpleAggregateFunction(min, DateTime('UTC')) COMMENT 'call that was counted',
    last SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'call that was counted'
) ENGINE = AggregatingMergeTree
PARTITION BY toMonday(hour)
ORDER BY ({KEY}, hour)
SETTINGS min_parts_to_merge_at_once = 32
"""

NEVER, EVER = "toDateTime(4294967295, 'UTC')", "toDateTime(0, 'UTC')"
ADDED = f"""
FROM (FROM {{rows}} SELECT time, {KEY}, calls, client_calls, server_calls, calls > 0 AS counted)
SELECT toStartOfHour(time) AS hour, {KEY},
    sum(calls) AS calls, sum(client_calls) AS client_calls, sum(server_calls) AS server_calls,
    min(if(counted, time, {NEVER})) AS first, max(if(counted, time, {EVER})) AS last
GROUP BY hour, {KEY}
"""
NET = f"""(
    FROM calls
    SELECT time, {KEY}, sum(calls) AS calls, sum(client_calls) AS client_calls, sum(server_calls) AS server_calls
    GROUP BY time, {KEY})"""


def upgrade() -> None:
    """Safe to repeat: what an attempt before left behind is made anew. Nobody may write calls meanwhile."""
    op.execute("DROP VIEW IF EXISTS topology_from")
    op.execute(TABLE)
    op.execute("TRUNCATE TABLE topology")
    columns = f"hour, {KEY}, calls, client_calls, server_calls, first, last"
    op.execute(f"INSERT INTO topology ({columns}) {ADDED.format(rows=NET)}")
    op.execute(f"CREATE MATERIALIZED VIEW topology_from TO topology AS {ADDED.format(rows='calls')}")


def downgrade() -> None:
    op.execute("DROP VIEW IF EXISTS topology_from")
    op.execute("DROP TABLE IF EXISTS topology")
