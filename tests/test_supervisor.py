"""How long the supervisor waits before it starts a process again: a loop of deaths is slowed down, a single death is not. And that nothing
but its own order ends it."""

import errno
import time

import pytest

from appliance import settings, supervisor
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


@pytest.fixture
def alone(tmp_path):
    """A supervisor of a home where nothing runs."""
    machine = settings.load({"BENTEVI_HOME": str(tmp_path)})
    for folder in (machine.run, machine.log, machine.asterisk):
        folder.mkdir()
    return Supervisor(machine)


def test_one_that_dies_while_the_next_ones_wait_for_it_is_left_behind(alone, monkeypatch):
    """A Redis with a damaged file took everything with it."""
    monkeypatch.setattr(supervisor, "START_SECONDS", 2)
    alone.wanted = [DIES]
    alone.start(DIES)
    alone.wait_for(DIES)
    assert alone.children["dies"].restarts > 0 or "dies" in alone.due


def test_one_that_cannot_begin_has_another_turn_and_a_full_disk_ends_nobody(alone, monkeypatch):
    def full(*_words, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    alone.start(Process("lost", lambda _home: ["/nowhere/at/all"], lambda _home, _pid: False))
    assert "lost" in alone.due and not alone.running
    alone.start(Process("unwritten", full, lambda _home, _pid: False))
    assert "unwritten" in alone.due and not alone.running
    with monkeypatch.context() as patched:
        patched.setattr(supervisor.Path, "write_text", full)
        alone.start(DIES)
    assert "dies" in alone.running
    alone.running["dies"].wait()


def test_what_a_power_cut_left_half_written_is_no_note_of_anything(alone):
    for text in ("", '{"redis": {"pi'):
        supervisor.state_file(alone.settings).write_text(text)
        supervisor.pid_file(alone.settings).write_text(text)
        assert supervisor.read_state(alone.settings) == {} and supervisor.supervisor_pid(alone.settings) is None
