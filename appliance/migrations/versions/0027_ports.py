"""ports of SIP and voice, and which SIP port a desk phone was told"""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'


def upgrade() -> None:
    with op.batch_alter_table('sip') as batch:
        batch.add_column(sa.Column('sip_port', sa.Integer(), nullable=True))
        batch.add_column(sa.Column('rtp_start', sa.Integer(), nullable=True))
        batch.add_column(sa.Column('rtp_end', sa.Integer(), nullable=True))
    with op.batch_alter_table('desk_phone_keys') as batch:
        batch.add_column(sa.Column('port', sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('desk_phone_keys') as batch:
        batch.drop_column('port')
    with op.batch_alter_table('sip') as batch:
        batch.drop_column('rtp_end')
        batch.drop_column('rtp_start')
        batch.drop_column('sip_port')
