"""Beginning and ending a test call: the exchange rings the phone, and when it is picked up the echo or the outside call follows."""

import time

from flask_babel import gettext as _

from appliance import changes, lanes, live, settings
from appliance.assistant.live import ECHO, OUTSIDE, uniqueid
from appliance.errors import Busy, Refused
from appliance.extensions.model import Extension
from appliance.telephony import ami

RING_SECONDS = 30
CONTEXTS = {ECHO: "bentevi-echo", OUTSIDE: "bentevi-outside-test"}
AGAIN_SECONDS = 4  # a second press within these means the same call


def begin(kind: str, extension: Extension, number: str = "") -> None:
    """Ring the extension's phone for a test. Refused when its phone is not there, Busy without Asterisk.

    A test that runs already is not begun again: pressing twice rings once.
    """
    picture = live.now()
    if not picture.is_running:
        raise Busy(_("Asterisk does not answer, or what happens now is not known. Try again in a moment."))
    key = f"{kind}-{extension.id}"
    row = picture.rows("tests").get(key)
    if row and not row["is_over"]:
        return
    if not picture.rows("extensions").get(extension.number, {}).get("contacts"):
        raise Refused(_("No phone is registered as %(number)s. Connect it in the step before, or choose another extension.", number=extension.number),
                      field="extension")
    with lanes.needs_redis():
        if not lanes.connection().set(f"test:{key}", "1", nx=True, ex=AGAIN_SECONDS):
            return
    variables = [f"BENTEVI_TEST_NUMBER={number}"] if kind == OUTSIDE else []
    changes.record("extensions", extension.id, f"{extension.number} {extension.name}", "test call", {}, {"test": number or "*43"}, pending=False)
    with ami.actions(settings.load()) as asterisk:
        answer = asterisk.ask({
            "Action": "Originate", "Channel": f"PJSIP/{extension.number}", "ChannelId": uniqueid(kind, extension.id, time.time()),
            "Context": CONTEXTS[kind], "Exten": "s", "Priority": "1", "Timeout": str(RING_SECONDS * 1000), "Async": "true",
            "CallerID": f'"{_("Test call")}" <*43>' if kind == ECHO else f"<{number}>", "Variable": variables,
        })
    if not answer.succeeded:
        raise Busy(answer.headers.get("Message", ""))


def end(kind: str, extension_id: int) -> None:
    """Hang up what is left of a test. Nothing happens when it is over. Raises Busy without Asterisk."""
    row = live.now().rows("tests").get(f"{kind}-{extension_id}")
    if not row or row["is_over"]:
        return
    with ami.actions(settings.load()) as asterisk:
        for leg in row["legs"].values():
            if leg["state"] != "ended":
                asterisk.ask({"Action": "Hangup", "Channel": leg["channel"], "Cause": "16"})
