"""TABLE: AMI event → functions; and the process `bentevi-events`, the only one that listens to Asterisk's events.

It folds events into the picture of appliance/live.py. Asterisk repeats nothing, so after every gap (a lost connection,
events dropped, a restart, a reload) the picture is built anew from what Asterisk answers when asked, while the events
that come meanwhile wait their turn; a fold may therefore see an event that its list already held.
"""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from appliance import applying, live, settings
from appliance import db as ground
from appliance.addresses import watch
from appliance.app import bare_app
from appliance.assistant import live as tests
from appliance.calls import live as calls
from appliance.company import protocol
from appliance.db import db
from appliance.errors import Busy
from appliance.extensions import live as extensions
from appliance.khomp_boards import live as khomp_boards
from appliance.queues import live as queues
from appliance.queues import members
from appliance.recordings import live as recordings
from appliance.telephony import ami
from appliance.telephony.ami import Connection, Headers
from appliance.trunks import live as trunks

log = logging.getLogger("bentevi.events")

Fold = Callable[[Headers], None]


def originate_answered(event: Headers) -> None:
    """The answer to an Originate, kept for whoever asked: a Redis stream by ActionID, an hour long."""
    name = f"originate:{event.get('ActionID', '')}"
    with live.connection().pipeline(transaction=True) as send:
        send.xadd(name, {"event": json.dumps(event)})
        send.expire(name, 3600)
        send.execute()


EVENTS: dict[str, list[Fold]] = {
    "Newchannel": [calls.channel_began, tests.channel_began],
    "Newstate": [calls.channel_changed, tests.channel_changed],
    "NewCallerid": [calls.channel_changed],
    "NewConnectedLine": [calls.channel_changed],
    "Rename": [calls.channel_renamed],
    "DialBegin": [calls.dial_began],
    "BridgeEnter": [calls.bridge_entered, recordings.bridge_entered],
    "BridgeLeave": [calls.bridge_left, recordings.bridge_left],
    "MixMonitorStart": [recordings.monitor_began],
    "MixMonitorStop": [recordings.monitor_ended],
    "Hold": [calls.held, calls.hold_noted],
    "Unhold": [calls.unheld, calls.hold_noted],
    "Hangup": [calls.channel_ended, recordings.channel_ended, tests.channel_ended],
    "DeviceStateChange": [extensions.device_changed],
    "ContactStatus": [extensions.contact_changed, trunks.contact_changed],
    "Registry": [trunks.registration_changed],
    "QueueCallerJoin": [queues.caller_joined],
    "QueueCallerLeave": [queues.caller_left],
    "QueueMemberAdded": [queues.member_changed],
    "QueueMemberStatus": [queues.member_changed],
    "QueueMemberPause": [queues.member_changed],
    "QueueMemberPenalty": [queues.member_changed],
    "QueueMemberRinginuse": [queues.member_changed],
    "QueueMemberRemoved": [queues.member_removed],
    "OriginateResponse": [originate_answered],
    "UserEvent": [tests.told],
    "ChannelTalkingStart": [tests.talked],
    "InvalidAccountID": [watch.guessed],
    "InvalidPassword": [watch.guessed],
    "ChallengeResponseFailed": [watch.guessed],
}

# What is asked, in this order, to know everything again; each gets the function that asks Asterisk and the old rows.
REBUILDERS = [extensions.rebuild, trunks.rebuild, khomp_boards.rebuild, calls.rebuild, recordings.rebuild, queues.rebuild, tests.rebuild]

BOOT_SECONDS = 120.0  # Asterisk loads its modules after it lets us in
PING_SECONDS, PING_ANSWER_SECONDS = 5.0, 5.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STEADY_SECONDS = 0.05, 2.0, 10.0
RELOAD_SETTLES_SECONDS = 0.3
RETRY_SECONDS = 2.0
QUIET_RELOADS = {"acl"}  # change nothing the picture shows


class Listener:
    """One connection after another, and the picture true as long as one stands."""

    def __init__(self, machine: settings.Settings, secret: str) -> None:
        self.machine, self.secret = machine, secret
        self._folding = threading.Lock()
        self._booted, self._stirred = threading.Event(), threading.Event()
        self._has_queues = threading.Event()
        self._lost = self._outdated = self._is_copied = False
        self._number = 0  # of the connection: what an old one still held counts no more
        self.connection = Connection()

    def run(self) -> None:
        """Connect, rebuild, follow; when that ends, again with a growing pause."""
        live.writer.take_over()
        khomp_boards.follow()
        watch.follow()
        threading.Thread(target=self._ask_for_ever, daemon=True, name="questions").start()
        threading.Thread(target=self._put_members_for_ever, daemon=True, name="members").start()
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                self._session()
            except Busy as why:
                log.info("Asterisk: %s", why)
            self._say_stopped()
            time.sleep(pause)
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _session(self) -> None:
        """One connection, until it is lost. Raises Busy."""
        self._booted.clear()
        self._lost = self._outdated = False
        self._number += 1
        self.connection = Connection(partial(self._heard, self._number), partial(self._was_lost, self._number))
        try:
            with self._folding:  # events wait until the picture is there that they change
                self.connection.open(self.machine.ami_port, "bentevi-events", self.secret)
                self._wait_booted()
                self._rebuild()
            self._follow()
        finally:
            self.connection.close()

    def _heard(self, number: int, event: Headers) -> None:
        """One event, on its connection's own thread; what a fold raises is logged there.

        Before everything is loaded events are left out: the picture is built after that.
        """
        name = event.get("Event", "")
        if name == "FullyBooted":
            self._booted.set()
        elif name == "Reload" and event.get("Module") not in QUIET_RELOADS:
            self._outdated = True
            self._stirred.set()
        folds = EVENTS.get(name)
        if not folds or not self._booted.is_set():
            return
        with self._folding:
            if number == self._number and not self._lost:
                for fold in folds:
                    fold(event)

    def _was_lost(self, number: int) -> None:
        if number != self._number:
            return
        self._lost = True
        self._booted.set()
        self._stirred.set()

    def _wait_booted(self) -> None:
        if not self._booted.wait(BOOT_SECONDS) or self._lost:
            raise Busy("it went away, or did not load everything in time")

    def _rebuild(self) -> None:
        """All kinds from Asterisk's answers; readers see the old picture until the new one is complete."""
        began = time.monotonic()
        self._dropped = self.connection.dropped_count
        with live.writer.rebuilding() as old:
            for rebuild in REBUILDERS:
                rebuild(self._ask_list, old)
            since = old.get("exchange", {}).get("asterisk", {})
            live.put("exchange", "asterisk", running=True, since=since["since"] if since.get("running") else time.time())
        self._copy()
        self._has_queues.set()
        log.info("picture built in %.2f s: %s calls", time.monotonic() - began, len(live.rows("calls")))

    def _ask_list(self, action: str, **headers: str) -> list[Headers]:
        """The events or, for an action without a list, the one answer. Empty when Asterisk has nothing to tell."""
        answer = self.connection.ask({"Action": action, **headers}, timeout=30)
        return answer.events or ([answer.headers] if answer.succeeded and "EventList" not in answer.headers else [])

    def _follow(self) -> None:
        """Until the connection is lost: rebuild after gaps, and make sure that Asterisk still answers."""
        while not self._lost:
            self._stirred.wait(PING_SECONDS)
            self._stirred.clear()
            if self._lost:
                return
            if self._outdated:
                time.sleep(RELOAD_SETTLES_SECONDS)
            if self._outdated or self.connection.dropped_count != self._dropped:
                self._outdated = False
                with self._folding:
                    self._rebuild()
            else:
                self.connection.ask({"Action": "Ping"}, timeout=PING_ANSWER_SECONDS)

    def _say_stopped(self) -> None:
        """Without Asterisk nothing is known and no call is possible."""
        with self._folding, live.writer.rebuilding() as old:
            before = old.get("exchange", {}).get("asterisk", {})
            live.put("exchange", "asterisk", running=False, since=time.time() if before.get("running", True) else before["since"])
        self._copy()

    def _copy(self) -> None:
        if not self._is_copied:
            self._is_copied = True
            live.writer.start()

    def _ask_for_ever(self) -> None:
        """Actions that a fold wants and must not wait for, in their order; an answer is folded like an event."""
        while True:
            question = ami.questions.get()
            try:
                answer = self.connection.ask(question.action, timeout=5)
                if question.fold:
                    with self._folding:
                        question.fold(answer)
            except Busy as why:
                log.info("%s was not answered: %s", question.action.get("Action"), why)
            except Exception:
                log.exception("the answer to %s was not understood", question.action.get("Action"))

    def _put_members_for_ever(self) -> None:
        """After each start of Asterisk, and each reload, queues get their members from the rows; and protocol numbers the floor under their count."""
        with bare_app().app_context():
            while True:
                self._has_queues.wait()
                self._has_queues.clear()
                try:
                    protocol.put_least()
                    members.sync()
                except (Busy, *ground.AWAY) as why:
                    db.session.rollback()
                    log.info("members of queues wait: %s", why)
                    time.sleep(RETRY_SECONDS)
                    self._has_queues.set()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main() -> None:
    """Listen until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    Listener(settings.load(), applying.secrets().ami_events).run()


if __name__ == "__main__":
    main()
