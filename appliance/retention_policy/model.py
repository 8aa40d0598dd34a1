"""How long what is known of people outside, voice messages and the audit trail are kept (SYS-20)."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, Instant
from appliance.errors import Refused
from appliance.fields import Whole, field
from appliance.resource import Resource

LEAST_CALL_DAYS = 30  # calls are built again when lines of them come late, and missed ones are called back


class RetentionPolicy(Base):
    """One row. Takes effect every night, without an apply. `calls_up_to`: every older call that may be is forgotten already."""

    __tablename__ = "retention_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    call_days: Mapped[int] = field(
        Whole(0, 36500), _l("Numbers and names of people outside, in calls (days)"), default=0, also="Retenção LGPD anonimizar ligações números",
        help=_l("Afterwards they are taken out of calls, their steps, visits of queues and menus, missed calls and scores, for good. Calls, seconds and counts stay. "
                "A call with a recording keeps them as long as the recording. 0: never."),
    )
    voicemail_days: Mapped[int] = field(
        Whole(0, 3650), _l("Voice messages (days)"), default=0, also="Retenção correio de voz recados",
        help=_l("Older ones are removed from mailboxes, heard or not. 0: until somebody deletes them."),
    )
    audit_days: Mapped[int] = field(
        Whole(30, 3650), _l("Audit trail (days)"), default=180, also="Retenção auditoria histórico",
        help=_l("Older changes are removed. What is not applied yet stays."),
    )
    calls_up_to: Mapped[datetime | None] = mapped_column(Instant())

    def check(self) -> None:
        """Raises Refused."""
        if 0 < self.call_days < LEAST_CALL_DAYS:
            raise Refused(_("At least %(days)s days, or 0 for never.", days=LEAST_CALL_DAYS), field="call_days")


resource = Resource(
    RetentionPolicy, word="retention_policy", label=_l("Data retention"), one=_l("data retention"), group="system", icon="history",
    single=True, applies=False, tabs={_l("General"): ["call_days", "voicemail_days", "audit_days"]},
    also="Retenção de dados LGPD prazo de guarda",
)
