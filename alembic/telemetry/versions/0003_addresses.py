"""Who was met at which address, so that a restart does not forget it.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The last row of each address and service counts. A service itself has the address ''.
ADDRESSES = """
CREATE TABLE IF NOT EXISTS addresses (
    collector LowCardinality(String) COMMENT 'who met it',
    address String,
    service LowCardinality(String),
    stated Int64 COMMENT 'unix s, when its resource said so last; 0 never',
    taught Int64 COMMENT 'unix s, when calls said so last; 0 never, or taken back',
    calls Int64 COMMENT 'that say so',
    noted DateTime64(9, 'UTC')
) ENGINE = ReplacingMergeTree(noted)
ORDER BY (collector, address, service)
TTL toDateTime(noted) + INTERVAL 30 DAY
"""


def upgrade() -> None:
    op.execute(ADDRESSES)


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS addresses")
