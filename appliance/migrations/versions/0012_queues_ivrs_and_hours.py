"""queues, IVRs and business hours"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'


def upgrade() -> None:
    op.create_table('business_hours',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_business_hours')),
    sa.UniqueConstraint('name', name=op.f('uq_business_hours_name')),
    sqlite_autoincrement=True
    )
    for word in ('queues', 'ivrs'):
        op.create_table(word,
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.Column('number', sa.String(length=10), nullable=False),
        sa.Column('description', sa.String(length=200), nullable=False),
        sa.Column('business_hours_id', sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(['business_hours_id'], ['business_hours.id'], name=op.f(f'fk_{word}_business_hours_id')),
        sa.PrimaryKeyConstraint('id', name=op.f(f'pk_{word}')),
        sa.UniqueConstraint('name', name=op.f(f'uq_{word}_name')),
        sa.UniqueConstraint('number', name=op.f(f'uq_{word}_number')),
        sqlite_autoincrement=True
        )


def downgrade() -> None:
    op.drop_table('ivrs')
    op.drop_table('queues')
    op.drop_table('business_hours')
