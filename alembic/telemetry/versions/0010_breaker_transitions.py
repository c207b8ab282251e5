"""When circuit breakers changed: one row per caller instance, target and version, or host of it, and change.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WORD = "LowCardinality(String)"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE IF NOT EXISTS breaker_transitions (
            time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
            source {WORD}, instance {WORD}, target {WORD}, version {WORD},
            host String CODEC(ZSTD(1)),
            before {WORD}, state {WORD}, reasons {WORD},
            ejected UInt32, hosts UInt32,
            collector {WORD}
        )
        ENGINE = MergeTree PARTITION BY toMonday(time)
        ORDER BY (time, target, source, instance, version, host)
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE breaker_transitions")
