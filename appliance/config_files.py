"""TABLE of every generated file: name ← function. `WORD.ASTERISK_FILE` lies in etc/bentevi/ and is included by ASTERISK_FILE; a name
without a word is a whole file of its own in etc/. What to reload follows from the name (telephony/revision.py)."""

from collections.abc import Callable, Collection, Mapping

from appliance.announcements import config as announcements
from appliance.blacklists import config as blacklists
from appliance.business_hours import config as business_hours
from appliance.calendar_events import config as calendar_events
from appliance.company import config as company
from appliance.conference_rooms import config as conference_rooms
from appliance.dialing_profiles import config as dialing_profiles
from appliance.extension_classes import config as extension_classes
from appliance.extensions import config as extensions
from appliance.feature_codes import config as feature_codes
from appliance.inbound_routes import config as inbound_routes
from appliance.internal_routes import config as internal_routes
from appliance.ivrs import config as ivrs
from appliance.moh_classes import config as moh_classes
from appliance.outbound_routes import config as outbound_routes
from appliance.queues import config as queues
from appliance.ratings import config as ratings
from appliance.sip import config as sip
from appliance.telephony.render import spliced
from appliance.time_conditions import config as time_conditions
from appliance.trunks import config as trunks
from appliance.voicemail_boxes import config as voicemail_boxes
from appliance.work_shifts import config as work_shifts


def _prefix() -> str:
    return company.current().external_line_prefix


def _zone() -> str:
    return company.current().timezone


FILES: dict[str, Callable[[], str]] = {
    "sip.pjsip.conf": sip.pjsip_conf,
    "extensions.pjsip.conf": extensions.pjsip_conf,
    "extensions.auth.pjsip.conf": extensions.auth_conf,
    "trunks.pjsip.conf": trunks.pjsip_conf,
    "trunks.auth.pjsip.conf": trunks.auth_conf,
    "company.extensions.conf": company.extensions_conf,
    "extensions.extensions.conf": extensions.extensions_conf,
    "extensions.transfers.extensions.conf": extensions.transfers_conf,
    "internal_routes.extensions.conf": lambda: internal_routes.extensions_conf(_prefix()),
    "dialing_profiles.extensions.conf": lambda: dialing_profiles.extensions_conf(_prefix(), company.current().emergency_numbers),
    "outbound_routes.extensions.conf": lambda: outbound_routes.extensions_conf(_prefix()),
    "trunks.extensions.conf": trunks.extensions_conf,
    "moh_classes.musiconhold.conf": moh_classes.musiconhold_conf,
    "queues.queues.conf": queues.queues_conf,
    "queues.extensions.conf": lambda: queues.extensions_conf(_prefix()),
    "ivrs.extensions.conf": ivrs.extensions_conf,
    "announcements.extensions.conf": announcements.extensions_conf,
    "business_hours.extensions.conf": lambda: business_hours.extensions_conf(_prefix(), _zone()),
    "calendar_events.extensions.conf": lambda: calendar_events.extensions_conf(_prefix(), _zone()),
    "time_conditions.extensions.conf": lambda: time_conditions.extensions_conf(_prefix(), _zone()),
    "extension_classes.extensions.conf": lambda: extension_classes.extensions_conf(_zone()),
    "work_shifts.extensions.conf": lambda: work_shifts.extensions_conf(_zone()),
    "ratings.extensions.conf": ratings.extensions_conf,
    "feature_codes.features.conf": feature_codes.features_conf,
    "feature_codes.res_parking.conf": feature_codes.parking_conf,
    "feature_codes.extensions.conf": lambda: feature_codes.extensions_conf(_prefix()),
    "conference_rooms.extensions.conf": conference_rooms.extensions_conf,
    "conference_rooms.confbridge.conf": conference_rooms.confbridge_conf,
    "voicemail_boxes.voicemail.conf": lambda: voicemail_boxes.voicemail_conf(_zone()),
    "voicemail_boxes.extensions.conf": voicemail_boxes.extensions_conf,
    "khomp.conf": trunks.khomp_conf,
    "blacklists.extensions.conf": blacklists.extensions_conf,
    "inbound_routes.extensions.conf": lambda: inbound_routes.extensions_conf(_prefix()),
}

SECRET = {"extensions.auth.pjsip.conf", "trunks.auth.pjsip.conf", "conference_rooms.confbridge.conf"}  # in no difference, log or screen


# Files whose sections depend on one row each when nothing but such rows changed: word, all ids in order, rendering of some.
ROW_BY_ROW: dict[str, tuple[str, Callable[[], list[int]], Callable[[Collection[int]], str]]] = {
    "extensions.pjsip.conf": ("extensions", extensions.in_order, extensions.pjsip_conf),
    "extensions.auth.pjsip.conf": ("extensions", extensions.in_order, extensions.auth_conf),
    "extensions.extensions.conf": ("extensions", extensions.in_order, extensions.extensions_conf),
}
FEW = 200  # rows from which rendering everything is not slower


def rendered(previous: Mapping[str, str] | None = None, touched: Mapping[str, Collection[int]] | None = None) -> dict[str, str]:
    """Every generated file from the rows of this session's snapshot.

    With the files in force (`previous`, made by this version of the program) and {word: ids} of everything that changed
    since, only changed rows of large files are rendered; the bytes are the same.
    """
    made = {name: _from_previous(name, previous, touched) if previous and touched else None for name in FILES}
    return {_path(name): made[name] or build() for name, build in FILES.items()}


def _from_previous(name: str, previous: Mapping[str, str], touched: Mapping[str, Collection[int]]) -> str | None:
    if name not in ROW_BY_ROW or f"bentevi/{name}" not in previous:
        return None
    word, in_order, some = ROW_BY_ROW[name]
    if set(touched) != {word} or len(touched[word]) > FEW:
        return None
    return spliced(previous[f"bentevi/{name}"], word, in_order(), some(touched[word]))


def _path(name: str) -> str:
    return f"bentevi/{name}" if name.count(".") > 1 else name
