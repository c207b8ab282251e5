"""Which granules a trace is not in: its id is only the second part of the order.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# One wrong granule of a thousand: 0.2 bytes a span, for a granule has few traces with all of their spans.
INDEX = "trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1"


def upgrade() -> None:
    op.execute(f"ALTER TABLE span_rows ADD INDEX IF NOT EXISTS {INDEX}")
    op.execute(
        "ALTER TABLE span_rows MATERIALIZE INDEX trace"
    )  # for what is stored already, in the background


def downgrade() -> None:
    op.execute("ALTER TABLE span_rows DROP INDEX IF EXISTS trace")
