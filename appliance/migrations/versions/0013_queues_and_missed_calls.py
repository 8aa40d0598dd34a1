"""queues, music groups and missed calls"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'

COLUMNS: list[sa.Column[Any]] = [
    sa.Column('strategy', sa.String(length=40), nullable=False, server_default='ring_all'),
    sa.Column('members', sa.JSON(), nullable=False, server_default='[]'),
    sa.Column('ring_timeout_seconds', sa.Integer(), nullable=False, server_default='15'),
    sa.Column('ring_in_use', sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column('autofill', sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column('queue_weight', sa.Integer(), nullable=False, server_default='0'),
    sa.Column('wrap_up_seconds', sa.Integer(), nullable=False, server_default='0'),
    sa.Column('max_wait_seconds', sa.Integer(), nullable=False, server_default='300'),
    sa.Column('overflow', sa.JSON(), nullable=False, server_default='{}'),
    sa.Column('overflow_queues', sa.JSON(), nullable=False, server_default='[]'),
    sa.Column('ring_tone_mode', sa.String(length=40), nullable=False, server_default='while_ringing'),
    sa.Column('announce_wait', sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column('announce_position', sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column('announce_seconds', sa.Integer(), nullable=False, server_default='60'),
    sa.Column('periodic_announcement', sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column('periodic_seconds', sa.Integer(), nullable=False, server_default='60'),
    sa.Column('recording', sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column('caller_id', sa.String(length=20), nullable=False, server_default=''),
    sa.Column('service_level_percent', sa.Integer(), nullable=False, server_default='80'),
    sa.Column('service_level_seconds', sa.Integer(), nullable=False, server_default='20'),
    sa.Column('abandon_seconds', sa.Integer(), nullable=False, server_default='3'),
]
LINKS = [('moh_class_id', 'moh_classes'), ('periodic_prompt_id', 'audio_prompts')]


def upgrade() -> None:
    op.create_table('moh_classes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('files', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_moh_classes')),
    sa.UniqueConstraint('name', name=op.f('uq_moh_classes_name')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('queues') as batch:
        for column in COLUMNS:
            batch.add_column(column._copy())
        for name, table in LINKS:
            batch.add_column(sa.Column(name, sa.Integer(), nullable=True))
            batch.create_foreign_key(op.f(f'fk_queues_{name}'), table, [name], ['id'])
    with op.batch_alter_table('queues') as batch:  # rows of before have their values; new ones get them from the program
        for column in COLUMNS:
            batch.alter_column(column.name, server_default=None, existing_type=column.type, existing_nullable=False)


    op.create_table('missed_calls',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('number', sa.String(length=40), nullable=False),
    sa.Column('number_key', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('reason', sa.String(length=20), nullable=False),
    sa.Column('queue_id', sa.Integer(), nullable=True),
    sa.Column('queue', sa.String(length=80), nullable=False),
    sa.Column('wait_seconds', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.String(length=120), nullable=False),
    sa.Column('resolving_call_id', sa.Integer(), nullable=True),
    sa.Column('after_seconds', sa.Integer(), nullable=True),
    sa.Column('note', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_missed_calls_call_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['resolving_call_id'], ['calls.id'], name=op.f('fk_missed_calls_resolving_call_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_missed_calls')),
    sa.UniqueConstraint('call_id', name=op.f('uq_missed_calls_call_id')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_missed_calls_at_id', 'missed_calls', ['at', 'id'])
    op.create_index('ix_missed_calls_state_number_key', 'missed_calls', ['state', 'number_key'])
    op.create_index(op.f('ix_missed_calls_queue_id'), 'missed_calls', ['queue_id'])
    op.create_index(op.f('ix_missed_calls_resolving_call_id'), 'missed_calls', ['resolving_call_id'])


def downgrade() -> None:
    op.drop_table('missed_calls')
    with op.batch_alter_table('queues') as batch:
        for name, _table in LINKS:
            batch.drop_constraint(op.f(f'fk_queues_{name}'), type_='foreignkey')
            batch.drop_column(name)
        for column in COLUMNS:
            batch.drop_column(column.name)
    op.drop_table('moh_classes')
