"""Telling phones to fetch their files again: a NOTIFY with the event their firmware knows (check-sync)."""

from flask_babel import gettext as _
from sqlalchemy import select

from appliance import changes, live, ports, settings
from appliance.db import db
from appliance.desk_phones import models
from appliance.desk_phones.doors import refuse_off
from appliance.desk_phones.model import DeskPhone, DeskPhoneKey, key_of, resource
from appliance.errors import Busy, Refused
from appliance.telephony import ami

EVENTS = {  # format → the event's value; a phone that is talking finishes its call first
    models.ESCENE: "check-sync;reboot=false",
    models.P_CODES: "check-sync",
    models.YEALINK: "check-sync",
}


def tell(phone: DeskPhone) -> int:
    """Send the NOTIFY to where the phone is registered; to how many places it went. Raises Refused when it is registered nowhere, Busy
    while Asterisk is down."""
    refuse_off(phone)
    endpoint = _endpoint(phone)
    if not endpoint:
        raise Refused(_("Extension %(number)s is registered nowhere, so its phone cannot be told. It fetches its files at its next start.",
                        number=phone.extension))
    _send([(endpoint, EVENTS[models.BY_NAME[phone.model].format])])
    changes.record(resource.word, phone.id, resource.title(phone), "reload", {}, {}, pending=False)
    return len(_places(endpoint))


def tell_all() -> tuple[int, int]:
    """The same to every phone that is registered: (told, not registered). Raises Busy while Asterisk is down."""
    phones = list(db.session.scalars(select(DeskPhone).order_by(DeskPhone.id)))
    on = [phone for phone in phones if phone.of_extension().provisioning]
    reached = {phone: _endpoint(phone) for phone in on}
    _send([(endpoint, EVENTS[models.BY_NAME[phone.model].format]) for phone, endpoint in reached.items() if endpoint])
    for phone in (phone for phone, endpoint in reached.items() if endpoint):
        changes.record(resource.word, phone.id, resource.title(phone), "reload", {}, {}, pending=False)
    told = sum(1 for endpoint in reached.values() if endpoint)
    return told, len(on) - told


def tell_of_port() -> int:
    """Phones whose newest file names another SIP port than Asterisk listens on are told to fetch it again, until they have; how many were told.
    Registrations outlive a restart, so they hear it from the new port. Raises Busy while Asterisk is down."""
    port = ports.listening(settings.load()).sip
    phones = list(db.session.scalars(select(DeskPhone).join(DeskPhoneKey, DeskPhoneKey.desk_phone_id == DeskPhone.id).where(DeskPhoneKey.port != port)))
    on = [phone for phone in phones if phone.of_extension().provisioning]  # others would ask for a file they do not get, every minute
    orders = [(endpoint, EVENTS[models.BY_NAME[phone.model].format]) for phone in on if (endpoint := _endpoint(phone))]
    db.session.rollback()
    _send(orders)
    return len(orders)


def _endpoint(phone: DeskPhone) -> str:
    """The endpoint it is registered as: the extension of the file it was served last, which is another one after a change of the row."""
    known = key_of(phone.id)
    numbers = [known.number, phone.extension] if known and known.number else [phone.extension]
    return next((number for number in numbers if _places(number)), "")


def _places(number: str) -> list[str]:
    return list(live.row("extensions", number).get("contacts", {}))


def _send(orders: list[tuple[str, str]]) -> None:
    if not orders:
        return
    with ami.actions(settings.load()) as connection:
        for endpoint, event in orders:
            answer = connection.ask({"Action": "PJSIPNotify", "Endpoint": endpoint, "Variable": f"Event={event}"})
            if not answer.succeeded:
                raise Busy(_("Asterisk did not take the order: %(text)s", text=answer.headers.get("Message", "")))
