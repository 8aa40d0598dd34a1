"""Calls of ours to an extension: record a sound after the tone, or hear one. Asked for here, told about by asterisk/dialplan/prompt.conf."""

from datetime import timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from appliance import db as ground
from appliance import live, settings
from appliance.audio_prompts import files, intake
from appliance.audio_prompts.files import FROM_PHONE
from appliance.audio_prompts.model import AudioCall, AudioPrompt
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.extensions.model import Extension
from appliance.telephony import ami

RECORD, PLAY = "record", "play"
RINGING, ANSWERED, KEPT, DROPPED, HEARD, UNANSWERED, LOST = "ringing", "answered", "kept", "dropped", "heard", "unanswered", "lost"
STATES = {
    RINGING: _l("The telephone is ringing…"), ANSWERED: _l("Answered. Speak after the tone…"), KEPT: _l("The recording was taken."),
    DROPPED: _l("The recording was not kept."), HEARD: _l("It was played."), UNANSWERED: _l("Nobody answered, or the telephone is busy."),
    LOST: _l("It is not known how the call ended."),
}
OPEN = (RINGING, ANSWERED)
RING_SECONDS = 30
LONGEST = timedelta(minutes=25)  # ringing, ten minutes of speech, hearing them, thinking


def ask(prompt: AudioPrompt, extension: str, kind: str) -> AudioCall:
    """Ring an extension. Raises Refused when there is none, it is not registered or nothing is there to play; Busy without Asterisk."""
    found = db.session.scalar(select(Extension).where(Extension.number == extension.strip().replace("\0", "")))
    if found is None:
        raise Refused(_("There is no extension “%(number)s”.", number=extension[:20]), field="extension")
    sound = files.playable(prompt.id)
    if kind == PLAY and not sound:
        raise Refused(_("There is no sound to play yet."), field="extension")
    picture = live.now()
    if not picture.is_running:
        raise Busy(_("Asterisk does not answer, or what happens now is not known. Try again in a moment."))
    if not picture.rows("extensions").get(found.number, {}).get("contacts"):
        raise Refused(_("No telephone is registered at extension %(number)s.", number=found.number), field="extension")
    call = AudioCall(audio_prompt_id=prompt.id, at=ground.now(), kind=kind, extension=found.number, state=RINGING)
    db.session.add(call)
    db.session.flush()
    intake.incoming().mkdir(parents=True, exist_ok=True, mode=0o700)
    variables = [f"BENTEVI_AUDIO_CALL={call.id}", f"BENTEVI_SOUND={sound}", f"BENTEVI_RECORD_TO={intake.incoming() / name_of(call)}"]
    with ami.actions(settings.load()) as asterisk:
        answer = asterisk.ask({
            "Action": "Originate", "Channel": f"PJSIP/{found.number}", "Context": "bentevi-audio-call", "Exten": kind, "Priority": 1,
            "Async": "true", "Timeout": RING_SECONDS * 1000, "CallerID": f"Bentevi <{found.number}>", "Variable": variables,
        })
    if not answer.succeeded:
        raise Busy(answer.headers.get("Message", "Asterisk refused the call"))
    return call


def name_of(call: AudioCall) -> str:
    """The file a call records into, of home/audio/incoming/, without its ending."""
    return f"{FROM_PHONE}{call.id}"


def last(prompt_id: int) -> AudioCall | None:
    """The newest call about a sound; one whose end was never told is lost by now."""
    query = select(AudioCall).where(AudioCall.audio_prompt_id == prompt_id).order_by(AudioCall.id.desc()).limit(1)
    return db.session.scalar(query)


def state_of(call: AudioCall) -> str:
    """Its state, LOST when nothing was heard of it for too long."""
    return LOST if call.state in OPEN and call.at < ground.now() - LONGEST else call.state
