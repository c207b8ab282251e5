"""Which collector stored a span and counted a call; '' for those from before they had names.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMN = "collector LowCardinality(String)"
KEY = (
    "time, source, target, kind, protocol, operation, version, failure, flags, evidence, "
    "source_kind, target_kind, via, caller_address"
)


def upgrade() -> None:
    op.execute(f"ALTER TABLE span_rows ADD COLUMN IF NOT EXISTS {COLUMN} CODEC(ZSTD(1))")
    op.execute(f"ALTER TABLE progress ADD COLUMN IF NOT EXISTS {COLUMN}")
    if not _has("calls"):  # a column can be added to the key only by the statement that makes it
        op.execute(f"ALTER TABLE calls ADD COLUMN {COLUMN}, MODIFY ORDER BY ({KEY}, collector)")
    _view_anew()


def downgrade() -> None:
    raise NotImplementedError("a column of the key cannot be dropped: start with an empty database")


def _has(table: str) -> bool:
    found = op.get_bind().execute(sa.text(f"DESCRIBE TABLE {table}")).fetchall()
    return "collector" in [row[0] for row in found]


def _view_anew() -> None:
    """Its ``*`` stands for the columns that the table had when it was made."""
    query = "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'spans'"
    selected = op.get_bind().execute(sa.text(query)).scalar_one()
    op.execute(f"CREATE OR REPLACE VIEW spans AS {selected}")
