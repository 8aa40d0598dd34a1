"""calls recordings alarms"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'

def upgrade() -> None:
    op.create_table('alarms',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('parameters', sa.JSON(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('cleared_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alarms')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarms_code'), ['code'], unique=False)

    op.create_table('call_totals',
    sa.Column('hour_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('from_cost_centre_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('to_cost_centre_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('call_count', sa.Integer(), nullable=False),
    sa.Column('wait_seconds', sa.Integer(), nullable=False),
    sa.Column('ring_seconds', sa.Integer(), nullable=False),
    sa.Column('talk_seconds', sa.Integer(), nullable=False),
    sa.Column('hold_seconds', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('hour_at', 'direction', 'state', 'from_cost_centre_id', 'to_cost_centre_id', name=op.f('pk_call_totals')),
    sqlite_autoincrement=True
    )
    op.create_table('calls',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('node', sa.String(length=20), nullable=False),
    sa.Column('linkedid', sa.String(length=60), nullable=False),
    sa.Column('protocol', sa.String(length=30), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('is_cut', sa.Boolean(), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('from_number', sa.String(length=40), nullable=False),
    sa.Column('from_name', sa.String(length=80), nullable=False),
    sa.Column('from_extension_id', sa.Integer(), nullable=True),
    sa.Column('from_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('from_cost_centre', sa.String(length=80), nullable=False),
    sa.Column('to_number', sa.String(length=40), nullable=False),
    sa.Column('to_name', sa.String(length=80), nullable=False),
    sa.Column('reached_number', sa.String(length=40), nullable=False),
    sa.Column('reached_name', sa.String(length=80), nullable=False),
    sa.Column('reached_extension_id', sa.Integer(), nullable=True),
    sa.Column('to_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('to_cost_centre', sa.String(length=80), nullable=False),
    sa.Column('trunk_id', sa.Integer(), nullable=True),
    sa.Column('trunk', sa.String(length=80), nullable=False),
    sa.Column('wait_seconds', sa.Integer(), nullable=False),
    sa.Column('ring_seconds', sa.Integer(), nullable=False),
    sa.Column('talk_seconds', sa.Integer(), nullable=False),
    sa.Column('hold_seconds', sa.Integer(), nullable=False),
    sa.Column('hang_up_side', sa.String(length=8), nullable=False),
    sa.Column('cause', sa.Integer(), nullable=False),
    sa.Column('recording_count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calls')),
    sa.UniqueConstraint('linkedid', name=op.f('uq_calls_linkedid')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('calls', schema=None) as batch_op:
        batch_op.create_index('ix_calls_from_cost_centre_id_started_at', ['from_cost_centre_id', 'started_at'], unique=False)
        batch_op.create_index('ix_calls_from_number_started_at', ['from_number', 'started_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_calls_protocol'), ['protocol'], unique=False)
        batch_op.create_index('ix_calls_reached_number_started_at', ['reached_number', 'started_at'], unique=False)
        batch_op.create_index('ix_calls_started_at_id', ['started_at', 'id'], unique=False)
        batch_op.create_index('ix_calls_to_cost_centre_id_started_at', ['to_cost_centre_id', 'started_at'], unique=False)
        batch_op.create_index('ix_calls_to_number_started_at', ['to_number', 'started_at'], unique=False)

    op.create_table('recording_policy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('retention_days', sa.Integer(), nullable=False),
    sa.Column('quota_gb', sa.Integer(), nullable=False),
    sa.Column('free_gb', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recording_policy')),
    sqlite_autoincrement=True
    )
    op.create_table('call_steps',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('word', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('number', sa.String(length=40), nullable=False),
    sa.Column('result', sa.String(length=40), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_call_steps_call_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_call_steps')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('call_steps', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_call_steps_call_id'), ['call_id'], unique=False)

    op.create_table('recordings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('uniqueid', sa.String(length=60), nullable=False),
    sa.Column('raw_name', sa.String(length=120), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('seconds', sa.Integer(), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('waveform', sa.LargeBinary(), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('place', sa.Integer(), nullable=True),
    sa.Column('seal', sa.String(length=64), nullable=False),
    sa.Column('sealed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_recordings_call_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recordings')),
    sa.UniqueConstraint('place', name=op.f('uq_recordings_place')),
    sa.UniqueConstraint('raw_name', name=op.f('uq_recordings_raw_name')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recordings_call_id'), ['call_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_started_at'), ['started_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_state'), ['state'], unique=False)

    with op.batch_alter_table('extension_classes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('recording', sa.String(length=40), nullable=False, server_default='none'))

def downgrade() -> None:
    with op.batch_alter_table('extension_classes', schema=None) as batch_op:
        batch_op.drop_column('recording')

    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recordings_state'))
        batch_op.drop_index(batch_op.f('ix_recordings_started_at'))
        batch_op.drop_index(batch_op.f('ix_recordings_call_id'))

    op.drop_table('recordings')
    with op.batch_alter_table('call_steps', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_call_steps_call_id'))

    op.drop_table('call_steps')
    op.drop_table('recording_policy')
    with op.batch_alter_table('calls', schema=None) as batch_op:
        batch_op.drop_index('ix_calls_to_number_started_at')
        batch_op.drop_index('ix_calls_to_cost_centre_id_started_at')
        batch_op.drop_index('ix_calls_started_at_id')
        batch_op.drop_index('ix_calls_reached_number_started_at')
        batch_op.drop_index(batch_op.f('ix_calls_protocol'))
        batch_op.drop_index('ix_calls_from_number_started_at')
        batch_op.drop_index('ix_calls_from_cost_centre_id_started_at')

    op.drop_table('calls')
    op.drop_table('call_totals')
    with op.batch_alter_table('alarms', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alarms_code'))

    op.drop_table('alarms')
