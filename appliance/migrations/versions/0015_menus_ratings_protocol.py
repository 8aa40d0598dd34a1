"""what menus ask and where their keys lead; announcements; ratings and their scores; the company's protocol number"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'

Columns = list[tuple[str, Any, Any]]
PROMPTS = ('greeting_prompt_id', 'prompt_id', 'invalid_prompt_id', 'timeout_prompt_id', 'attempts_exceeded_prompt_id')
IVR: Columns = [
    ('mode', sa.String(length=40), 'basic'), ('blacklists', sa.JSON(), '[]'), ('timeout_seconds', sa.Integer(), '4'), ('attempts', sa.Integer(), '3'),
    ('dial_extension', sa.Boolean(), sa.false()), ('options', sa.JSON(), '{}'), ('default_destination', sa.String(length=80), ''),
]
COMPANY: Columns = [('protocol_format', sa.JSON(), '[]'), ('protocol_digits', sa.Integer(), '6'), ('protocol_restart', sa.String(length=40), 'daily')]


def upgrade() -> None:
    op.create_table('announcements',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('prompts', sa.JSON(), nullable=False),
    sa.Column('destination', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_announcements')),
    sa.UniqueConstraint('name', name=op.f('uq_announcements_name')),
    sqlite_autoincrement=True
    )
    op.create_table('ratings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('prompt_id', sa.Integer(), nullable=True),
    sa.Column('min_score', sa.Integer(), nullable=False),
    sa.Column('max_score', sa.Integer(), nullable=False),
    sa.Column('timeout_seconds', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('error_prompt_id', sa.Integer(), nullable=True),
    sa.Column('success_prompt_id', sa.Integer(), nullable=True),
    sa.Column('on_finish', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['prompt_id'], ['audio_prompts.id'], name=op.f('fk_ratings_prompt_id')),
    sa.ForeignKeyConstraint(['error_prompt_id'], ['audio_prompts.id'], name=op.f('fk_ratings_error_prompt_id')),
    sa.ForeignKeyConstraint(['success_prompt_id'], ['audio_prompts.id'], name=op.f('fk_ratings_success_prompt_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ratings')),
    sa.UniqueConstraint('name', name=op.f('uq_ratings_name')),
    sqlite_autoincrement=True
    )
    op.create_table('rating_scores',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('call_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('protocol', sa.String(length=30), nullable=False),
    sa.Column('customer', sa.String(length=40), nullable=False),
    sa.Column('rating_id', sa.Integer(), nullable=False),
    sa.Column('rating', sa.String(length=80), nullable=False),
    sa.Column('queue_id', sa.Integer(), nullable=True),
    sa.Column('queue', sa.String(length=80), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=True),
    sa.Column('extension', sa.String(length=40), nullable=False),
    sa.Column('extension_name', sa.String(length=80), nullable=False),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['call_id'], ['calls.id'], name=op.f('fk_rating_scores_call_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rating_scores')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('rating_scores') as batch:
        batch.create_index('ix_rating_scores_at_id', ['at', 'id'])
        batch.create_index('ix_rating_scores_rating_id_at', ['rating_id', 'at'])
        batch.create_index(op.f('ix_rating_scores_call_id'), ['call_id'])
    _add('ivrs', IVR)
    with op.batch_alter_table('ivrs') as batch:
        for column in PROMPTS:
            batch.add_column(sa.Column(column, sa.Integer(), nullable=True))
            batch.create_foreign_key(op.f(f'fk_ivrs_{column}'), 'audio_prompts', [column], ['id'])
        batch.add_column(sa.Column('rating_id', sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f('fk_ivrs_rating_id'), 'ratings', ['rating_id'], ['id'])
    _add('queues', [('ratings', sa.JSON(), '[]')])
    _add('company', COMPANY)


def _add(table: str, columns: Columns) -> None:
    """Columns whose rows begin with a value; new rows get theirs from the program."""
    with op.batch_alter_table(table) as batch:
        for name, kind, value in columns:
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=value))
    with op.batch_alter_table(table) as batch:
        for name, _kind, _value in columns:
            batch.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('company') as batch:
        for name, _kind, _value in COMPANY:
            batch.drop_column(name)
    with op.batch_alter_table('queues') as batch:
        batch.drop_column('ratings')
    with op.batch_alter_table('ivrs') as batch:
        for column in (*PROMPTS, 'rating_id'):
            batch.drop_constraint(op.f(f'fk_ivrs_{column}'), type_='foreignkey')
            batch.drop_column(column)
        for name, _kind, _value in IVR:
            batch.drop_column(name)
    op.drop_table('rating_scores')
    op.drop_table('ratings')
    op.drop_table('announcements')
