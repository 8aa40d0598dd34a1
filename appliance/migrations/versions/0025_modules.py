"""modules that are shown, and the serial number"""

import sqlalchemy as sa
from alembic import op

revision = '0025'
down_revision = '0024'


def upgrade() -> None:
    op.create_table('modules',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('serial', sa.String(length=24), nullable=False),
    *(sa.Column(name, sa.Boolean(), nullable=False)
      for name in ('call_centre', 'ivr', 'ratings', 'conferences', 'voicemail', 'provisioning', 'khomp')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_modules')),
    sqlite_autoincrement=True
    )


def downgrade() -> None:
    op.drop_table('modules')
