"""sizes and places in files: beyond 2 GB, and inodes beyond 32 bits, on PostgreSQL too"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'

COLUMNS = [
    ("record_files", "inode"), ("record_files", "offset"), ("record_lines", "offset"), ("bad_lines", "offset"), ("queue_events", "offset"),
    ("recordings", "size_bytes"), ("reports", "size_bytes"),
]


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite's integers have 64 bits whatever they are called
        for table, column in COLUMNS:
            op.alter_column(table, column, type_=sa.BigInteger(), existing_type=sa.Integer(), existing_nullable=False)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # what the older version cannot hold becomes the largest it can
        for table, column in COLUMNS:
            op.alter_column(table, column, type_=sa.Integer(), existing_type=sa.BigInteger(), existing_nullable=False,
                            postgresql_using=f'LEAST("{column}", 2147483647)::integer')  # fmt: skip
