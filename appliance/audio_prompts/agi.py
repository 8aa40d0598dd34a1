"""What the dialplan tells about calls to record or hear a sound (asterisk/dialplan/prompt.conf). The argument is the call's id."""

from appliance.audio_prompts import calls, intake
from appliance.audio_prompts.calls import ANSWERED, DROPPED, HEARD, KEPT, OPEN, RECORD, UNANSWERED
from appliance.audio_prompts.model import AudioCall, AudioPrompt
from appliance.db import db
from appliance.telephony.agi import Asked, Variables


def answered(asked: Asked) -> Variables:
    """audio_prompts/answered: somebody took the telephone up."""
    return _ended(asked, ANSWERED)


def unanswered(asked: Asked) -> Variables:
    """audio_prompts/unanswered: nobody did."""
    return _ended(asked, UNANSWERED)


def ended(asked: Asked) -> Variables:
    """audio_prompts/ended: the call is over without anything to keep."""
    call = _open_call(asked)
    return _ended(asked, DROPPED if call and call.kind == RECORD else HEARD)


def recorded(asked: Asked) -> Variables:
    """audio_prompts/recorded: what was spoken is to be kept. Told twice it counts once."""
    call = _open_call(asked)
    prompt = db.session.get(AudioPrompt, call.audio_prompt_id) if call else None
    own = f"{calls.name_of(call)}.wav" if call else ""
    if call is None or prompt is None or call.kind != RECORD or not (intake.incoming() / own).is_file():
        return _ended(asked, DROPPED)
    intake.take(prompt, own, call.extension)
    call.state = KEPT
    return {}


def _open_call(asked: Asked) -> AudioCall | None:
    number = asked.arguments[0] if asked.arguments else ""
    call = db.session.get(AudioCall, int(number)) if number.isdigit() else None
    return call if call and call.state in OPEN else None


def _ended(asked: Asked, state: str) -> Variables:
    call = _open_call(asked)
    if call:
        call.state = state
    return {}
