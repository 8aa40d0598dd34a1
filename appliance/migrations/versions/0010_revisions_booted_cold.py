"""when a second Asterisk booted cold with a revision"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0005'


def upgrade() -> None:
    op.add_column('revisions', sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE revisions SET proved_at = at')  # until now every one was booted before it came into force


def downgrade() -> None:
    op.drop_column('revisions', 'proved_at')
