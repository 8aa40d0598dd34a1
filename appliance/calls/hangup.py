"""Ending a call in progress from the screen, the API or the command line."""

from flask_babel import gettext as _

from appliance import changes, live, settings
from appliance.errors import Busy, Refused
from appliance.telephony import ami


def hang_up(call_id: str) -> None:
    """End every leg of a call, and write down who did. Refused when there is no such call (any more), Busy without Asterisk.

    Only channels of a call that is in the picture are named to Asterisk, never what somebody sent.
    """
    picture = live.now()
    if not picture.is_running:
        raise Busy(_("Asterisk does not answer, or what happens now is not known. Try again in a moment."))
    call = picture.rows("calls").get(call_id)
    with ami.actions(settings.load()) as asterisk:
        channels = [leg["channel"] for leg in call["legs"]] if call else []
        ended = [asterisk.ask({"Action": "Hangup", "Channel": one, "Cause": "16"}).succeeded for one in channels]
    if call is None or not any(ended):
        raise Refused(_("This call is over already."))
    title = " → ".join(leg["endpoint"] or leg["number"] for leg in call["legs"])
    changes.record("calls", 0, title, changes.HUNG_UP, {}, {"call": call_id}, pending=False)
