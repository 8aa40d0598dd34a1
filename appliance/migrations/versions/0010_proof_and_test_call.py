"""when a second Asterisk booted cold with a revision; the test call after an apply"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'


def upgrade() -> None:
    op.add_column('revisions', sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE revisions SET proved_at = at')  # until now every one was booted before it came into force
    with op.batch_alter_table('company') as batch:
        batch.add_column(sa.Column('canary_number', sa.String(length=20), nullable=False, server_default=''))
        batch.add_column(sa.Column('canary_extension_id', sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f('fk_company_canary_extension_id_extensions'), 'extensions', ['canary_extension_id'], ['id'])
    with op.batch_alter_table('company') as batch:
        batch.alter_column('canary_number', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('company') as batch:
        batch.drop_constraint(op.f('fk_company_canary_extension_id_extensions'), type_='foreignkey')
        batch.drop_column('canary_extension_id')
        batch.drop_column('canary_number')
    op.drop_column('revisions', 'proved_at')
