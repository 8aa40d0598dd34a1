"""recordings make room on a full disk"""

import sqlalchemy as sa
from alembic import op

revision = '0029'
down_revision = '0028'


def upgrade() -> None:
    with op.batch_alter_table('recording_policy') as batch:
        batch.add_column(sa.Column('disk_percent', sa.Integer(), nullable=False, server_default='90'))
        batch.add_column(sa.Column('least_days', sa.Integer(), nullable=False, server_default='7'))


def downgrade() -> None:
    with op.batch_alter_table('recording_policy') as batch:
        batch.drop_column('least_days')
        batch.drop_column('disk_percent')
