"""What screens, printed reports and the console say about a conversation: parties, causes, who ended it. Its steps: story.py."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from appliance.calls import model as calls
from appliance.calls.model import Call
from appliance.numbers import pretty

CAUSES = {  # Q.850, the ones carriers and telephones send
    1: _l("this number does not exist"), 2: _l("no route to that network"), 3: _l("no route to that number"),
    16: _l("normal end"), 17: _l("busy"), 18: _l("the telephone does not answer"), 19: _l("it rang and nobody answered"),
    20: _l("the telephone is not registered"), 21: _l("the call was rejected"), 22: _l("the number has changed"),
    26: _l("answered somewhere else"), 27: _l("the destination is out of order"), 28: _l("the number is incomplete"),
    29: _l("the facility was refused"), 31: _l("normal, without a reason"), 34: _l("no free line"), 38: _l("the network is out of order"),
    41: _l("temporary failure"), 42: _l("the network is congested"), 44: _l("the line asked for is not available"),
    50: _l("not subscribed to this service"), 52: _l("outgoing calls are barred"), 54: _l("incoming calls are barred"),
    55: _l("incoming calls are barred"), 57: _l("not allowed"), 58: _l("not available at the moment"), 63: _l("service not available"),
    65: _l("not supported"), 66: _l("not supported"), 79: _l("not supported"), 88: _l("the two sides do not fit (codec)"),
    102: _l("no answer in time"), 111: _l("protocol error"), 127: _l("the other network gave no reason"),
}


INSIDE_DIGITS = 6  # numbers people dial inside are not longer


def cause(code: int) -> str:
    """Why a call ended, in plain words with the number support asks for; "" when nobody said."""
    if not code:
        return ""
    return _("%(words)s (cause %(code)s)", words=CAUSES.get(code, _("another reason")), code=code)


def party(name: str, number: str) -> str:
    """“2001 Ana” inside, “João (48) 99999-1234” outside, or what is known of the two."""
    shown = pretty(number)
    if name and shown and name != number:
        return f"{number} {name}" if len(number) <= INSIDE_DIGITS else f"{name} {shown}"
    return name or shown or _("withheld number")


def caller(call: Call) -> str:
    """Who called, as named then."""
    return party(call.from_name, call.from_number)


def called(call: Call) -> str:
    """Who was called, as named then; "" when the reached one says the same."""
    same = (call.to_number, call.to_name) == (call.reached_number, call.reached_name)
    return "" if same and call.reached_number else party(call.to_name, call.to_number)


def reached(call: Call) -> str:
    """Who answered last, else who rang last; "" when no telephone rang."""
    return party(call.reached_name, call.reached_number) if call.reached_number or call.reached_name else ""


def ended_by(call: Call) -> str:
    """Who hung up and why: “caller, normal end (cause 16)”."""
    said = [str(calls.SIDES.get(call.hang_up_side, "")), cause(call.cause)]
    return ", ".join(text for text in said if text)
