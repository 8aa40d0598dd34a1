"""Extensions → PJSIP endpoints, and the numbers people dial inside."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from appliance.db import db
from appliance.dialing_profiles import config as profiles
from appliance.extension_classes.model import NO_RECORDING, ExtensionClass
from appliance.extensions.model import Extension
from appliance.feature_codes.config import transfer_context
from appliance.feature_codes.model import current as feature_codes
from appliance.sip import config as sip
from appliance.telephony.render import render
from appliance.voicemail_boxes.model import VoicemailBox

Only = Collection[int] | None


def in_order() -> list[int]:
    """Ids of all extensions in the order of the files."""
    return list(db.session.scalars(select(Extension.id).order_by(Extension.number)))


def _facts(only: Only) -> list[SimpleNamespace]:
    """What the templates receive, in order of number so that differences stay small; `only` these rows when given."""
    kept = profiles.kept_extensions()
    premium = {profile.id for profile in profiles.profiles() if profile.premium_calls}
    columns = (
        Extension.id, Extension.number, Extension.name, Extension.devices, Extension.dialing_profile_id, Extension.pickup_group_id,
        Extension.cost_centre_id, ExtensionClass.caller_id, ExtensionClass.nat, ExtensionClass.ring_timeout_seconds,
        ExtensionClass.simultaneous_calls, ExtensionClass.recording, ExtensionClass.voicemail, ExtensionClass.follow_me, ExtensionClass.lock,
        ExtensionClass.password_call, ExtensionClass.call_time_window, Extension.extension_class_id, VoicemailBox.id.label("box_id"),
        VoicemailBox.offered,
    )
    query = _only(select(*columns).join(ExtensionClass, ExtensionClass.id == Extension.extension_class_id).outerjoin(
        VoicemailBox, VoicemailBox.extension_id == Extension.id).order_by(Extension.number), only)
    codes, found = feature_codes(), []
    for row in db.session.execute(query):
        routes = profiles.context(row.dialing_profile_id, row.id, kept)
        found.append(SimpleNamespace(
            **row._mapping, word="extensions", routes=routes, transfer=transfer_context(codes, routes, row.password_call),
            premium=row.dialing_profile_id in premium, simultaneous="yes" if row.simultaneous_calls else "no",
            offers=("f" if row.follow_me else "-") + _offered(row),
            recorded="" if row.recording == NO_RECORDING else row.recording, window=row.extension_class_id if row.call_time_window else 0,
        ))
    return found


def _offered(row: Any) -> str:
    """When callers are sent to the mailbox, as ring.conf reads it: a letter, and the row id of the box; "" never."""
    return f"{row.offered[0]}{row.box_id}" if row.voicemail and row.box_id else ""


def _only(query: Any, only: Only) -> Any:
    return query if only is None else query.where(Extension.id.in_(only))


def pjsip_conf(only: Only = None) -> str:
    """Endpoint and aor of every extension."""
    row = sip.current()
    return render(
        "extensions.pjsip.conf.j2", extensions=_facts(only), language=sip.language(), video=row.general("video") == "yes",
        by_auth_user=row.general("match_auth_username") == "yes", timers=row.general("timers"),
    )


def auth_conf(only: Only = None) -> str:
    """Passwords, in a file of their own that no difference shows."""
    query = _only(select(Extension.id, Extension.number, Extension.password).order_by(Extension.number), only)
    found = [SimpleNamespace(word="extensions", id=row.id, number=row.number, password=row.password) for row in db.session.execute(query)]
    return render("extensions.auth.pjsip.conf.j2", extensions=found)


def extensions_conf(only: Only = None) -> str:
    """The numbers of extensions, with hints."""
    return render("extensions.extensions.conf.j2", extensions=_facts(only))


def transfers_conf() -> str:
    """The extensions whose class has the lock or hours for calls."""
    query = select(Extension.id, Extension.number, ExtensionClass.id.label("class_id"), ExtensionClass.lock, ExtensionClass.call_time_window).join(
        ExtensionClass, ExtensionClass.id == Extension.extension_class_id).order_by(Extension.number)
    found = [SimpleNamespace(word="extensions", id=row.id, number=row.number, lock=row.lock, window=row.class_id if row.call_time_window else "")
             for row in db.session.execute(query) if row.lock or row.call_time_window]
    return render("extensions.transfers.extensions.conf.j2", extensions=found)


def call_variables(extension_id: int) -> tuple[str, dict[str, str]]:
    """The number of an extension and the variables its endpoint gives every call, for a call made in its place."""
    (facts,) = _facts({extension_id})
    given = {
        "BENTEVI_EXTENSION": str(facts.id), "BENTEVI_ROUTES": facts.routes, "BENTEVI_PREMIUM": "yes" if facts.premium else "",
        "BENTEVI_CALLER_ID": facts.caller_id or "", "BENTEVI_COST_CENTRE": str(facts.cost_centre_id or ""),
    }
    return facts.number, {name: value for name, value in given.items() if value}
