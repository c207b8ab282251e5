"""Spans as they came, and calls in buckets of one second.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Merging a row costs more than inserting it. With the default (as few as 5 parts) a span is written again and again.
MERGES = "SETTINGS min_parts_to_merge_at_once = 32"

# In the order of traces a trace is found without an index of its own, and its ids and attributes compress best.
SPANS = f"""
CREATE TABLE IF NOT EXISTS spans (
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    arrived DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when it was stored',
    duration UInt64 CODEC(ZSTD(1)) COMMENT 'ns',
    kind Int8 CODEC(ZSTD(1)),
    status Int8 CODEC(ZSTD(1)),
    service LowCardinality(String),
    version LowCardinality(String),
    instance LowCardinality(String),
    operation LowCardinality(String),
    protocol LowCardinality(String),
    peer LowCardinality(String),
    peer_kind LowCardinality(String),
    peer_rank Int8 CODEC(ZSTD(1)),
    destination LowCardinality(String),
    messaging LowCardinality(String),
    peer_version LowCardinality(String),
    failure LowCardinality(String),
    flags LowCardinality(String),
    proxy Bool,
    role LowCardinality(String),
    attempts UInt16 CODEC(ZSTD(1)),
    resend Bool,
    weight Float64 CODEC(ZSTD(1)),
    scope LowCardinality(String),
    telemetry LowCardinality(String),
    address LowCardinality(String),
    peer_address LowCardinality(String),
    shared Bool,
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    events Nested(
        time DateTime64(9, 'UTC'),
        name LowCardinality(String),
        attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    links Nested(
        trace_id FixedString(16),
        span_id FixedString(8),
        attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    INDEX arrived arrived TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(start)
ORDER BY (toStartOfFiveMinutes(start), trace_id)
{MERGES}
"""

# Signed differences: rows of one key add up, in merges and in every query.
CALLS = f"""
CREATE TABLE IF NOT EXISTS calls (
    time DateTime('UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    target LowCardinality(String),
    kind LowCardinality(String),
    protocol LowCardinality(String),
    operation LowCardinality(String),
    version LowCardinality(String),
    failure LowCardinality(String),
    flags LowCardinality(String),
    evidence LowCardinality(String),
    source_kind LowCardinality(String),
    target_kind LowCardinality(String),
    via LowCardinality(String),
    caller_address LowCardinality(String),
    calls SimpleAggregateFunction(sum, Float64),
    failed SimpleAggregateFunction(sum, Float64),
    client_calls SimpleAggregateFunction(sum, Float64),
    client_failed SimpleAggregateFunction(sum, Float64),
    server_calls SimpleAggregateFunction(sum, Float64),
    server_failed SimpleAggregateFunction(sum, Float64),
    requests SimpleAggregateFunction(sum, Float64),
    attempts SimpleAggregateFunction(sum, Float64),
    inferred SimpleAggregateFunction(sum, Float64),
    client_histogram SimpleAggregateFunction(sumMap, Map(Int16, Float64)) COMMENT 'bin: calls',
    server_histogram SimpleAggregateFunction(sumMap, Map(Int16, Float64)) COMMENT 'bin: calls'
) ENGINE = AggregatingMergeTree
PARTITION BY toDate(time)
ORDER BY (time, source, target, kind, protocol, operation, version, failure, flags, evidence,
          source_kind, target_kind, via, caller_address)
{MERGES}
"""


# One row for every few seconds; only the latest counts.
PROGRESS = """
CREATE TABLE IF NOT EXISTS progress (
    settled DateTime('UTC') COMMENT 'every span that arrived before is in the calls'
) ENGINE = MergeTree
ORDER BY settled
TTL settled + INTERVAL 1 DAY
"""


def upgrade() -> None:
    op.execute(SPANS)
    op.execute(CALLS)
    op.execute(PROGRESS)


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS progress")
    op.execute("DROP TABLE IF EXISTS calls")
    op.execute("DROP TABLE IF EXISTS spans")
