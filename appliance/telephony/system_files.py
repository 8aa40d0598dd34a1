"""Every file under etc/ that no feature generates: asterisk/fixed, asterisk/dialplan and the empty optional ones.

A generated file is called `WORD.ASTERISK_FILE` (`queues.pjsip.conf`), lies in etc/bentevi/ and is included by that
ASTERISK_FILE; the caller hands over the names and the include lines follow in the caller's order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance import ports
from appliance.ports import Ports
from appliance.settings import CHECKOUT, Settings
from appliance.telephony import runtime
from appliance.telephony.render import render

FIXED = CHECKOUT / "asterisk" / "fixed"
DIALPLAN = CHECKOUT / "asterisk" / "dialplan"

# Asterisk logs an ERROR for each optional file that is absent, which would drown the errors that matter.
EMPTY = (
    "amd.conf", "ccss.conf", "cli.conf", "cli_aliases.conf", "cli_permissions.conf", "codecs.conf",
    "dnsmgr.conf", "dsp.conf", "enum.conf", "extconfig.conf", "geolocation.conf", "pjproject.conf",
    "pjsip_notify.conf", "pjsip_wizard.conf", "res_fax.conf", "res_http_media_cache.conf", "say.conf", "sorcery.conf",
    "statsd.conf", "udptl.conf",
)  # fmt: skip

# The files that include generated parts; a part for any other file would be read by nobody.
TAKES_PARTS = (
    "pjsip.conf", "extensions.conf", "features.conf", "res_parking.conf", "queues.conf", "queuerules.conf",
    "confbridge.conf", "musiconhold.conf", "voicemail.conf",
)  # fmt: skip

SECRET_FILES = frozenset({"manager.conf", "bentevi-secrets.extensions.conf"})


@dataclass(frozen=True)
class Secrets:
    """What the machine keeps to itself. Never printed: repr shows nothing."""

    ami_actions: str = field(repr=False)
    ami_events: str = field(repr=False)
    agi_token: str = field(repr=False)


def system_files(settings: Settings, secrets: Secrets, generated: Iterable[str] = (), used: Ports | None = None) -> dict[str, str]:
    """Path under etc/ → text, of everything that is no feature. `generated` names the parts to include, in order; `used` the ports, when they
    are not those of the environment.

    Raises ValueError for a part whose main file takes none, Busy when no Asterisk is installed (its folders are named
    in asterisk.conf).
    """
    values = _values(settings, secrets, used or ports.of_machine(settings)) | {"parts": _parts(generated), "dialplan": dialplan_names()}
    files = dict.fromkeys(EMPTY, "; Nothing is set here; it stands so that Asterisk does not report it missing.\n")
    for source in sorted(FIXED.glob("*.conf*")):
        files[source.name.removesuffix(".j2")] = _text(source.name, values)
    for source in sorted(DIALPLAN.glob("*.conf*")):
        files[f"dialplan/{source.name.removesuffix('.j2')}"] = _text(source.name, values)
    return files


def dialplan_names() -> list[str]:
    """The hand-written contexts by file name, in the order they are read."""
    return sorted(source.name.removesuffix(".j2") for source in DIALPLAN.glob("*.conf*"))


def _values(settings: Settings, secrets: Secrets, used: Ports) -> dict[str, object]:
    return {
        "home": settings.asterisk,
        "modules": runtime.modules_folder(settings),
        "has_khomp_driver": runtime.khomp_driver(settings) is not None,
        "bind": settings.bind,
        "sip_port": used.sip,
        "rtp_start": used.rtp_start,
        "rtp_end": used.rtp_end,
        "ami_port": settings.ami_port,
        "agi_port": settings.agi_port,
        "ws_port": settings.ws_port,
        "ami_actions_secret": secrets.ami_actions,
        "ami_events_secret": secrets.ami_events,
        "agi_token": secrets.agi_token,
    }


def _parts(generated: Iterable[str]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {name: [] for name in TAKES_PARTS}
    for name in generated:
        main = next((main for main in parts if name.endswith(f".{main}")), "")
        if not main:
            raise ValueError(f"{name}: its main file includes no generated parts; add it to TAKES_PARTS and to asterisk/fixed")
        parts[main].append(name)
    return parts


def _text(name: str, values: dict[str, object]) -> str:
    """A `.j2` file is rendered; any other is shipped as it is, `${` and all, under the same first line."""
    if name.endswith(".j2"):
        return render(name, **values)
    folder = FIXED if (FIXED / name).exists() else DIALPLAN
    return f"; template: {name}\n{(folder / name).read_text(encoding='utf-8')}"
