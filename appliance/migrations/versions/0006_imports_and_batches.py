"""imports and batches"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.create_table('imports',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('word', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('file', sa.String(length=80), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('head', sa.JSON(), nullable=False),
    sa.Column('mapping', sa.JSON(), nullable=False),
    sa.Column('row_count', sa.Integer(), nullable=False),
    sa.Column('created_count', sa.Integer(), nullable=False),
    sa.Column('changed_count', sa.Integer(), nullable=False),
    sa.Column('same_count', sa.Integer(), nullable=False),
    sa.Column('bad_count', sa.Integer(), nullable=False),
    sa.Column('faults', sa.JSON(), nullable=False),
    sa.Column('preview', sa.JSON(), nullable=False),
    sa.Column('generated', sa.Text(), nullable=True),
    sa.Column('generated_count', sa.Integer(), nullable=False),
    sa.Column('leave_out', sa.Boolean(), nullable=False),
    sa.Column('run_count', sa.Integer(), nullable=False),
    sa.Column('language', sa.String(length=10), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('user_name', sa.String(length=80), nullable=False),
    sa.Column('address', sa.String(length=60), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('beat_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_imports_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_imports')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('imports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_imports_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_imports_state'), ['state'], unique=False)
        batch_op.create_index('ix_imports_user_id_state', ['user_id', 'state'], unique=False)

    with op.batch_alter_table('changes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('batch', sa.String(length=40), server_default='', nullable=False))
        batch_op.add_column(sa.Column('undoes', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_changes_batch'), ['batch'], unique=False)
        batch_op.create_index(batch_op.f('ix_changes_undoes'), ['undoes'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('changes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_changes_undoes'))
        batch_op.drop_index(batch_op.f('ix_changes_batch'))
        batch_op.drop_column('undoes')
        batch_op.drop_column('batch')

    with op.batch_alter_table('imports', schema=None) as batch_op:
        batch_op.drop_index('ix_imports_user_id_state')
        batch_op.drop_index(batch_op.f('ix_imports_state'))
        batch_op.drop_index(batch_op.f('ix_imports_expires_at'))

    op.drop_table('imports')
