"""Extensions → PJSIP endpoints, and the numbers people dial inside."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.db import db
from appliance.dialing_profiles import config as profiles
from appliance.extensions.model import Extension
from appliance.sip import config as sip
from appliance.telephony.render import render


def _facts() -> list[SimpleNamespace]:
    """What the templates receive, in order of number so that differences stay small."""
    kept = profiles.kept_extensions()
    premium = {profile.id for profile in profiles.profiles() if profile.premium_calls}
    return [
        SimpleNamespace(
            word="extensions", id=row.id, number=row.number, name=row.name, devices=row.devices,
            routes=profiles.context(row.dialing_profile_id, row.id, kept), premium=row.dialing_profile_id in premium,
            caller_id=row.extension_class.caller_id, nat=row.extension_class.nat, pickup_group_id=row.pickup_group_id,
            cost_centre_id=row.cost_centre_id,
            ring_seconds=row.extension_class.ring_timeout_seconds,
            simultaneous="yes" if row.extension_class.simultaneous_calls else "no",
        )
        for row in db.session.scalars(select(Extension).order_by(Extension.number))
    ]


def pjsip_conf() -> str:
    """Endpoint and aor of every extension."""
    row = sip.current()
    return render(
        "extensions.pjsip.conf.j2", extensions=_facts(), language=sip.language(), video=row.general("video") == "yes",
        by_auth_user=row.general("match_auth_username") == "yes", timers=row.general("timers"),
    )


def auth_conf() -> str:
    """Passwords, in a file of their own that no difference shows."""
    query = select(Extension.id, Extension.number, Extension.password).order_by(Extension.number)
    found = [SimpleNamespace(word="extensions", id=row.id, number=row.number, password=row.password) for row in db.session.execute(query)]
    return render("extensions.auth.pjsip.conf.j2", extensions=found)


def extensions_conf() -> str:
    """The numbers of extensions, with hints."""
    return render("extensions.extensions.conf.j2", extensions=_facts())
