"""Guards and schedules of policies.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("policies", sa.Column("guard", sa.JSON(), nullable=True))
    op.add_column("policies", sa.Column("steps", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("policies") as table:
        table.drop_column("steps")
        table.drop_column("guard")
