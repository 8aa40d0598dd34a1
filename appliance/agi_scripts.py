"""TABLE of what the dialplan asks during a call: script ← function. And the process that answers, `bentevi-agi`.

A function gets the question and gives back the variables to set; it may read and write rows, one question is one transaction. It runs
on a thread, so that one that waits for the database holds up nobody else; the dialplan waits two seconds at most and goes on without.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from appliance import applying, settings
from appliance.app import bare_app
from appliance.audio_prompts import agi as audio_prompts
from appliance.blacklists import agi as blacklists
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.follow_me import agi as follow_me
from appliance.scheduled_conferences import agi as scheduled_conferences
from appliance.telephony import agi
from appliance.telephony.agi import Asked, Variables
from appliance.users import agi as users
from appliance.voicemail_boxes import agi as voicemail_boxes

log = logging.getLogger("bentevi.agi")

THREADS = 8
ALIVE = "alive"  # asked by `status`

SCRIPTS: dict[str, Callable[[Asked], Variables]] = {
    ALIVE: lambda asked: {},
    "audio_prompts/answered": audio_prompts.answered,
    "audio_prompts/ended": audio_prompts.ended,
    "audio_prompts/recorded": audio_prompts.recorded,
    "audio_prompts/unanswered": audio_prompts.unanswered,
    "blacklists/refused": blacklists.refused,
    "follow_me/always": follow_me.set_always,
    "follow_me/lock": follow_me.set_lock,
    "scheduled_conferences/enter": scheduled_conferences.enter,
    "users/password": users.password,
    "voicemail_boxes/greeting": voicemail_boxes.greeting,
    "voicemail_boxes/left": voicemail_boxes.left,
}


class Unanswered(Exception):
    """The question cannot be answered: nothing is set, and the dialplan goes on as if nobody had been asked."""


def answer(app: Flask, asked: Asked) -> Variables:
    """The variables for one question; commits what its function wrote. Raises Unanswered."""
    function = SCRIPTS.get(asked.script)
    if function is None:
        raise Unanswered(f"nobody answers {asked.script[:60]}")
    with app.app_context():
        try:
            found = function(asked)
            db.session.commit()
            return found
        except (Busy, Refused, SQLAlchemyError) as why:
            db.session.rollback()
            raise Unanswered(f"{asked.script}: {why}") from why


async def main() -> None:
    """Answer until told to stop."""
    machine, app = settings.load(), bare_app()
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    with ThreadPoolExecutor(THREADS) as threads:

        async def ask(asked: Asked) -> Variables:
            try:
                return await loop.run_in_executor(threads, answer, app, asked)
            except Unanswered as why:
                log.warning("%s", why)
                raise ConnectionError from why

        server = await agi.serve(machine.agi_port, applying.secrets().agi_token, ask)
        log.info("answering on port %s", machine.agi_port)
        await over.wait()
        server.close()
        threads.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main())
