"""Groups of phones that call each other in every way a company does, many groups at once; each call is one short scene."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance import settings
from appliance.telephony import runtime
from appliance.telephony.ami import Connection
from tests.carrier import Carrier
from tests.phones import Phone

TALK_SECONDS = (0.15, 0.9)


@dataclass
class Group:
    """Four extensions and one number outside, which call only each other. `failures` are scenes that did not go as written."""

    number: int
    phones: list[Phone]
    carrier: Carrier
    inbound: str
    outside: str
    dice: random.Random
    failures: list[str] = field(default_factory=list)

    def talk(self) -> None:
        time.sleep(self.dice.uniform(*TALK_SECONDS))

    @property
    def three(self) -> list[Phone]:
        return self.dice.sample(self.phones[:3], 3)


Scene = Callable[[Group], None]


def inside(group: Group) -> None:
    caller, called, _other = group.three
    call = caller.call(called.user)
    there = called.answer()
    group.talk()
    end = group.dice.choice([call, there])
    end.hang_up()
    (there if end is call else call).wait_ended()


def busy(group: Group) -> None:
    caller, called, _other = group.three
    call = caller.call(called.user)
    called.reject(486)
    call.wait_refused()


def given_up(group: Group) -> None:
    caller, called, _other = group.three
    call = caller.call(called.user)
    there = called.wait_ringing()
    group.talk()
    call.hang_up()
    there.wait_ended()


def not_registered(group: Group) -> None:
    group.phones[0].call(str(3000 + group.number)).wait_refused()


def no_such_number(group: Group) -> None:
    group.phones[0].call("7777").wait_refused()


def blind(group: Group) -> None:
    caller, called, other = group.three
    call = caller.call(called.user)
    there = called.answer()
    group.talk()
    there.transfer(other.user)
    third = other.answer()
    there.wait_transferred()
    group.talk()
    call.hang_up()
    third.wait_ended()
    there.wait_ended()


def attended(group: Group) -> None:
    caller, called, other = group.three
    call = caller.call(called.user)
    there = called.answer()
    group.talk()
    consult = called.call(other.user)
    third = other.answer()
    consult.wait_answered()
    group.talk()
    there.transfer_to(consult)
    there.wait_transferred()
    consult.wait_ended()
    group.talk()
    third.hang_up()
    call.wait_ended()


def caller_attended(group: Group) -> None:
    caller, called, other = group.three
    call = caller.call(called.user)
    there = called.answer()
    call.wait_answered()
    group.talk()
    consult = caller.call(other.user)
    third = other.answer()
    consult.wait_answered()
    call.transfer_to(consult)
    call.wait_transferred()
    consult.wait_ended()
    group.talk()
    there.hang_up()
    third.wait_ended()


def received(group: Group) -> None:
    call = group.carrier.call(group.inbound, caller=f"48999990{group.number:03}")
    there = group.phones[0].answer()
    group.talk()
    there.hang_up()
    call.wait_ended()


def received_refused(group: Group) -> None:
    group.carrier.call("4830000000", caller=f"48999990{group.number:03}").wait_refused()


def received_and_transferred(group: Group) -> None:
    call = group.carrier.call(group.inbound, caller=f"48999990{group.number:03}")
    there = group.phones[0].answer()
    group.talk()
    there.transfer(group.phones[1].user)
    third = group.phones[1].answer()
    there.wait_transferred()
    group.talk()
    call.hang_up()
    third.wait_ended()
    there.wait_ended()


def made(group: Group) -> None:
    call = group.phones[0].call(f"0{group.outside}")
    call.wait_answered()
    there = next(leg for leg in reversed(group.carrier.received) if leg.state == "up")
    group.talk()
    end = group.dice.choice([call, there])
    end.hang_up()
    (there if end is call else call).wait_ended()


def made_busy(group: Group) -> None:
    group.carrier.default = "busy"
    group.phones[0].call(f"0{group.outside}").wait_refused()
    group.carrier.default = "answer"


def made_unknown(group: Group) -> None:
    group.carrier.default = 404
    group.phones[0].call(f"0{group.outside}").wait_refused()
    group.carrier.default = "answer"


def made_without_right(group: Group) -> None:
    group.phones[3].call(f"0{group.outside}").wait_refused()


def held(group: Group) -> None:
    caller, called, _other = group.three
    call = caller.call(called.user)
    there = called.answer()
    group.talk()
    there.hold()
    note_hold(called.user, "HOLD")
    group.talk()
    group.talk()
    there.resume()
    note_hold(called.user, "UNHOLD")
    group.talk()
    call.hang_up()
    there.wait_ended()


def to_myself(group: Group) -> None:
    phone = group.phones[0]
    call = phone.call(phone.user)
    there = phone.answer()
    group.talk()
    there.hang_up()
    call.wait_ended()


SCENES: list[Scene] = [inside, inside, inside, busy, given_up, not_registered, no_such_number, blind, attended, caller_attended, received, received,
                       received_refused, received_and_transferred, made, made, made_busy, made_unknown, made_without_right, held, to_myself]  # fmt: skip


def note_hold(user: str, event: str) -> None:
    """What the events process tells queue_log when a phone holds; here the test says it in its place."""
    machine = settings.load()
    line = next(line for line in runtime.command(runtime.control(machine), "core show channels concise").splitlines()
                if line.startswith(f"PJSIP/{user}-"))  # fmt: skip
    channel, uniqueid = line.split("!")[0], line.rpartition("!")[2].strip()
    with Connection().open(machine.ami_port, "bentevi-actions", (machine.secrets / "ami_actions").read_text().strip()) as ami:
        answer = ami.ask({"Action": "QueueLog", "Queue": "NONE", "Event": event, "Uniqueid": uniqueid, "Interface": channel,
                          "Message": f"{time.time():.6f}|{uniqueid}"})  # fmt: skip
        assert answer.succeeded, answer.headers


def play(groups: list[Group], scenes_each: int, stop: threading.Event | None = None) -> None:
    """Every group plays so many scenes, all groups at once."""
    def one(group: Group) -> None:
        deck: list[Scene] = []
        for _number in range(scenes_each):
            deck = deck or group.dice.sample(SCENES, len(SCENES))
            scene = deck.pop()
            try:
                scene(group)
            except AssertionError as why:
                group.failures.append(f"{scene.__name__}: {why}")
                for phone in [*group.phones, group.carrier]:
                    for call in phone.calls:
                        call.hang_up()

    threads = [threading.Thread(target=one, args=(group,)) for group in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
