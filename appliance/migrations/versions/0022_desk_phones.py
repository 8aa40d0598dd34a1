"""desk phones that fetch their configuration, and what of an extension is for them"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'

FLAGS = ('provisioning', 'hide_in_phonebook')


def upgrade() -> None:
    with op.batch_alter_table('extensions') as batch:
        for name in FLAGS:
            batch.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('extensions') as batch:
        for name in FLAGS:
            batch.alter_column(name, server_default=None)
    op.create_table(
        'desk_phones',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('mac', sa.String(length=40), nullable=False),
        sa.Column('extension', sa.String(length=10), nullable=False),
        sa.Column('brand', sa.String(length=40), nullable=False),
        sa.Column('model', sa.String(length=40), nullable=False),
        sa.Column('admin_password', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['extension'], ['extensions.number'], name=op.f('fk_desk_phones_extension'), onupdate='CASCADE', ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_desk_phones')),
        sa.UniqueConstraint('mac', name=op.f('uq_desk_phones_mac')),
        sqlite_autoincrement=True,
    )
    op.create_table(
        'desk_phone_keys',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('desk_phone_id', sa.Integer(), nullable=False),
        sa.Column('pairing_digest', sa.String(length=60), nullable=True),
        sa.Column('opens_without_secret', sa.Boolean(), nullable=False),
        sa.Column('window_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('paired_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('key_digest', sa.String(length=60), nullable=True),
        sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('fetched_from', sa.String(length=60), nullable=False),
        sa.Column('fetched_agent', sa.String(length=160), nullable=False),
        sa.Column('phonebook_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('number', sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(['desk_phone_id'], ['desk_phones.id'], name=op.f('fk_desk_phone_keys_desk_phone_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_desk_phone_keys')),
        sa.UniqueConstraint('desk_phone_id', name=op.f('uq_desk_phone_keys_desk_phone_id')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_desk_phone_keys_key_digest'), 'desk_phone_keys', ['key_digest'])
    op.create_index(op.f('ix_desk_phone_keys_pairing_digest'), 'desk_phone_keys', ['pairing_digest'])


def downgrade() -> None:
    op.drop_index(op.f('ix_desk_phone_keys_pairing_digest'), table_name='desk_phone_keys')
    op.drop_index(op.f('ix_desk_phone_keys_key_digest'), table_name='desk_phone_keys')
    op.drop_table('desk_phone_keys')
    op.drop_table('desk_phones')
    with op.batch_alter_table('extensions') as batch:
        for name in reversed(FLAGS):
            batch.drop_column(name)
