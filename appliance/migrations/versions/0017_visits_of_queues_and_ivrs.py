"""visits of queues and IVRs, and their roll-ups"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'


def upgrade() -> None:
    op.create_table('visit_hours',
    sa.Column('hour_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('queue_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ivr_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('received_count', sa.Integer(), nullable=False),
    sa.Column('ivr_closed_count', sa.Integer(), nullable=False),
    sa.Column('ivr_abandoned_count', sa.Integer(), nullable=False),
    sa.Column('offered_count', sa.Integer(), nullable=False),
    sa.Column('answered_count', sa.Integer(), nullable=False),
    sa.Column('within_count', sa.Integer(), nullable=False),
    sa.Column('abandoned_count', sa.Integer(), nullable=False),
    sa.Column('short_count', sa.Integer(), nullable=False),
    sa.Column('overflowed_count', sa.Integer(), nullable=False),
    sa.Column('transferred_count', sa.Integer(), nullable=False),
    sa.Column('closed_count', sa.Integer(), nullable=False),
    sa.Column('wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('answered_wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('abandoned_wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('talk_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('longest_wait_ms', sa.Integer(), nullable=False),
    sa.Column('longest_talk_ms', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('hour_at', 'direction', 'queue_id', 'ivr_id', name=op.f('pk_visit_hours')),
    sqlite_with_rowid=False
    )
    op.create_table('visit_totals',
    sa.Column('hour_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('queue_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ivr_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('extension_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('from_cost_centre_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('to_cost_centre_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('received_count', sa.Integer(), nullable=False),
    sa.Column('ivr_closed_count', sa.Integer(), nullable=False),
    sa.Column('ivr_abandoned_count', sa.Integer(), nullable=False),
    sa.Column('offered_count', sa.Integer(), nullable=False),
    sa.Column('answered_count', sa.Integer(), nullable=False),
    sa.Column('within_count', sa.Integer(), nullable=False),
    sa.Column('abandoned_count', sa.Integer(), nullable=False),
    sa.Column('short_count', sa.Integer(), nullable=False),
    sa.Column('overflowed_count', sa.Integer(), nullable=False),
    sa.Column('transferred_count', sa.Integer(), nullable=False),
    sa.Column('closed_count', sa.Integer(), nullable=False),
    sa.Column('wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('answered_wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('abandoned_wait_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('talk_ms', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('longest_wait_ms', sa.Integer(), nullable=False),
    sa.Column('longest_talk_ms', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('hour_at', 'direction', 'queue_id', 'ivr_id', 'extension_id', 'from_cost_centre_id', 'to_cost_centre_id', name=op.f('pk_visit_totals')),
    sqlite_with_rowid=False
    )
    op.create_table('ivr_visits',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('number', sa.String(length=40), nullable=False),
    sa.Column('from_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('to_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('ivr_id', sa.Integer(), nullable=False),
    sa.Column('ivr', sa.String(length=80), nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(length=12), nullable=False),
    sa.Column('queue_id', sa.Integer(), nullable=True),
    sa.Column('extension_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_ivr_visits_call_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ivr_visits')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('ivr_visits', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ivr_visits_call_id'), ['call_id'], unique=False)
        batch_op.create_index('ix_ivr_visits_ivr_id_started_at', ['ivr_id', 'started_at'], unique=False)
        batch_op.create_index('ix_ivr_visits_number_started_at', ['number', 'started_at'], unique=False)
        batch_op.create_index('ix_ivr_visits_started_at', ['started_at'], unique=False)

    op.create_table('queue_visits',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('number', sa.String(length=40), nullable=False),
    sa.Column('from_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('to_cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('queue_id', sa.Integer(), nullable=False),
    sa.Column('queue', sa.String(length=80), nullable=False),
    sa.Column('ivr_id', sa.Integer(), nullable=True),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(length=12), nullable=False),
    sa.Column('next_word', sa.String(length=40), nullable=False),
    sa.Column('next_id', sa.Integer(), nullable=True),
    sa.Column('wait_ms', sa.Integer(), nullable=False),
    sa.Column('talk_ms', sa.Integer(), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=True),
    sa.Column('member_number', sa.String(length=40), nullable=False),
    sa.Column('member_name', sa.String(length=80), nullable=False),
    sa.Column('is_transferred', sa.Boolean(), nullable=False),
    sa.Column('is_within', sa.Boolean(), nullable=False),
    sa.Column('is_short', sa.Boolean(), nullable=False),
    sa.Column('target_percent', sa.Integer(), nullable=False),
    sa.Column('target_seconds', sa.Integer(), nullable=False),
    sa.Column('abandon_seconds', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_queue_visits_call_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_queue_visits')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('queue_visits', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_queue_visits_call_id'), ['call_id'], unique=False)
        batch_op.create_index('ix_queue_visits_extension_id_started_at', ['extension_id', 'started_at'], unique=False)
        batch_op.create_index('ix_queue_visits_number_started_at', ['number', 'started_at'], unique=False)
        batch_op.create_index('ix_queue_visits_queue_id_started_at', ['queue_id', 'started_at'], unique=False)
        batch_op.create_index('ix_queue_visits_started_at', ['started_at'], unique=False)


def downgrade() -> None:
    op.drop_table('queue_visits')
    op.drop_table('ivr_visits')
    op.drop_table('visit_totals')
    op.drop_table('visit_hours')
