"""TABLE of every generated file: name under etc/bentevi/ ← function. What to reload follows from the name (telephony/revision.py)."""

from collections.abc import Callable

from appliance.blacklists import config as blacklists
from appliance.company import config as company
from appliance.dialing_profiles import config as dialing_profiles
from appliance.extensions import config as extensions
from appliance.inbound_routes import config as inbound_routes
from appliance.internal_routes import config as internal_routes
from appliance.outbound_routes import config as outbound_routes
from appliance.sip import config as sip
from appliance.trunks import config as trunks


def _prefix() -> str:
    return company.current().external_line_prefix


FILES: dict[str, Callable[[], str]] = {
    "sip.pjsip.conf": sip.pjsip_conf,
    "extensions.pjsip.conf": extensions.pjsip_conf,
    "extensions.auth.pjsip.conf": extensions.auth_conf,
    "trunks.pjsip.conf": trunks.pjsip_conf,
    "trunks.auth.pjsip.conf": trunks.auth_conf,
    "company.extensions.conf": company.extensions_conf,
    "extensions.extensions.conf": extensions.extensions_conf,
    "internal_routes.extensions.conf": lambda: internal_routes.extensions_conf(_prefix()),
    "dialing_profiles.extensions.conf": lambda: dialing_profiles.extensions_conf(_prefix(), company.current().emergency_numbers),
    "outbound_routes.extensions.conf": lambda: outbound_routes.extensions_conf(_prefix()),
    "trunks.extensions.conf": trunks.extensions_conf,
    "blacklists.extensions.conf": blacklists.extensions_conf,
    "inbound_routes.extensions.conf": lambda: inbound_routes.extensions_conf(_prefix()),
}

SECRET = {"extensions.auth.pjsip.conf", "trunks.auth.pjsip.conf"}  # in no difference, log or screen


def rendered() -> dict[str, str]:
    """Every generated file from the rows of this session's snapshot."""
    return {f"bentevi/{name}": build() for name, build in FILES.items()}
