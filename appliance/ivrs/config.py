"""IVRs → contexts of the dialplan."""

from math import ceil
from types import SimpleNamespace

from sqlalchemy import select

from appliance.audio_prompts.files import playable
from appliance.audio_prompts.model import AudioPrompt
from appliance.blacklists.model import Blacklist
from appliance.db import db
from appliance.destinations import facts
from appliance.ivrs.model import Ivr
from appliance.telephony.render import render

BETWEEN_DIGITS_SECONDS = 3  # of a number that is typed; never longer than a first key is waited for


def extensions_conf() -> str:
    """Every one in order of id."""
    withheld = set(db.session.scalars(select(Blacklist.id).where(Blacklist.block_withheld)))
    return render("ivrs.extensions.conf.j2", ivrs=[_shown(row, withheld) for row in db.session.scalars(select(Ivr).order_by(Ivr.id))])


def _shown(row: Ivr, withheld: set[int]) -> SimpleNamespace:
    return SimpleNamespace(
        word="ivrs", id=row.id, number=row.number, blacklists="-".join(map(str, row.blacklists or ())),
        withheld=next((one for one in row.blacklists or () if one in withheld), ""),
        greeting=playable(row.greeting_prompt_id), greeting_seconds=_whole_seconds(row.greeting_prompt_id),
        sound=playable(row.prompt_id), seconds=_whole_seconds(row.prompt_id) + row.timeout_seconds,
        invalid_sound=playable(row.invalid_prompt_id), timeout_sound=playable(row.timeout_prompt_id) or playable(row.invalid_prompt_id),
        exceeded_sound=playable(row.attempts_exceeded_prompt_id), between_digits=min(BETWEEN_DIGITS_SECONDS, row.timeout_seconds),
        attempts=row.attempts, dial_extension=row.dial_extension, rating_id=row.rating_id or "",
        options=[{"key": key, "destination": facts(stored)} for key, stored in (row.options or {}).items()],
        default=facts(row.default_stored) if row.default_stored else {"kind": "hangup"},
    )


def _whole_seconds(prompt_id: int | None) -> int:
    """How long a sound lasts, rounded up: ReadExten counts from where it begins to play, in whole seconds."""
    row = db.session.get(AudioPrompt, prompt_id) if prompt_id else None
    return ceil(row.seconds or 0) if row and row.file else 0
