"""feature codes, follow-me, voicemail and conferences"""

import sqlalchemy as sa
from alembic import op

import appliance.db

revision = '0016'
down_revision = '0015'


def upgrade() -> None:
    op.create_table('feature_codes',
    sa.Column('id', sa.Integer(), nullable=False),
    *[sa.Column(name, sa.String(length=6), nullable=False) for name in ('blind_transfer', 'attended_transfer', 'cancel_transfer')],
    sa.Column('attended_transfer_seconds', sa.Integer(), nullable=False),
    sa.Column('transfer_profile_id', sa.Integer(), nullable=True),
    sa.Column('park', sa.String(length=6), nullable=False),
    sa.Column('parking_first', sa.String(length=10), nullable=False),
    sa.Column('parking_places', sa.Integer(), nullable=False),
    sa.Column('parking_seconds', sa.Integer(), nullable=False),
    *[sa.Column(name, sa.String(length=6), nullable=False)
      for name in ('group_pickup', 'directed_pickup', 'voicemail', 'follow_me', 'follow_me_off', 'lock', 'unlock', 'conference')],
    sa.ForeignKeyConstraint(['transfer_profile_id'], ['dialing_profiles.id'], name=op.f('fk_feature_codes_transfer_profile_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_feature_codes')),
    sqlite_autoincrement=True
    )
    op.create_table('follow_me',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=10), nullable=False),
    sa.Column('is_locked', sa.Boolean(), nullable=False),
    sa.Column('always_from', sa.String(length=40), nullable=False),
    sa.Column('always_to', sa.String(length=20), nullable=False),
    sa.Column('busy_from', sa.String(length=40), nullable=False),
    sa.Column('busy_to', sa.String(length=20), nullable=False),
    sa.Column('unavailable_from', sa.String(length=40), nullable=False),
    sa.Column('unavailable_to', sa.String(length=20), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['extension_id'], ['extensions.id'], name=op.f('fk_follow_me_extension_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['number'], ['extensions.number'], name=op.f('fk_follow_me_number'), onupdate='CASCADE', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_follow_me')),
    sa.UniqueConstraint('extension_id', name=op.f('uq_follow_me_extension_id')),
    sa.UniqueConstraint('number', name=op.f('uq_follow_me_number')),
    sqlite_autoincrement=True
    )
    op.create_table('voicemail_boxes',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=10), nullable=False),
    sa.Column('offered', sa.String(length=40), nullable=False),
    sa.Column('prompt_id', sa.Integer(), nullable=True),
    sa.Column('email', sa.String(length=120), nullable=False),
    sa.Column('attach', sa.Boolean(), nullable=False),
    sa.Column('max_messages', sa.Integer(), nullable=False),
    sa.Column('max_seconds', sa.Integer(), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['extension_id'], ['extensions.id'], name=op.f('fk_voicemail_boxes_extension_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['number'], ['extensions.number'], name=op.f('fk_voicemail_boxes_number'), onupdate='CASCADE', ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['prompt_id'], ['audio_prompts.id'], name=op.f('fk_voicemail_boxes_prompt_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_voicemail_boxes')),
    sa.UniqueConstraint('extension_id', name=op.f('uq_voicemail_boxes_extension_id')),
    sa.UniqueConstraint('number', name=op.f('uq_voicemail_boxes_number')),
    sqlite_autoincrement=True
    )
    op.create_table('voicemail_messages',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('extension_id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.String(length=80), nullable=False),
    sa.Column('seen_at', appliance.db.Instant(timezone=True), nullable=False),
    sa.Column('mailed_at', appliance.db.Instant(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['extension_id'], ['extensions.id'], name=op.f('fk_voicemail_messages_extension_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_voicemail_messages')),
    sa.UniqueConstraint('message_id', name=op.f('uq_voicemail_messages_message_id')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_voicemail_messages_extension_id'), 'voicemail_messages', ['extension_id'])
    op.create_table('conference_rooms',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=10), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('pin', sa.Text(), nullable=True),
    sa.Column('use_pin', sa.Boolean(), nullable=False),
    sa.Column('recording', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_conference_rooms')),
    sa.UniqueConstraint('number', name=op.f('uq_conference_rooms_number')),
    sqlite_autoincrement=True
    )
    op.create_table('scheduled_conferences',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('pin', sa.Text(), nullable=False),
    sa.Column('opens_at', appliance.db.Instant(timezone=True), nullable=False),
    sa.Column('closes_at', appliance.db.Instant(timezone=True), nullable=False),
    sa.Column('recording', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_scheduled_conferences')),
    sa.UniqueConstraint('subject', name=op.f('uq_scheduled_conferences_subject')),
    sqlite_autoincrement=True
    )
    op.create_table('email',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('server', sa.String(length=120), nullable=False),
    sa.Column('port', sa.Integer(), nullable=False),
    sa.Column('security', sa.String(length=40), nullable=False),
    sa.Column('username', sa.String(length=120), nullable=False),
    sa.Column('password', sa.Text(), nullable=True),
    sa.Column('sender', sa.String(length=120), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('extension_classes') as table:
        for name in ('voicemail', 'follow_me', 'lock', 'password_call'):
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('extension_classes') as table:
        for name in ('voicemail', 'follow_me', 'lock', 'password_call'):
            table.alter_column(name, server_default=None)
    with op.batch_alter_table('users') as table:
        table.add_column(sa.Column('feature_pin', sa.String(length=200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('users') as table:
        table.drop_column('feature_pin')
    with op.batch_alter_table('extension_classes') as table:
        for name in ('password_call', 'lock', 'follow_me', 'voicemail'):
            table.drop_column(name)
    for word in ('email', 'voicemail_messages', 'voicemail_boxes', 'scheduled_conferences', 'conference_rooms', 'follow_me', 'feature_codes'):
        op.drop_table(word)
