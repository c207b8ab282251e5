"""Deployments and notes.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("service", sa.String(512), nullable=True),
        sa.Column("version", sa.String(253), nullable=True),
        sa.Column("who", sa.String(253), nullable=False),
        sa.Column("link", sa.String(2048), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(253), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("actor", "idempotency_key", name="uq_events_idempotency_key"),
    )
    op.create_index("ix_events_at", "events", ["at"])
    op.create_index("ix_events_service", "events", ["service"])


def downgrade() -> None:
    op.drop_table("events")
