"""Random real actions on the exchange: phones and a carrier that call, hold, transfer, go away; and processes that die."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import redis

from appliance import settings
from appliance.db import db
from appliance.front_door import status
from appliance.supervisor import read_state
from appliance.telephony import runtime
from tests.calls import ENDED, RINGING, UP, Call
from tests.carrier import Carrier
from tests.phones import Phone

OUTSIDE = ("48999990001", "48999990002", "4833330003")  # the carrier answers, leaves ringing, refuses
MOST_CALLS = 6
RECOVERS_SECONDS = 60.0


class Player:
    """`act()` does one thing that is possible now and says what it was. `numbers` are channels of trunks → digits."""

    def __init__(self, seed: int, phones: list[Phone], carrier: Carrier) -> None:
        self.random = random.Random(seed)
        self.phones, self.carrier = phones, carrier
        self.registered = {phone.user for phone in phones}
        carrier.treats(OUTSIDE[1], "ring")
        carrier.treats(OUTSIDE[2], "busy")
        self.disturbances = 0

    # -- what there is

    def legs(self, *states: str) -> list[Call]:
        """Legs of extensions in one of these states."""
        return [call for phone in self.phones for call in phone.calls if call.state in states]

    def idle(self) -> list[Phone]:
        return [phone for phone in self.phones if phone.user in self.registered and all(call.state == ENDED for call in phone.calls)]

    def calls_count(self) -> int:
        return sum(call.is_outgoing and call.state != ENDED for phone in (*self.phones, self.carrier) for call in phone.calls)

    # -- what can be done

    def act(self) -> str:
        """One random action among those that make sense now."""
        possible: list[tuple[int, Callable[[], str]]] = []
        idle, up = self.idle(), self.legs(UP)
        ringing = [call for call in self.legs(RINGING) if not call.is_outgoing]
        held, free_up = [call for call in up if call.is_on_hold], [call for call in up if not call.is_on_hold]
        if self.calls_count() < MOST_CALLS:
            possible += [(4, self.call_inside), (2, self.call_out)] if idle else []
            possible += [(2, self.call_in)]
        possible += [(6, lambda: self.answer(self.random.choice(ringing))), (1, lambda: self.refuse(self.random.choice(ringing)))] if ringing else []
        possible += [(3, lambda: self.hold(self.random.choice(free_up)))] if free_up else []
        possible += [(3, lambda: self.resume(self.random.choice(held)))] if held else []
        if free_up and len(idle) > 1:
            possible += [(2, lambda: self.transfer(self.random.choice(free_up))), (2, lambda: self.attended(self.random.choice(free_up)))]
        possible += [(3, lambda: self.hang_up(self.random.choice(self.legs(UP, RINGING))))] if self.legs(UP, RINGING) else []
        possible += [(1, lambda: self.unregister(self.random.choice(idle)))] if len(self.registered) > 3 and idle else []
        absent = [phone for phone in self.phones if phone.user not in self.registered]
        possible += [(2, lambda: self.register(self.random.choice(absent)))] if absent else []
        return self.random.choices([act for _weight, act in possible], [weight for weight, _act in possible])[0]()

    def call_inside(self) -> str:
        caller = self.random.choice(self.idle())
        number = self.random.choice([phone.user for phone in self.phones if phone is not caller])
        caller.call(number)
        return f"{caller.user} calls {number}"

    def call_out(self) -> str:
        caller, number = self.random.choice(self.idle()), self.random.choice(OUTSIDE)
        caller.call("0" + number)
        return f"{caller.user} calls outside {number}"

    def call_in(self) -> str:
        number = f"483000{self.random.randrange(10000):04}"
        self.carrier.call("4830139018", caller=number)
        return f"{number} calls in"

    def answer(self, call: Call) -> str:
        call.answer()
        return f"{call.phone.user} answers"

    def refuse(self, call: Call) -> str:
        call.reject()
        return f"{call.phone.user} refuses"

    def hold(self, call: Call) -> str:
        call.hold()
        return f"{call.phone.user} holds"

    def resume(self, call: Call) -> str:
        call.resume()
        return f"{call.phone.user} resumes"

    def hang_up(self, call: Call) -> str:
        call.hang_up()
        return f"{call.phone.user} hangs up"

    def transfer(self, call: Call) -> str:
        target = self.random.choice([phone for phone in self.idle() if phone is not call.phone])
        code = call.transfer(target.user)
        return f"{call.phone.user} transfers to {target.user}: {code}"

    def attended(self, call: Call) -> str:
        target = self.random.choice([phone for phone in self.idle() if phone is not call.phone])
        call.hold()
        second = call.phone.call(target.user)
        target.answer()
        second.wait_answered()
        code = call.transfer_to(second)
        for leg in (call, second):
            leg.wait_ended()
        return f"{call.phone.user} joins its call with {target.user}: {code}"

    def unregister(self, phone: Phone) -> str:
        phone.unregister()
        self.registered.discard(phone.user)
        return f"{phone.user} unregisters"

    def register(self, phone: Phone) -> str:
        phone.register()
        self.registered.add(phone.user)
        return f"{phone.user} registers"

    # -- what goes wrong

    def disturb(self, name: str) -> str:
        """Kill -9 of a process by name, or `restart` of Asterisk, or `empty` for a Redis without live state."""
        self.disturbances += 1
        machine = settings.load()
        if name == "empty":
            with redis.Redis.from_url(machine.redis_url) as store:
                kept = {key: (store.dump(key), store.pttl(key)) for key in store.scan_iter("session:*")}
                with store.pipeline(transaction=True) as all_at_once:
                    all_at_once.flushall()
                    for key, (value, ttl) in kept.items():
                        all_at_once.restore(key, max(ttl, 0), value)
                    all_at_once.execute()
            return "Redis is emptied"
        if name == "restart":
            runtime.command(runtime.control(machine), "core stop now")
        else:
            os.kill(read_state(machine)[name].pid, signal.SIGKILL)
        if name in ("restart", "asterisk"):
            self._mourn()
        return f"{name} is killed"

    def _mourn(self) -> None:
        """Asterisk is gone, and with it every call: the phones notice."""
        for phone in (*self.phones, self.carrier):
            with phone.wire.changed:
                for call in phone.calls:
                    call._over(503, "The exchange is gone", "there")  # nobody is left who could answer a BYE or a CANCEL


def until(found: Callable[[], Any], seconds: float) -> Any:
    """The first true answer, or the last one after that time."""
    ends_at = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < ends_at:
        time.sleep(0.05)
    return answer


def everything_answers() -> None:
    """Before the next disturbance."""
    def silent() -> list[str]:
        db.session.rollback()  # a transaction of the test's own would keep the pages from answering
        return [entry["name"] for entry in status(settings.load()) if not entry["answers"]]

    assert until(lambda: not silent(), RECOVERS_SECONDS), silent()
