"""Who gets a file, and when: the one-time secret, the window, the phone's own key (SYS-01).

    a person presses “Provision now"   a window opens for 15 minutes, and a secret of 160 bits is shown once, as an address
    the phone asks with that secret    it gets its file and with it an address of its own, with a key nobody has seen; the window is closed
    the phone asks with its key        it gets its file again where it was served before or where its extension is registered
    anybody else                       404, the same for everything that is wrong

Only devices of the local networks are served. A phone that finds the exchange by DHCP has no secret: it is served inside the window
only when the person said so. Phones ask more than once while they start, so the same address is served for two more minutes.
"""

import hmac
import ipaddress
import logging
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, or_, select

from appliance import changes, live, ports, settings
from appliance import db as ground
from appliance.db import db, digest
from appliance.desk_phones import models
from appliance.desk_phones.files import CONFIG, PHONEBOOK, Asked
from appliance.desk_phones.model import DeskPhone, DeskPhoneKey, key_of, resource
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.resource import SINGLE_ID
from appliance.sip.model import Sip

log = logging.getLogger("bentevi.provisioning")

WINDOW = timedelta(minutes=15)
GRACE = timedelta(minutes=2)
SECRET_BYTES = 20
_NOBODY = digest("nobody")  # compared with when there is nothing to compare with, so that all refusals take the same way


@dataclass(frozen=True)
class Visit:
    """One request: the file it asks for, from which address, and what the device says it is."""

    asked: Asked
    source: str
    agent: str


@dataclass(frozen=True)
class Admitted:
    """A phone that may have what it asks for; `key` is its own secret from now on."""

    phone: DeskPhone
    extension: Extension
    key: str


# ------------------------------------------------------------------------------------------------------- the window


def open_window(phone: DeskPhone, without_secret: bool = False) -> str:
    """Let this phone in for a quarter of an hour, once; the secret of its address, shown to a person and kept as a digest only.

    An earlier window of it is closed. Raises Refused when provisioning is off in the extension.
    """
    refuse_off(phone)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = key_of(phone.id)
    if row is None:
        row = DeskPhoneKey(desk_phone_id=phone.id)
        db.session.add(row)
    row.pairing_digest, row.window_until, row.opens_without_secret, row.paired_at = digest(secret), ground.now() + WINDOW, without_secret, None
    changes.record(resource.word, phone.id, resource.title(phone), "provision", {}, {"provisioning": "DHCP" if without_secret else ""}, pending=False)
    return secret


def close_window(phone: DeskPhone) -> None:
    """Nobody is let in by an earlier window of this phone."""
    row = key_of(phone.id)
    if row is not None:
        row.window_until = row.pairing_digest = row.paired_at = None


def refuse_off(phone: DeskPhone) -> None:
    """Raises Refused when provisioning is off in the extension."""
    extension = phone.of_extension()
    if not extension.provisioning:
        raise Refused(_("Provisioning is off in extension %(number)s. Turn it on there first.", number=extension.number), field="extension",
                      link=f"/extensions/{extension.id}")


# ------------------------------------------------------------------------------------------------------- a request


def is_welcome(visit: Visit) -> bool:
    """Whether the phone may have this file, as one looks without waiting for anybody who writes; a refusal leaves a line in the log that
    holds no secret."""
    return _looked_at(visit) is not None


def let_in(visit: Visit) -> Admitted | None:
    """The phone and its key, noted; None when another request was let in meanwhile. Call it in a transaction that writes: a secret and a
    window then serve once, however many ask at the same moment."""
    found = _looked_at(visit)
    if found is None:
        return None
    phone, extension, row = found
    key = _noted(visit, row, extension.number)
    log.warning("served %s of desk_phones %s (%s, extension %s) to %s %r", visit.asked.kind, phone.id, phone.mac, extension.number, visit.source,
                visit.agent[:160])
    return Admitted(phone, extension, key)


Found = tuple[DeskPhone, Extension, DeskPhoneKey]


def _looked_at(visit: Visit) -> Found | None:
    found = _found(visit)
    reason = _why_not(visit, found)
    if reason:
        log.warning("refused %s for %s from %s: %s", visit.asked.kind, visit.asked.mac or "an unnamed device", visit.source, reason)
    return None if reason else found


def _found(visit: Visit) -> Found | None:
    """The device a request means, in one question whatever it asks: by the MAC in the file's name, by its secret, or by the address that
    was let in just now."""
    asked = visit.asked
    known = digest(asked.secret) if asked.secret else ""
    condition: ColumnElement[bool]
    if asked.mac:
        condition = DeskPhone.mac == asked.mac
    elif asked.secret:
        condition = or_(DeskPhoneKey.key_digest == known, DeskPhoneKey.pairing_digest == known)
    else:
        condition = and_(DeskPhoneKey.fetched_from == visit.source, DeskPhoneKey.paired_at > ground.now() - GRACE)
    query = select(DeskPhone, Extension, DeskPhoneKey).join(Extension, Extension.number == DeskPhone.extension).outerjoin(
        DeskPhoneKey, DeskPhoneKey.desk_phone_id == DeskPhone.id).where(condition, DeskPhone.brand == asked.brand)
    row = db.session.execute(query.order_by(DeskPhoneKey.paired_at.desc()).limit(1)).first()
    return (row[0], row[1], row[2]) if row else None


def _why_not(visit: Visit, found: Found | None) -> str:
    """Why a request is refused, for the log; "" when it is not."""
    asked = visit.asked
    phone, extension, row = found or (None, None, None)
    opened = _opens(visit, row)  # always computed: an unknown device takes as long as a known one
    near = is_local(visit.source)
    named = re.search(r"DevId ([0-9a-fA-F:]{12,17})", visit.agent)
    if phone is None or extension is None or row is None:
        return "no such device, or never provisioned"
    if asked.format != models.BY_NAME[phone.model].format:
        return "a file of another model"
    if not extension.provisioning:
        return "provisioning is off in the extension"
    if not near:
        return "not from a local network"
    if named and named[1].replace(":", "").lower() != phone.mac.replace(":", ""):
        return "the device says it is another one"
    return "" if opened else "no open window, wrong secret, or from elsewhere"


def _opens(visit: Visit, row: DeskPhoneKey | None) -> bool:
    """Whether what the request knows lets it in now."""
    given = digest(visit.asked.secret) if visit.asked.secret else ""
    is_own = hmac.compare_digest(given or _NOBODY + "-", (row and row.key_digest) or _NOBODY)
    is_pairing = hmac.compare_digest(given or _NOBODY + "-", (row and row.pairing_digest) or _NOBODY)
    if row is None:
        return False
    now = ground.now()
    may_pair = is_pairing or (not given and row.opens_without_secret)
    if row.window_until and row.window_until > now and visit.asked.kind == CONFIG and may_pair:
        return True
    if may_pair:
        return bool(row.paired_at and row.paired_at > now - GRACE and visit.source == row.fetched_from)
    return is_own and visit.source in {row.fetched_from, *_registered_at(row.number)}


def _registered_at(number: str) -> set[str]:
    """Addresses at which phones of an extension are registered now."""
    contacts: dict[str, Any] = live.row("extensions", number).get("contacts", {})
    return {str(one["address"]).rpartition(":")[0].strip("[]") for one in contacts.values()}


def _noted(visit: Visit, row: DeskPhoneKey, number: str) -> str:
    """Note the visit, close the window and, for who came by it, make the phone's own key anew; that key."""
    now = ground.now()
    if visit.asked.kind == PHONEBOOK:
        row.phonebook_at = now
        return row.key or ""
    if row.window_until and row.window_until > now:
        row.window_until = None
        if not (visit.asked.secret and digest(visit.asked.secret) == row.key_digest):
            row.key, row.paired_at = secrets.token_urlsafe(SECRET_BYTES), now
            row.key_digest = digest(row.key)
    row.fetched_at, row.fetched_from, row.fetched_agent, row.number = now, visit.source[:60], visit.agent[:160], number
    row.port = ports.listening(settings.load()).sip
    return row.key or ""


def is_local(source: str) -> bool:
    """Whether an address is in the local networks of the SIP page."""
    try:
        address: Any = ipaddress.ip_address(source)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    row = db.session.get(Sip, SINGLE_ID)
    networks = [ipaddress.ip_network(text, strict=False) for text in row.local_networks] if row else []
    return any(address in network for network in networks if network.version == address.version)
