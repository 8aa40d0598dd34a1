"""addresses that may and may not come in"""

import sqlalchemy as sa
from alembic import op

revision = '0026'
down_revision = '0025'


def upgrade() -> None:
    op.create_table('address_rules',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_address_rules')),
    sa.UniqueConstraint('address', name=op.f('uq_address_rules_address')),
    sqlite_autoincrement=True
    )
    op.create_table('address_policy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('users_count', sa.Integer(), nullable=False),
    sa.Column('tries_count', sa.Integer(), nullable=False),
    sa.Column('window_minutes', sa.Integer(), nullable=False),
    sa.Column('ban_minutes', sa.Integer(), nullable=False),
    sa.Column('include_local', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_address_policy')),
    sqlite_autoincrement=True
    )
    op.create_table('bans',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(length=45), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('users', sa.JSON(), nullable=False),
    sa.Column('users_count', sa.Integer(), nullable=False),
    sa.Column('tries_count', sa.Integer(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bans')),
    sqlite_autoincrement=True
    )
    for column in ('address', 'since', 'until'):
        op.create_index(op.f(f'ix_bans_{column}'), 'bans', [column], unique=False)


def downgrade() -> None:
    op.drop_table('bans')
    op.drop_table('address_policy')
    op.drop_table('address_rules')
