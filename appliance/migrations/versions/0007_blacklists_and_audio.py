"""blacklists and audio"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    op.create_table('audio_prompts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('text', sa.String(length=1000), nullable=False),
    sa.Column('voice_speed', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=20), nullable=False),
    sa.Column('file', sa.String(length=60), nullable=False),
    sa.Column('label', sa.String(length=100), nullable=False),
    sa.Column('seconds', sa.Double(), nullable=False),
    sa.Column('waveform', sa.Text(), nullable=False),
    sa.Column('incoming', sa.String(length=80), nullable=False),
    sa.Column('incoming_label', sa.String(length=100), nullable=False),
    sa.Column('spoken', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audio_prompts')),
    sa.UniqueConstraint('name', name=op.f('uq_audio_prompts_name')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('audio_prompts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audio_prompts_state'), ['state'], unique=False)

    op.create_table('blacklist_numbers',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('blacklist_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('key', sa.String(length=24), nullable=False),
    sa.Column('note', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_blacklist_numbers')),
    sa.UniqueConstraint('blacklist_id', 'key', name=op.f('uq_blacklist_numbers_blacklist_id')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('blacklist_numbers', schema=None) as batch_op:
        batch_op.create_index('ix_blacklist_numbers_key', ['key', 'blacklist_id'], unique=False)

    op.create_table('blacklist_imports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('blacklist_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('author', sa.String(length=80), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('address', sa.String(length=60), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('file', sa.String(length=80), nullable=False),
    sa.Column('mode', sa.String(length=10), nullable=False),
    sa.Column('wanted_type', sa.String(length=1), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('added_count', sa.Integer(), nullable=False),
    sa.Column('known_count', sa.Integer(), nullable=False),
    sa.Column('fault_count', sa.Integer(), nullable=False),
    sa.Column('faults', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_blacklist_imports')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('blacklist_imports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_blacklist_imports_blacklist_id'), ['blacklist_id'], unique=False)

    op.create_table('audio_calls',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('audio_prompt_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('extension', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.ForeignKeyConstraint(['audio_prompt_id'], ['audio_prompts.id'], name=op.f('fk_audio_calls_audio_prompt_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audio_calls')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('audio_calls', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audio_calls_audio_prompt_id'), ['audio_prompt_id'], unique=False)

    op.create_table('blacklists',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('block_withheld', sa.Boolean(), nullable=False),
    sa.Column('inbound_prompt_id', sa.Integer(), nullable=True),
    sa.Column('outbound_prompt_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['inbound_prompt_id'], ['audio_prompts.id'], name=op.f('fk_blacklists_inbound_prompt_id')),
    sa.ForeignKeyConstraint(['outbound_prompt_id'], ['audio_prompts.id'], name=op.f('fk_blacklists_outbound_prompt_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_blacklists')),
    sa.UniqueConstraint('name', name=op.f('uq_blacklists_name')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('inbound_routes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('blacklists', sa.JSON(), nullable=False, server_default='[]'))

    with op.batch_alter_table('outbound_routes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('blacklists', sa.JSON(), nullable=False, server_default='[]'))


def downgrade() -> None:
    with op.batch_alter_table('outbound_routes', schema=None) as batch_op:
        batch_op.drop_column('blacklists')

    with op.batch_alter_table('inbound_routes', schema=None) as batch_op:
        batch_op.drop_column('blacklists')

    op.drop_table('blacklists')
    with op.batch_alter_table('blacklist_imports', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_blacklist_imports_blacklist_id'))

    op.drop_table('blacklist_imports')
    with op.batch_alter_table('audio_calls', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_audio_calls_audio_prompt_id'))

    op.drop_table('audio_calls')
    with op.batch_alter_table('blacklist_numbers', schema=None) as batch_op:
        batch_op.drop_index('ix_blacklist_numbers_key')

    op.drop_table('blacklist_numbers')
    with op.batch_alter_table('audio_prompts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_audio_prompts_state'))

    op.drop_table('audio_prompts')
