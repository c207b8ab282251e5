"""Spans are merged with less memory: columns of a part of 32 MiB and more have files of their own.

A part in one file is made in memory, and merging some keeps all of their columns there.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PACKED, COMPACT = 16 << 20, 32 << 20  # bytes before compression
BEFORE = 100 << 20, 1 << 30  # as revision 0001 has them


def settings(packed: int, compact: int) -> str:
    return f"min_bytes_for_full_part_storage = {packed}, min_bytes_for_wide_part = {compact}"


def upgrade() -> None:
    op.execute(f"ALTER TABLE span_rows MODIFY SETTING {settings(PACKED, COMPACT)}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE span_rows MODIFY SETTING {settings(*BEFORE)}")
