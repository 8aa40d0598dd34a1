"""business hours whole, calendar events, time conditions, work shifts, hours for making calls"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'

WORKING_DAYS = '[{"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "18:00"}]'


def upgrade() -> None:
    with op.batch_alter_table('business_hours') as batch:
        batch.add_column(sa.Column('periods', sa.JSON(), nullable=False, server_default=WORKING_DAYS))
        batch.add_column(sa.Column('closed_prompt_id', sa.Integer(), nullable=True))
        batch.add_column(sa.Column('closed_destination', sa.String(length=80), nullable=False, server_default=''))
        batch.create_foreign_key(op.f('fk_business_hours_closed_prompt_id'), 'audio_prompts', ['closed_prompt_id'], ['id'])
    with op.batch_alter_table('business_hours') as batch:
        batch.alter_column('periods', existing_type=sa.JSON(), server_default=None)
        batch.alter_column('closed_destination', existing_type=sa.String(length=80), server_default=None)
    op.create_table('calendar_events',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('start', sa.String(length=16), nullable=False),
    sa.Column('end', sa.String(length=16), nullable=False),
    sa.Column('every_year', sa.Boolean(), nullable=False),
    sa.Column('prompt_id', sa.Integer(), nullable=True),
    sa.Column('destination', sa.String(length=80), nullable=False),
    sa.Column('queues', sa.JSON(), nullable=False),
    sa.Column('ivrs', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['prompt_id'], ['audio_prompts.id'], name=op.f('fk_calendar_events_prompt_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar_events')),
    sa.UniqueConstraint('name', name=op.f('uq_calendar_events_name')),
    sqlite_autoincrement=True
    )
    op.create_table('time_conditions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('periods', sa.JSON(), nullable=False),
    sa.Column('inside_destination', sa.String(length=80), nullable=False),
    sa.Column('outside_destination', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_time_conditions')),
    sa.UniqueConstraint('name', name=op.f('uq_time_conditions_name')),
    sqlite_autoincrement=True
    )
    op.create_table('work_shifts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('periods', sa.JSON(), nullable=False),
    sa.Column('tolerance_minutes', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_shifts')),
    sa.UniqueConstraint('name', name=op.f('uq_work_shifts_name')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('users') as batch:
        batch.add_column(sa.Column('work_shift_id', sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f('fk_users_work_shift_id'), 'work_shifts', ['work_shift_id'], ['id'])
    with op.batch_alter_table('extension_classes') as batch:
        batch.add_column(sa.Column('call_time_window', sa.JSON(), nullable=False, server_default='[]'))
    with op.batch_alter_table('extension_classes') as batch:
        batch.alter_column('call_time_window', existing_type=sa.JSON(), server_default=None)
    op.create_index('ix_call_steps_closed_at', 'call_steps', ['at', 'id'], sqlite_where=sa.text("kind = 'closed'"),
                    postgresql_where=sa.text("kind = 'closed'"))


def downgrade() -> None:
    op.drop_index('ix_call_steps_closed_at', table_name='call_steps')
    with op.batch_alter_table('extension_classes') as batch:
        batch.drop_column('call_time_window')
    with op.batch_alter_table('users') as batch:
        batch.drop_constraint(op.f('fk_users_work_shift_id'), type_='foreignkey')
        batch.drop_column('work_shift_id')
    op.drop_table('work_shifts')
    op.drop_table('time_conditions')
    op.drop_table('calendar_events')
    with op.batch_alter_table('business_hours') as batch:
        batch.drop_constraint(op.f('fk_business_hours_closed_prompt_id'), type_='foreignkey')
        batch.drop_column('closed_destination')
        batch.drop_column('closed_prompt_id')
        batch.drop_column('periods')
