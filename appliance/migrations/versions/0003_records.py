"""records"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table('asterisk_boots',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('identity', sa.String(length=120), nullable=False),
    sa.Column('started_at', sa.Float(precision=53), nullable=False),
    sa.Column('dialplan_count', sa.Integer(), nullable=False),
    sa.Column('pjsip_count', sa.Integer(), nullable=False),
    sa.Column('pjsip_last', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_asterisk_boots')),
    sa.UniqueConstraint('identity', name=op.f('uq_asterisk_boots_identity')),
    sqlite_autoincrement=True
    )
    op.create_table('bad_lines',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('file_id', sa.Integer(), nullable=False),
    sa.Column('offset', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bad_lines')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('bad_lines', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bad_lines_file_id'), ['file_id'], unique=False)

    op.create_table('queue_events',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('file_id', sa.Integer(), nullable=False),
    sa.Column('offset', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=True),
    sa.Column('uniqueid', sa.String(length=60), nullable=False),
    sa.Column('queue', sa.String(length=80), nullable=False),
    sa.Column('member', sa.String(length=80), nullable=False),
    sa.Column('event', sa.String(length=40), nullable=False),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_queue_events')),
    sa.UniqueConstraint('file_id', 'offset', name='uq_queue_events_place'),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('queue_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_queue_events_call_id'), ['call_id'], unique=False)
        batch_op.create_index('ix_queue_events_queue_at', ['queue', 'at'], unique=False)
        batch_op.create_index(batch_op.f('ix_queue_events_uniqueid'), ['uniqueid'], unique=False)

    op.create_table('record_channels',
    sa.Column('uniqueid', sa.String(length=60), nullable=False),
    sa.Column('linkedid', sa.String(length=60), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('uniqueid', name=op.f('pk_record_channels')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('record_channels', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_record_channels_call_id'), ['call_id'], unique=False)

    op.create_table('record_files',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('inode', sa.Integer(), nullable=False),
    sa.Column('head', sa.String(length=32), nullable=False),
    sa.Column('offset', sa.Integer(), nullable=False),
    sa.Column('line_count', sa.Integer(), nullable=False),
    sa.Column('bad_count', sa.Integer(), nullable=False),
    sa.Column('is_finished', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_record_files')),
    sqlite_autoincrement=True
    )
    op.create_table('record_lines',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('file_id', sa.Integer(), nullable=False),
    sa.Column('offset', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('at', sa.Float(precision=53), nullable=False),
    sa.Column('shift', sa.Float(precision=53), nullable=False),
    sa.Column('uniqueid', sa.String(length=60), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_record_lines')),
    sa.UniqueConstraint('file_id', 'offset', name='uq_record_lines_place'),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('record_lines', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_record_lines_call_id'), ['call_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('record_lines', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_record_lines_call_id'))

    op.drop_table('record_lines')
    op.drop_table('record_files')
    with op.batch_alter_table('record_channels', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_record_channels_call_id'))

    op.drop_table('record_channels')
    with op.batch_alter_table('queue_events', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_queue_events_uniqueid'))
        batch_op.drop_index('ix_queue_events_queue_at')
        batch_op.drop_index(batch_op.f('ix_queue_events_call_id'))

    op.drop_table('queue_events')
    with op.batch_alter_table('bad_lines', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_bad_lines_file_id'))

    op.drop_table('bad_lines')
    op.drop_table('asterisk_boots')
