"""How long the supervisor waits before it starts a process again: a loop of deaths is slowed down, a single death is not."""

import time

import pytest

from appliance import settings
from appliance.processes import Process
from appliance.supervisor import Supervisor

DIES = Process("dies", lambda _home: ["false"], lambda _home, _pid: False)


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([3600], [0]),
        ([1, 1, 1, 1], [0, 1, 2, 4]),
        ([1] * 9, [0, 1, 2, 4, 8, 16, 30, 30, 30]),
        ([50] * 9, [0] * 9),  # killed again and again, but well in between: telephony does not wait
        ([1, 1, 1, 50, 1, 1], [0, 1, 2, 0, 0, 1]),
    ],
)
def test_only_short_lives_in_a_row_make_the_pause_longer(home, lives, pauses):
    watch, waited = Supervisor(settings.load()), []
    watch.write_state = lambda: None  # the state of this home is its own supervisor's
    for seconds in lives:
        watch.start(DIES)
        watch.running["dies"].wait()
        watch.children["dies"].started_at = time.time() - seconds
        watch.died(DIES, watch.running["dies"])
        waited.append(watch.children["dies"].pause_seconds)
        assert watch.due.pop("dies") <= time.monotonic() + waited[-1]
    assert waited == pauses
