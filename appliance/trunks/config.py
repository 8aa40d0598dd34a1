"""Trunks → PJSIP objects or groups of Khomp channels, and the contexts calls leave and arrive by."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance import khomp_channels
from appliance.db import db
from appliance.sip import config as sip
from appliance.sip import lines
from appliance.telephony.render import render
from appliance.trunks.khomp import channels_of
from appliance.trunks.model import KHOMP, SENDS, SIP, Trunk

_DEFAULTS = {"direct_media": "no", "send_pai": "yes", "trust_id_inbound": "yes", "rtp_symmetric": "yes", "dtmf_mode": "rfc4733"}


def trunks() -> list[Trunk]:
    """All trunks in order of id."""
    return list(db.session.scalars(select(Trunk).order_by(Trunk.id)))


def options(trunk: Trunk, timers: str) -> list[tuple[str, str]]:
    """Endpoint options: ours, then what the general lines and the extra settings say instead."""
    chosen = dict(_DEFAULTS) | ({"timers": timers} if timers else {})
    for key, value in trunk.extra.items():
        found = lines.translate(key, value)
        if isinstance(found, lines.Translation) and found.option in lines.ENDPOINT and found.option != "language":
            chosen[found.option] = found.value
    return sorted(chosen.items())


def _facts(trunk: Trunk, timers: str) -> SimpleNamespace:
    receives, sends = trunk.is_gateway, trunk.protocol == SIP and trunk.authentication == SENDS
    user = trunk.line or trunk.username
    return SimpleNamespace(
        word="trunks", id=trunk.id, group=group(trunk) if trunk.protocol == KHOMP else "", channel_count=len(trunk.channels), asterisk_name=trunk.asterisk_name, enabled=trunk.enabled, receives=receives, sends=sends,
        host=trunk.host, port=trunk.port, username=trunk.username, password=trunk.password, line=trunk.line,
        qualify=trunk.qualify and trunk.enabled, codecs=trunk.codecs, call_limit=trunk.call_limit,
        caller_id=trunk.caller_id, number_format=trunk.number_format, default_number=trunk.default_number,
        options=options(trunk, timers), no_number="" if user.isdigit() else user,
        # address and port: the address alone would swallow every phone behind it
        matches=[] if receives else [f"{address}:{trunk.port}/32" for address in trunk.addresses],
    )


def pjsip_conf() -> str:
    """Endpoint, aor, identify and registration of every trunk."""
    timers = sip.current().general("timers")
    return render("trunks.pjsip.conf.j2", trunks=[_facts(trunk, timers) for trunk in trunks() if trunk.protocol == SIP], language=sip.language())


def auth_conf() -> str:
    """Passwords, in a file of their own that no difference shows."""
    return render("trunks.auth.pjsip.conf.j2", trunks=[_facts(trunk, "") for trunk in trunks() if trunk.protocol == SIP])


def extensions_conf() -> str:
    """How calls leave by each trunk, and where they arrive."""
    return render("trunks.extensions.conf.j2", trunks=[_facts(trunk, "") for trunk in trunks()])


def group(trunk: Trunk) -> str:
    """The name its dial string takes a channel by. One trunk has one order, so one group is enough."""
    return f"trunk{trunk.id}"


def khomp_conf() -> str:
    """Groups and options of the channels of every Khomp trunk: the whole file, because the driver includes none."""
    return render("khomp.conf.j2", trunks=[_khomp_facts(trunk) for trunk in trunks() if trunk.protocol == KHOMP], language=sip.language())


def _khomp_facts(trunk: Trunk) -> SimpleNamespace:
    channels = channels_of(trunk.channels)
    chosen: dict[str, str | int | bool] = {
        "drop-collect-call": trunk.drop_collect_call, "echo-canceller": trunk.echo_canceller, "input-volume": trunk.input_volume,
        "output-volume": trunk.output_volume, **{key.strip().lower(): value for key, value in trunk.extra.items()},
    }
    return SimpleNamespace(word="trunks", id=trunk.id, group=group(trunk), section=khomp_channels.section(channels), options=sorted(chosen.items()),
                           allocation=khomp_channels.allocation(channels, trunk.allocation))
