"""Modules: parts of the product a company does not use can be switched off, so that menus stay short (SYS-12 to SYS-14).

Nothing here is a licence: every module is part of every installation. Switched off, a module's menus are gone and its addresses answer
404; rows, calls and records go on as they were.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.fields import Boolean, field
from appliance.resource import SINGLE_ID, Resource


def _serial() -> str:
    """A random number of this exchange: neither made of the machine nor telling anything about it. Four groups, to be read out."""
    text = secrets.token_hex(8).upper()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


@dataclass(frozen=True)
class Module:
    """A part of the product. `words` are the first parts of its addresses: menus, pages, API."""

    label: Any
    words: tuple[str, ...]


MODULES = {
    "call_centre": Module(_l("Call centre"), ("queues", "queue_reports")),
    "ivr": Module(_l("IVR"), ("ivrs", "ivr_reports")),
    "ratings": Module(_l("Ratings"), ("ratings", "rating_scores")),
    "conferences": Module(_l("Conferences"), ("conference_rooms", "scheduled_conferences")),
    "voicemail": Module(_l("Voicemail"), ("voicemail_boxes",)),
    "provisioning": Module(_l("Provisioning of desk phones"), ("desk_phones",)),
    "khomp": Module(_l("Khomp boards"), ("khomp_boards",)),
}
WORDS = frozenset(word for module in MODULES.values() for word in module.words)


class Modules(Base):
    """One row: which modules are shown. The serial number is this exchange's own and goes wherever its rows go."""

    __tablename__ = "modules"
    id: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(String(24), default=_serial)
    call_centre: Mapped[bool] = field(
        Boolean(), _l("Call centre"), default=True, also="Módulo Call Center filas atendentes",
        help=_l("Queues, their agents and the reports of queues. Off: the menus go, calls in queues go on as before."),
    )
    ivr: Mapped[bool] = field(
        Boolean(), _l("IVR"), default=True, also="Módulo URA", help=_l("IVRs and their report. Off: the menus go, callers hear the IVRs as before."),
    )
    ratings: Mapped[bool] = field(
        Boolean(), _l("Ratings"), default=True, also="Módulo pesquisa de satisfação avaliações",
        help=_l("Ratings after a call and the table of scores. Off: the menus go, customers are asked as before."),
    )
    conferences: Mapped[bool] = field(
        Boolean(), _l("Conferences"), default=True, also="Módulo conferência", help=_l("Fixed and scheduled rooms. Off: the menus go, the rooms stay open."),
    )
    voicemail: Mapped[bool] = field(
        Boolean(), _l("Voicemail"), default=True, also="Módulo caixa postal correio de voz",
        help=_l("The register of mailboxes. Off: the menu goes, messages are taken and heard as before."),
    )
    provisioning: Mapped[bool] = field(
        Boolean(), _l("Provisioning of desk phones"), default=True, also="Módulo provisionamento autoprovisionamento",
        help=_l("The register of desk phones. Off: the menu goes, phones get their files as before."),
    )
    khomp: Mapped[bool] = field(
        Boolean(), _l("Khomp boards"), default=True, also="Módulo placas Khomp E1", help=_l("The register of boards. Off: the menu goes, trunks on boards carry calls as before."),
    )


resource = Resource(
    Modules, word="modules", label=_l("Modules"), one=_l("modules"), group="system", icon="apps", single=True, applies=False,
    tabs={_l("Modules"): list(MODULES)}, also="Módulos licença ativar desativar menus",
)


def current() -> Modules:
    """The one row."""
    return db.session.get_one(Modules, SINGLE_ID)


def hidden() -> frozenset[str]:
    """First parts of the addresses that do not exist while their module is off."""
    row = db.session.get(Modules, SINGLE_ID)
    if row is None:
        return frozenset()
    return frozenset(word for name, module in MODULES.items() if not getattr(row, name) for word in module.words)
