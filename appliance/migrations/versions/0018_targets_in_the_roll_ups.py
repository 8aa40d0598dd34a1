"""what queues wanted, in the roll-ups of visits"""

import sqlalchemy as sa
from alembic import op

revision = '0018'
down_revision = '0017'

LARGE = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
ALIKE = {'visit_hours': ('direction', 'queue_id', 'ivr_id'),
         'visit_totals': ('direction', 'queue_id', 'ivr_id', 'extension_id', 'from_cost_centre_id', 'to_cost_centre_id')}


def upgrade() -> None:
    # The end of an hour that is a text on SQLite: behind every minute of it.
    end = "substr(t.hour_at, 1, 13) || ':~'" if op.get_bind().dialect.name == 'sqlite' else "t.hour_at + interval '1 hour'"
    for table, names in ALIKE.items():
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column('target_sum', LARGE, nullable=False, server_default='0'))
        alike = ' AND '.join(f't.{name} = {f"v.{name}" if name in ("direction", "queue_id") else f"coalesce(v.{name}, 0)"}' for name in names)
        op.execute(f"UPDATE {table} AS t SET target_sum = coalesce((SELECT sum(v.target_percent) FROM queue_visits v WHERE {alike}"
                   f" AND v.outcome <> 'closed' AND v.started_at >= t.hour_at AND v.started_at < {end}), 0)")
        if op.get_bind().dialect.name != 'sqlite':
            op.alter_column(table, 'target_sum', server_default=None)


def downgrade() -> None:
    for table in ALIKE:
        op.drop_column(table, 'target_sum')
