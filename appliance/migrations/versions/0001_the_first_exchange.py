"""The first exchange"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None


def upgrade() -> None:
    op.create_table('attempts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('author', sa.String(length=80), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('steps', sa.JSON(), nullable=False),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.Column('warning', sa.String(length=400), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attempts')),
    sqlite_autoincrement=True
    )
    op.create_table('changes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('user_name', sa.String(length=80), nullable=False),
    sa.Column('address', sa.String(length=60), nullable=False),
    sa.Column('word', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.Integer(), nullable=False),
    sa.Column('row_title', sa.String(length=200), nullable=False),
    sa.Column('action', sa.String(length=20), nullable=False),
    sa.Column('before', sa.JSON(), nullable=False),
    sa.Column('after', sa.JSON(), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=True),
    sa.Column('pending', sa.Boolean(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_changes')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_changes_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_changes_pending'), ['pending'], unique=False)
        batch_op.create_index(batch_op.f('ix_changes_row_id'), ['row_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_changes_word'), ['word'], unique=False)

    op.create_table('cost_centres',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cost_centres')),
    sa.UniqueConstraint('name', name=op.f('uq_cost_centres_name')),
    sqlite_autoincrement=True
    )
    op.create_table('dialing_profiles',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('outbound_routes', sa.JSON(), nullable=False),
    sa.Column('premium_calls', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dialing_profiles')),
    sa.UniqueConstraint('name', name=op.f('uq_dialing_profiles_name')),
    sqlite_autoincrement=True
    )
    op.create_table('extension_classes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('nat', sa.Boolean(), nullable=False),
    sa.Column('simultaneous_calls', sa.Boolean(), nullable=False),
    sa.Column('caller_id', sa.String(length=20), nullable=False),
    sa.Column('ring_timeout_seconds', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_extension_classes')),
    sa.UniqueConstraint('name', name=op.f('uq_extension_classes_name')),
    sqlite_autoincrement=True
    )
    op.create_table('inbound_routes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('trunks', sa.JSON(), nullable=False),
    sa.Column('did', sa.String(length=60), nullable=False),
    sa.Column('did_destination', sa.String(length=80), nullable=False),
    sa.Column('rules', sa.JSON(), nullable=False),
    sa.Column('allow_outbound', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbound_routes')),
    sa.UniqueConstraint('name', name=op.f('uq_inbound_routes_name')),
    sqlite_autoincrement=True
    )
    op.create_table('internal_routes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('rules', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_internal_routes')),
    sa.UniqueConstraint('name', name=op.f('uq_internal_routes_name')),
    sqlite_autoincrement=True
    )
    op.create_table('numbers',
    sa.Column('number', sa.String(length=40), nullable=False),
    sa.Column('word', sa.String(length=40), nullable=False),
    sa.Column('row_id', sa.Integer(), nullable=False),
    sa.Column('owner', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_numbers')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('numbers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_numbers_word'), ['word'], unique=False)

    op.create_table('outbound_routes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.Column('rules', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbound_routes')),
    sa.UniqueConstraint('name', name=op.f('uq_outbound_routes_name')),
    sqlite_autoincrement=True
    )
    op.create_table('outbox',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lane', sa.String(length=20), nullable=False),
    sa.Column('function', sa.String(length=80), nullable=False),
    sa.Column('row_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sqlite_autoincrement=True
    )
    op.create_table('pickup_groups',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('description', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pickup_groups')),
    sa.UniqueConstraint('name', name=op.f('uq_pickup_groups_name')),
    sqlite_autoincrement=True
    )
    op.create_table('revisions',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('author', sa.String(length=80), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('change_count', sa.Integer(), nullable=False),
    sa.Column('changed_files', sa.JSON(), nullable=False),
    sa.Column('restart_needed', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_revisions')),
    sqlite_autoincrement=True
    )
    op.create_table('sip',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('nat', sa.Boolean(), nullable=False),
    sa.Column('external_ip', sa.String(length=45), nullable=False),
    sa.Column('local_networks', sa.JSON(), nullable=False),
    sa.Column('general_lines', sa.String(length=4000), nullable=False),
    sa.Column('allow_guests', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sip')),
    sqlite_autoincrement=True
    )
    op.create_table('trunks',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('protocol', sa.String(length=40), nullable=False),
    sa.Column('authentication', sa.String(length=40), nullable=False),
    sa.Column('host', sa.String(length=100), nullable=False),
    sa.Column('port', sa.Integer(), nullable=False),
    sa.Column('username', sa.String(length=40), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('line', sa.String(length=40), nullable=False),
    sa.Column('registration', sa.String(length=200), nullable=False),
    sa.Column('qualify', sa.Boolean(), nullable=False),
    sa.Column('caller_id', sa.String(length=20), nullable=False),
    sa.Column('number_format', sa.String(length=40), nullable=False),
    sa.Column('default_number', sa.String(length=20), nullable=False),
    sa.Column('codecs', sa.JSON(), nullable=False),
    sa.Column('call_limit', sa.Integer(), nullable=True),
    sa.Column('extra', sa.JSON(), nullable=False),
    sa.Column('addresses', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trunks')),
    sa.UniqueConstraint('name', name=op.f('uq_trunks_name')),
    sqlite_autoincrement=True
    )
    op.create_table('company',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('cnpj', sa.String(length=20), nullable=False),
    sa.Column('contact', sa.String(length=120), nullable=False),
    sa.Column('area_code', sa.String(length=2), nullable=False),
    sa.Column('country_code', sa.String(length=3), nullable=False),
    sa.Column('cnl', sa.String(length=6), nullable=False),
    sa.Column('timezone', sa.String(length=40), nullable=False),
    sa.Column('language', sa.String(length=40), nullable=False),
    sa.Column('external_line_prefix', sa.String(length=3), nullable=False),
    sa.Column('emergency_numbers', sa.JSON(), nullable=False),
    sa.Column('overflow_profile_id', sa.Integer(), nullable=True),
    sa.Column('overflow_international', sa.Boolean(), nullable=False),
    sa.Column('overflow_calls_per_day', sa.Integer(), nullable=False),
    sa.Column('apply_on_save', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['overflow_profile_id'], ['dialing_profiles.id'], name=op.f('fk_company_overflow_profile_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_company')),
    sqlite_autoincrement=True
    )
    op.create_table('extensions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=10), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('extension_class_id', sa.Integer(), nullable=False),
    sa.Column('dialing_profile_id', sa.Integer(), nullable=True),
    sa.Column('pickup_group_id', sa.Integer(), nullable=True),
    sa.Column('cost_centre_id', sa.Integer(), nullable=True),
    sa.Column('devices', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['cost_centre_id'], ['cost_centres.id'], name=op.f('fk_extensions_cost_centre_id')),
    sa.ForeignKeyConstraint(['dialing_profile_id'], ['dialing_profiles.id'], name=op.f('fk_extensions_dialing_profile_id')),
    sa.ForeignKeyConstraint(['extension_class_id'], ['extension_classes.id'], name=op.f('fk_extensions_extension_class_id')),
    sa.ForeignKeyConstraint(['pickup_group_id'], ['pickup_groups.id'], name=op.f('fk_extensions_pickup_group_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_extensions')),
    sa.UniqueConstraint('number', name=op.f('uq_extensions_number')),
    sqlite_autoincrement=True
    )
    op.create_table('users',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('login', sa.String(length=60), nullable=False),
    sa.Column('email', sa.String(length=120), nullable=False),
    sa.Column('password', sa.String(length=200), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('access_level', sa.String(length=40), nullable=False),
    sa.Column('administrator', sa.Boolean(), nullable=False),
    sa.Column('modules', sa.JSON(), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=True),
    sa.Column('start_page', sa.String(length=40), nullable=False),
    sa.Column('language', sa.String(length=40), nullable=False),
    sa.Column('cost_centres', sa.JSON(), nullable=False),
    sa.Column('cpf', sa.String(length=14), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('birth_on', sa.Date(), nullable=True),
    sa.Column('gender', sa.String(length=20), nullable=False),
    sa.Column('postal_code', sa.String(length=9), nullable=False),
    sa.Column('street', sa.String(length=120), nullable=False),
    sa.Column('house_number', sa.String(length=10), nullable=False),
    sa.Column('complement', sa.String(length=60), nullable=False),
    sa.Column('city', sa.String(length=80), nullable=False),
    sa.Column('state', sa.String(length=2), nullable=False),
    sa.Column('country', sa.String(length=40), nullable=False),
    sa.Column('wrong_passwords', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['extension_id'], ['extensions.id'], name=op.f('fk_users_extension_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('login', name=op.f('uq_users_login')),
    sqlite_autoincrement=True
    )
    op.create_table('tokens',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('digest', sa.String(length=60), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_tokens_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tokens')),
    sa.UniqueConstraint('digest', name=op.f('uq_tokens_digest')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tokens_user_id'), ['user_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('tokens', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tokens_user_id'))

    op.drop_table('tokens')
    op.drop_table('users')
    op.drop_table('extensions')
    op.drop_table('company')
    op.drop_table('trunks')
    op.drop_table('sip')
    op.drop_table('revisions')
    op.drop_table('pickup_groups')
    op.drop_table('outbox')
    op.drop_table('outbound_routes')
    with op.batch_alter_table('numbers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_numbers_word'))

    op.drop_table('numbers')
    op.drop_table('internal_routes')
    op.drop_table('inbound_routes')
    op.drop_table('extension_classes')
    op.drop_table('dialing_profiles')
    op.drop_table('cost_centres')
    with op.batch_alter_table('changes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_changes_word'))
        batch_op.drop_index(batch_op.f('ix_changes_row_id'))
        batch_op.drop_index(batch_op.f('ix_changes_pending'))
        batch_op.drop_index(batch_op.f('ix_changes_at'))

    op.drop_table('changes')
    op.drop_table('attempts')
