"""Feature codes: what is typed during a call, and what is dialled instead of a number (FEA-01, FEA-04 to FEA-13, FEA-17 to FEA-19)."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance import numbering
from appliance.company.model import Company
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import DialNumber, Pattern, Reader, Seconds, Whole, field
from appliance.links import Reference
from appliance.resource import SINGLE_ID, Resource


class Code(Pattern):
    """What is pressed: begins with * or #, so that no number, bank menu or emergency call is ever taken for it."""

    def __init__(self) -> None:
        super().__init__(6, r"[*#][0-9*#]{1,5}", _l("* or # first, then one to five digits, * or #."))


class SlotNumber(DialNumber):
    """The first number of the parking places; the others follow it."""

    def refine(self, text: str, reader: Reader) -> str | None:
        if text.startswith("0"):
            return reader.refuse(_("A parking place does not begin with 0."))
        return super().refine(text, reader)


DURING_A_CALL = ("blind_transfer", "attended_transfer", "cancel_transfer", "park")
DIALLED = ("group_pickup", "directed_pickup", "voicemail", "follow_me", "follow_me_off", "lock", "unlock", "conference")
FOLLOWED_BY_A_NUMBER = ("directed_pickup", "follow_me")


class FeatureCodes(Base):
    """One row: every code of the exchange, and how long transfers and parked calls wait."""

    __tablename__ = "feature_codes"
    id: Mapped[int] = mapped_column(primary_key=True)
    blind_transfer: Mapped[str] = field(
        Code(), _l("Blind transfer"), default="##", also="Transferência direta",
        help=_l("During a call, then the number: the call goes there at once, without talking first."),
    )
    attended_transfer: Mapped[str] = field(
        Code(), _l("Attended transfer"), default="**", also="Transferência assistida consulta",
        help=_l("During a call, then the number: talk there first; hanging up completes the transfer."),
    )
    cancel_transfer: Mapped[str] = field(
        Code(), _l("Cancel a transfer"), default="*0", also="Cancelar transferência",
        help=_l("While the other telephone rings or talks: gives up the attended transfer and returns to the call."),
    )
    attended_transfer_seconds: Mapped[int] = field(
        Seconds(5, 120), _l("Attended transfer waits"), default=20, also="Timeout da transferência assistida",
        help=_l("Not answered in so many seconds, the call comes back to who wanted to transfer it."),
    )
    transfer_profile_id: Mapped[int | None] = field(
        Reference("dialing_profiles"), _l("Profile for transfers"), name="transfer_profile", optional=True, also="Perfil para transferência",
        help=_l("Routes of every transfer to an outside number, whoever transfers. Without one: those of the extension that transfers."),
    )
    park: Mapped[str] = field(
        Code(), _l("Park the call"), default="#72", also="Estacionamento de ligações",
        help=_l("During a call: it waits in a parking place, whose number is said; whoever dials that number takes it."),
    )
    parking_first: Mapped[str] = field(
        SlotNumber(), _l("First parking place"), default="701", also="Vagas de estacionamento",
        help=_l("Number dialled to take the call of the first place; the others follow it."),
    )
    parking_places: Mapped[int] = field(
        Whole(1, 99), _l("Parking places"), default=20, help=_l("How many calls may be parked at the same time."),
    )
    parking_seconds: Mapped[int] = field(
        Seconds(10, 3600), _l("Parking time"), default=45, also="Tempo de estacionamento retorno",
        help=_l("Nobody took the call in so many seconds: it rings again where it was parked from."),
    )
    group_pickup: Mapped[str] = field(
        Code(), _l("Pick up in the group"), default="*8", also="Puxar Capturar ligação do grupo",
        help=_l("Takes a call that rings at an extension of the same pickup group."),
    )
    directed_pickup: Mapped[str] = field(
        Code(), _l("Pick up an extension"), default="*7", also="Puxar Capturar ligação de um ramal",
        help=_l("Dialled with the extension behind it, in any group: *71002 takes the call that rings at 1002."),
    )
    voicemail: Mapped[str] = field(
        Code(), _l("Voicemail"), default="*97", also="Correio de voz",
        help=_l("Plays the messages of the extension; asks the feature password."),
    )
    follow_me: Mapped[str] = field(
        Code(), _l("Follow-me on"), default="*21", also="Siga-me",
        help=_l("Dialled with the number behind it: every call goes there. Asks the feature password."),
    )
    follow_me_off: Mapped[str] = field(
        Code(), _l("Follow-me off"), default="#21", also="Cancelar siga-me",
        help=_l("Calls ring at the extension again. Asks the feature password."),
    )
    lock: Mapped[str] = field(
        Code(), _l("Lock"), default="*54", also="Cadeado",
        help=_l("The extension calls nobody until it is unlocked; emergency calls pass. Asks the feature password."),
    )
    unlock: Mapped[str] = field(
        Code(), _l("Unlock"), default="#54", also="Retirar cadeado",
        help=_l("The extension may call again. Asks the feature password."),
    )
    conference: Mapped[str] = field(
        Code(), _l("Scheduled conferences"), default="*300", also="Sala de conferência agendada",
        help=_l("Asks the password of the conference and leads into the one it belongs to."),
    )

    def codes(self) -> dict[str, str]:
        """Field → code."""
        return {name: getattr(self, name) for name in (*DURING_A_CALL, *DIALLED)}

    def places(self) -> list[str]:
        """The numbers of the parking places."""
        first = int(self.parking_first)
        return [str(number) for number in range(first, first + self.parking_places)]

    def numbers(self) -> list[str]:
        """What it occupies in the numbering: codes and parking places."""
        return [*self.codes().values(), *self.places()]

    def check(self) -> None:
        """No code is another's, or the beginning of another in the same place; none hides a number or an outside line."""
        codes = self.codes()
        for name, code in codes.items():
            for other in list(codes)[:list(codes).index(name)]:
                if codes[other] == code:
                    raise Refused(_("“%(code)s” is already the code of “%(other)s”. Choose another.", code=code, other=_label(other)), field=name)
        for names in (DURING_A_CALL, DIALLED):
            for name in names:
                longer = next((other for other in names if other != name and codes[other].startswith(codes[name])), None)
                if longer and (names is DURING_A_CALL or name in FOLLOWED_BY_A_NUMBER):
                    raise Refused(_("“%(code)s” is how “%(longer)s” of “%(other)s” begins: it would be taken before that is typed to the end.",
                                    code=codes[name], longer=codes[longer], other=_label(longer)), field=name)
        self._check_places()
        self._check_others(codes)

    def _check_places(self) -> None:
        last = self.places()[-1]
        if len(last) != len(self.parking_first):
            raise Refused(_("The last place would be %(last)s: longer than the first. Begin lower, or take fewer places.", last=last), field="parking_first")

    def _check_others(self, codes: dict[str, str]) -> None:
        """Numbers of others, the echo test and the digits for an outside line."""
        company = db.session.get(Company, SINGLE_ID)
        prefix = company.external_line_prefix if company else ""
        for name, code in codes.items():
            if prefix and code.startswith(prefix):
                raise Refused(_("“%(prefix)s” is dialled for an outside line; no code begins with it.", prefix=prefix), field=name)
            taken = [reserved for reserved in numbering.RESERVED if reserved == code or (name in FOLLOWED_BY_A_NUMBER and reserved.startswith(code))]
            if taken:
                raise Refused(_("The number %(number)s is already used by %(owner)s. Choose another number or change that one.",
                                number=taken[0], owner=numbering.RESERVED[taken[0]]), field=name)
        for name, number in [*codes.items(), *(("parking_first", place) for place in self.places())]:
            holder = numbering.holder(number)
            if holder and holder.word != "feature_codes":
                try:
                    numbering.refuse(holder)
                except Refused as why:
                    raise Refused(str(why), field=name, link=why.link) from why
        emergency = set(company.emergency_numbers) & set(self.places()) if company else set()
        if emergency:
            raise Refused(_("%(number)s is an emergency number. Choose other parking places.", number=min(emergency)), field="parking_first")


def _label(name: str) -> str:
    return str(resource.fields[name].label)


def defaults() -> dict[str, Any]:
    """The codes and times a new exchange has, outside; the profile stays as it was chosen."""
    return {name: spec.initial() for name, spec in resource.fields.items() if name != "transfer_profile"}


def current() -> FeatureCodes:
    """The one row."""
    return db.session.get_one(FeatureCodes, SINGLE_ID)


resource = Resource(
    FeatureCodes, word="feature_codes", label=_l("Feature codes"), one=_l("feature codes"), group="telephony", icon="dialpad", single=True,
    tabs={_l("During a call"): ["blind_transfer", "attended_transfer", "cancel_transfer", "attended_transfer_seconds", "transfer_profile"],
          _l("Parking"): ["park", "parking_first", "parking_places", "parking_seconds"],
          _l("Dialled"): ["group_pickup", "directed_pickup", "voicemail", "follow_me", "follow_me_off", "lock", "unlock", "conference"]},
    also="Cód. Funcionalidades códigos transferência captura estacionamento cadeado siga-me correio de voz",
)
