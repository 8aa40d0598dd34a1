"""the voice that speaks a sound of the library"""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'


def upgrade() -> None:
    with op.batch_alter_table('audio_prompts') as batch:
        batch.add_column(sa.Column('voice', sa.String(length=40), nullable=False, server_default='male'))
    with op.batch_alter_table('audio_prompts') as batch:
        batch.alter_column('voice', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('audio_prompts') as batch:
        batch.drop_column('voice')
