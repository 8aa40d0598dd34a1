"""how long people outside, voice messages and the audit trail are kept"""

import sqlalchemy as sa
from alembic import op

revision = '0030'
down_revision = '0029'


def upgrade() -> None:
    op.create_table('retention_policy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_days', sa.Integer(), nullable=False),
    sa.Column('voicemail_days', sa.Integer(), nullable=False),
    sa.Column('audit_days', sa.Integer(), nullable=False),
    sa.Column('calls_up_to', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_retention_policy')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('calls') as batch:
        batch.add_column(sa.Column('is_forgotten', sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table('calls') as batch:
        batch.drop_column('is_forgotten')
    op.drop_table('retention_policy')
