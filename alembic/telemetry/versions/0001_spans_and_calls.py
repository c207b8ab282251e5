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

# One file for each small part: making 15 files costs as much as filling them. Up to 1 GiB (some five million spans)
# the columns of a part stay in one file; merging them one by one costs more.
PACKED, COMPACT = 100 << 20, 1 << 30  # bytes before compression
FEW_FILES = f"min_bytes_for_full_part_storage = {PACKED}, min_bytes_for_wide_part = {COMPACT}"
GRANULES = "index_granularity = 16384"

# Joined texts: units between texts, records between lists; both, and the escape, are escaped within a text.
ESCAPE, RECORD, UNIT = r"'\x1d'", r"'\x1e'", r"'\x1f'"


def unescaped(text: str) -> str:
    plain = f"replaceAll({text}, concat({ESCAPE}, 'U'), {UNIT})"
    plain = f"replaceAll({plain}, concat({ESCAPE}, 'R'), {RECORD})"
    return f"replaceAll({plain}, concat({ESCAPE}, 'E'), {ESCAPE})"


def listed(text: str) -> str:
    units = f"splitByChar({UNIT}, {text})"
    return f"if(position({text}, {ESCAPE}) = 0, {units}, arrayMap(unit -> {unescaped('unit')}, {units}))"


def in_turns(pairs: str) -> str:
    """A map from key, value, key, value …"""
    every_second = [
        f"arrayFilter((unit, i) -> bitAnd(i, 1) = {odd}, {pairs}, arrayEnumerate({pairs}))" for odd in (1, 0)
    ]
    return f"mapFromArrays({', '.join(every_second)})"


def each(records: str, value: str) -> str:
    """An array: ``value`` of each ``record``."""
    return f"arrayMap(record -> {value}, arrayFilter(r -> r != '', splitByChar({RECORD}, {records})))"


def fields(text: str, types: dict[str, str]) -> dict[str, str]:
    """One column for each unit of a joined text. Strings in, strings out: worked out once per different text."""
    unit = r"extract({}, '^(?:[^\x1f]*\x1f){{{}}}([^\x1f]*)')"
    return {
        name: f"CAST({unescaped(unit.format(text, place))}, '{kind}')"
        for place, (name, kind) in enumerate(types.items())
    }


WORD = "LowCardinality(String)"
KINDS = {"kind": "Int8", "status": "Int8", "peer_rank": "Int8", "attempts": "UInt16", "weight": "Float64"}
KINDS |= dict.fromkeys(("proxy", "resend", "shared", "timed"), "Bool")
READING = [
    "kind",
    "status",
    "protocol",
    "peer",
    "peer_kind",
    "peer_rank",
    "destination",
    "messaging",
    "peer_version",
    "failure",
    "flags",
    "proxy",
    "role",
    "attempts",
    "resend",
    "weight",
    "peer_address",
    "shared",
    "timed",
]
REPORTER = ("service", "version", "instance", "address", "telemetry", "scope")
KEYS = f"arrayPopFront({listed('attribute_keys')})"
VALUES = f"arrayResize({listed('attribute_values')}, length(splitByChar({UNIT}, attribute_keys)) - 1, '')"
UNITS = f"splitByChar({UNIT}, record)"
REST = in_turns(f"arraySlice({listed('record')}, 3)")

# In the order of traces a trace is found without an index of its own, and its ids and attributes compress best.
# Every column has its own price per insert and merge, however little it holds: what few combinations decide is one
# text for all of it. Computed columns have theirs too (ALIAS, per insert): they are in a view.
ROWS = f"""
CREATE TABLE IF NOT EXISTS span_rows (
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    arrived DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when it was stored',
    duration UInt64 CODEC(ZSTD(1)) COMMENT 'ns',
    operation LowCardinality(String) CODEC(ZSTD(1)),
    reading LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'kind … timed',
    reporter LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'service … scope, then keys and values of the resource',
    attribute_keys LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'each behind a unit separator',
    attribute_values String CODEC(ZSTD(1)),
    event_texts String CODEC(ZSTD(1)) COMMENT 'time (ns), name, keys and values',
    link_texts String CODEC(ZSTD(1)) COMMENT 'trace id, span id (hex), keys and values',
    INDEX arrived arrived TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(start)
ORDER BY (toStartOfFiveMinutes(start), trace_id)
{MERGES}, {FEW_FILES}, {GRANULES}
"""

COMPUTED = {
    **fields("reading", {name: KINDS.get(name, WORD) for name in READING}),
    **fields("reporter", dict.fromkeys(REPORTER, WORD)),
    "attributes": f"mapFromArrays({KEYS}, {VALUES})",
    "resource": in_turns(f"arraySlice({listed('reporter')}, 7)"),
    "events.time": each("event_texts", f"fromUnixTimestamp64Nano(toInt64({UNITS}[1]), 'UTC')"),
    "events.name": each("event_texts", unescaped(f"{UNITS}[2]")),
    "events.attributes": each("event_texts", REST),
    "links.trace_id": each("link_texts", f"toFixedString(unhex({UNITS}[1]), 16)"),
    "links.span_id": each("link_texts", f"toFixedString(unhex({UNITS}[2]), 8)"),
    "links.attributes": each("link_texts", REST),
}

SELECTED = ", ".join(["*", *(f"{value} AS `{name}`" for name, value in COMPUTED.items())])
SPANS = f"CREATE VIEW IF NOT EXISTS spans AS FROM span_rows SELECT {SELECTED}"

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
    bytes_out SimpleAggregateFunction(sum, Float64),
    bytes_in SimpleAggregateFunction(sum, Float64),
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
    op.execute(ROWS)
    op.execute(SPANS)
    op.execute(CALLS)
    op.execute(PROGRESS)


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS progress")
    op.execute("DROP TABLE IF EXISTS calls")
    op.execute("DROP VIEW IF EXISTS spans")
    op.execute("DROP TABLE IF EXISTS span_rows")
