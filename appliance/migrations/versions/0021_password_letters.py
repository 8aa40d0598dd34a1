"""letters with a code for a password"""

import sqlalchemy as sa
from alembic import op

import appliance.db

revision = '0021'
down_revision = '0020'


def upgrade() -> None:
    op.create_table('password_letters',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('asked_for', sa.String(length=120), nullable=False),
    sa.Column('asked_at', appliance.db.Instant(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=True),
    sa.Column('expires_at', appliance.db.Instant(), nullable=True),
    sa.Column('sent_at', appliance.db.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_password_letters_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_password_letters')),
    sa.UniqueConstraint('digest', name=op.f('uq_password_letters_digest')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_password_letters_user_id'), 'password_letters', ['user_id'])


def downgrade() -> None:
    op.drop_table('password_letters')
