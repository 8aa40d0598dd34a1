"""How long recordings are kept and how much room they may take (EXT-20)."""

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base
from appliance.fields import Whole, field
from appliance.resource import Resource


class RecordingPolicy(Base):
    """One row: retention and room of recordings. Takes effect at once, without an apply."""

    __tablename__ = "recording_policy"
    id: Mapped[int] = mapped_column(primary_key=True)
    retention_days: Mapped[int] = field(
        Whole(1, 3650), _l("Keep for (days)"), default=365, also="Retenção de gravações",
        help=_l("Older recordings are removed every night. The call stays in the report, with the seal of what was said."),
    )
    quota_gb: Mapped[int] = field(
        Whole(1, 100_000), _l("Room for recordings (GB)"), default=20, also="Cota espaço",
        help=_l("When recordings take more, the oldest are removed until they take nine tenths of it."),
    )
    free_gb: Mapped[int] = field(
        Whole(1, 1000), _l("Always leave free (GB)"), default=2, also="Espaço livre em disco",
        help=_l("With less free on the disk new calls are not recorded, and an alarm says so; calls go on."),
    )
    disk_percent: Mapped[int] = field(
        Whole(50, 99), _l("Make room when the disk is full to (%)"), default=90, also="Disco cheio gravações antigas saem primeiro",
        help=_l("Whatever fills it: the oldest recordings go until it is two per cent less, and an alarm says how many. Looked at every hour."),
    )
    least_days: Mapped[int] = field(
        Whole(0, 3650), _l("Never to make room: the last (days)"), default=7, also="Dias mínimos de gravações",
        help=_l("Recordings so new stay however full the disk is. The SAC decree asks for 90 days of a contact centre's recordings."),
    )


resource = Resource(
    RecordingPolicy, word="recording_policy", label=_l("Recording policy"), one=_l("recording policy"), group="system", icon="history",
    single=True, applies=False, tabs={_l("General"): ["retention_days", "quota_gb", "free_gb", "disk_percent", "least_days"]},
    also="Gravações retenção cota espaço disco",
)
