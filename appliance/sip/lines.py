"""Lines of chan_sip from old manuals, translated to what PJSIP does (TRK-13, TRK-21).

chan_sip is gone since Asterisk 21; people still paste its lines. Each known line has a meaning in words and, where there
is one, the PJSIP option it sets. An unknown line is refused with its number and never reaches a configuration file.
Source of the PJSIP options: Asterisk 22, `config show help res_pjsip endpoint`.
"""

import re
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Translation:
    """What one line does here. `option` and `value` go to the endpoint; "" when the line needs nothing."""

    line: str
    meaning: str
    option: str = ""
    value: str = ""
    warning: bool = False


# Options of a PJSIP endpoint that a supplier may need, with the values we accept.
ENDPOINT = {
    "from_user": r"[A-Za-z0-9_.+-]{1,40}",
    "from_domain": r"[A-Za-z0-9.-]{1,100}",
    "contact_user": r"[A-Za-z0-9_.+-]{1,40}",
    "outbound_proxy": r"sip:[A-Za-z0-9.:-]{1,100}(\\;lr|;lr)?",
    "dtmf_mode": r"rfc4733|inband|info|auto|auto_info",
    "send_pai": r"yes|no",
    "send_rpid": r"yes|no",
    "trust_id_inbound": r"yes|no",
    "trust_id_outbound": r"yes|no",
    "rtp_symmetric": r"yes|no",
    "force_rport": r"yes|no",
    "rewrite_contact": r"yes|no",
    "direct_media": r"yes|no",
    "timers": r"yes|no|required|always",
    "timers_sess_expires": r"[0-9]{2,5}",
    "rtp_timeout": r"[0-9]{1,5}",
    "rtp_timeout_hold": r"[0-9]{1,5}",
    "100rel": r"yes|no|required",
    "use_ptime": r"yes|no",
    "inband_progress": r"yes|no",
    "fax_detect": r"yes|no",
    "t38_udptl": r"yes|no",
    "user_eq_phone": r"yes|no",
    "language": r"[a-z]{2}([_-][A-Za-z]{2})?",
}

_YES = {"yes": "yes", "true": "yes", "1": "yes", "on": "yes", "no": "no", "false": "no", "0": "no", "off": "no"}

_CHAN_SIP: dict[str, tuple[str, Any]] = {  # chan_sip key → PJSIP option ("" = nothing to set), meaning
    "insecure": ("", _l("incoming calls are not challenged (the address identifies this trunk)")),
    "callcounter": ("", _l("calls are always counted")),
    "context": ("", _l("the exchange chooses the context itself")),
    "transport": ("", _l("transport UDP")),
    "type": ("", _l("the exchange knows the kind of peer")),
    "host": ("", _l("use the field Host")),
    "canreinvite": ("direct_media", _l("audio directly between the two ends")),
    "directmedia": ("direct_media", _l("audio directly between the two ends")),
    "fromuser": ("from_user", _l("user in From")),
    "fromdomain": ("from_domain", _l("domain in From")),
    "outboundproxy": ("outbound_proxy", _l("outbound proxy")),
    "dtmfmode": ("dtmf_mode", _l("how digits are sent")),
    "sendrpid": ("send_pai", _l("caller's identity sent to the far end")),
    "trustrpid": ("trust_id_inbound", _l("caller's identity from the far end is believed")),
    "session-timers": ("timers", _l("session timers")),
    "language": ("language", _l("language of announcements")),
    "progressinband": ("inband_progress", _l("ringing heard as audio")),
    "videosupport": ("video", _l("video codecs allowed")),
    "match_auth_username": ("match_auth_username", _l("callers are also found by their authentication user")),
    "nat": ("nat", _l("answer to the address a packet really came from")),
    "qualify": ("", _l("use the field Monitor status")),
    "allowguest": ("allowguest", _l("unknown callers are let in")),
    "srvlookup": ("", _l("host names are resolved by the exchange")),
    "tos_sip": ("", _l("traffic class is set by the exchange")),
}

_VALUES = {
    ("dtmf_mode", "rfc2833"): "rfc4733",
    ("timers", "refuse"): "no", ("timers", "accept"): "yes", ("timers", "originate"): "always",
    ("direct_media", "nonat"): "no", ("nat", "force_rport,comedia"): "yes", ("nat", "comedia"): "yes", ("nat", "never"): "no",
}


def translate(key: str, value: str) -> Translation | str:
    """One line; a text instead of a Translation says why it is refused."""
    key, value = key.strip().lower(), value.strip()
    line = f"{key}={value}"
    if key in ENDPOINT and key not in _CHAN_SIP:
        if not re.fullmatch(ENDPOINT[key], value):
            return _("“%(line)s”: this value is not accepted.", line=line)
        return Translation(line, _("as written"), key, value)
    if key not in _CHAN_SIP:
        return _("“%(line)s” is not known; nothing of it would reach the configuration.", line=line)
    option, meaning = _CHAN_SIP[key]
    plain = _VALUES.get((option, value.lower()), _YES.get(value.lower(), value))
    if option in ENDPOINT and not re.fullmatch(ENDPOINT[option], plain):
        return _("“%(line)s”: this value is not accepted.", line=line)
    if option == "language":
        plain = plain[:2].lower() + ("_" + plain[3:].upper() if len(plain) > 2 else "")
    if option in ("video", "match_auth_username", "nat", "allowguest") and plain not in ("yes", "no"):
        return _("“%(line)s”: this value is not accepted.", line=line)
    told = f"{option}={plain}" if option in ENDPOINT else ""
    text = _("translated: %(meaning)s", meaning=str(meaning)) + (f" ({told})" if told else "")
    return Translation(line, text, option, plain, warning=option == "allowguest" and plain == "yes")


def read_block(text: str) -> list[tuple[int, Translation | str]]:
    """(line number, translation or reason) of a pasted block; blank lines, comments and [sections] are passed over."""
    found: list[tuple[int, Translation | str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.split(";")[0].strip() if line.strip().startswith(";") else line.strip()
        if not plain or plain.startswith(("[", "#")):
            continue
        for pair in re.split(r"\s+(?=[a-z_-]+\s*=)", plain):  # two settings written on one line
            key, separator, value = pair.partition("=")
            found.append((number, translate(key, value.lstrip(">")) if separator else
                          _("“%(line)s” is not known; nothing of it would reach the configuration.", line=pair)))
    return found
