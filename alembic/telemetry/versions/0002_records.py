"""Access log records by their digests: one that comes again does not count again.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = "SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))"
    op.execute(f"ALTER TABLE calls ADD COLUMN IF NOT EXISTS records {kind} COMMENT 'digests of log records'")


def downgrade() -> None:
    op.execute("ALTER TABLE calls DROP COLUMN IF EXISTS records")
