"""khomp boards and trunks"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'

ADDED: list[tuple[str, Any, Any]] = [  # what a trunk that was there before has
    ('allocation', sa.String(length=40), 'ascending'),
    ('channels', sa.JSON(), '[]'),
    ('drop_collect_call', sa.Boolean(), sa.false()),
    ('echo_canceller', sa.Boolean(), sa.true()),
    ('input_volume', sa.Integer(), '0'),
    ('output_volume', sa.Integer(), '0'),
]


def upgrade() -> None:
    op.create_table('khomp_boards',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('index', sa.Integer(), nullable=False),
    sa.Column('model', sa.String(length=40), nullable=False),
    sa.Column('channels', sa.Integer(), nullable=False),
    sa.Column('links', sa.Integer(), nullable=True),
    sa.Column('serial', sa.String(length=20), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_khomp_boards')),
    sa.UniqueConstraint('index', name=op.f('uq_khomp_boards_index')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('trunks', schema=None) as batch_op:
        for name, kind, value in ADDED:
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default=value))
    with op.batch_alter_table('trunks', schema=None) as batch_op:
        for name, kind, _value in ADDED:
            batch_op.alter_column(name, existing_type=kind, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('trunks', schema=None) as batch_op:
        for name, _kind, _value in reversed(ADDED):
            batch_op.drop_column(name)
    op.drop_table('khomp_boards')
