"""who writes about a message now"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'


def upgrade() -> None:
    with op.batch_alter_table('voicemail_messages') as table:
        table.add_column(sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True))
    # A room that was to ask a PIN it did not have asked nobody; now that is said, and refused for a room that is changed.
    op.execute("UPDATE conference_rooms SET use_pin = false WHERE pin IS NULL")


def downgrade() -> None:
    with op.batch_alter_table('voicemail_messages') as table:
        table.drop_column('claimed_at')
