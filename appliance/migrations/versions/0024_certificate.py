"""domain and certificate"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'


def upgrade() -> None:
    op.create_table('certificate',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('domain', sa.String(length=190), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('acme_email', sa.String(length=120), nullable=False),
    sa.Column('acme_directory', sa.String(length=200), nullable=False),
    sa.Column('tried_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('fetched_fingerprint', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_certificate')),
    sqlite_autoincrement=True
    )


def downgrade() -> None:
    op.drop_table('certificate')
