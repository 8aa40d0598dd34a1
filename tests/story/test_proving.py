"""SYS-17: a change is tried on the warm shadow, booted cold right after, and taken back when it does not boot; the test call."""

import shutil
import time
from pathlib import Path

import pytest

from appliance import applying, changes, config_files, proving, settings
from appliance import db as ground
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from appliance.revisions.model import FAILED, Revision, last_attempt, newest_number, proved_number
from appliance.telephony import points, readings, runtime, shadow, store, warm
from tests.build import change, company, make_class, make_extension, make_outbound_route, make_profile, make_queue, make_trunk
from tests.records import kill
from tests.story.test_kill_points import wait_warm

pytestmark = pytest.mark.pbx


def wait(ready, seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < ends_at, (settings.load().log / "proving.log").read_text()[-3000:]
        db.session.rollback()
        time.sleep(0.1)


def test_a_change_is_tried_on_the_warm_shadow_and_booted_cold_after(pbx):
    """The value comes from a shadow that was there before; the revision is proved by a boot soon after."""
    row = make_extension("1000", name="Ana")
    pbx.apply()
    db.session.rollback()
    wait_warm()
    change(row, name="Ana Maria", devices=2)
    db.session.rollback()
    pbx.apply()
    number = newest_number()
    assert "Ana Maria" in pbx.ask("pjsip show endpoint 1000")
    wait(lambda: proved_number() == number)
    db.session.rollback()
    wait_warm()
    with warm.taken(settings.load(), number) as trial:
        assert trial and "Ana Maria" in trial.ask("pjsip show endpoint 1000")


def test_what_a_reload_hides_is_taken_back_after_the_cold_boot(pbx, carla):
    """A file that only a boot refuses: the revision before comes back by itself, its rows are pending with the reason."""
    row = make_extension("1000", name="Ana")
    pbx.apply()
    good = newest_number()
    db.session.rollback()
    wait_warm()
    change(row, name="Outra")

    def spoil(point: str) -> None:
        """What passed every check is spoilt behind the apply's back, as a reload would keep it hidden."""
        if point == "commit.after":
            file = store.folder(settings.load(), good + 1) / "etc" / "bentevi" / "extensions.pjsip.conf"
            file.write_text(file.read_text().replace("[1000](bentevi-extension)", "[1000"))

    points.listeners.append(spoil)
    try:
        pbx.apply()
    finally:
        points.listeners.remove(spoil)
    assert newest_number() == good + 1
    db.session.rollback()
    wait(lambda: newest_number() == good)
    wait(lambda: '"Ana"' in pbx.ask("pjsip show endpoint 1000"))
    assert store.in_force(settings.load()) == good
    assert [one.row_id for one in changes.pending()] == [row.id]
    attempt = last_attempt()
    assert attempt.state == FAILED and attempt.findings and [step["name"] for step in attempt.steps][-2:] == ["prove", "return"]
    page = carla.get(f"/apply/{attempt.id}").text
    assert "Provar partida a frio" in page or "Try a cold start" in page
    db.session.rollback()
    pbx.apply()  # the row itself is right
    assert "Outra" in pbx.ask("pjsip show endpoint 1000")


def test_a_machine_on_which_nothing_boots_takes_nothing_back(pbx):
    """When the proved revision does not boot either, the fault is the machine's: what is in force stays."""
    make_extension("1000", name="Ana")
    pbx.apply()
    good = newest_number()
    db.session.execute(db.update(Revision).where(Revision.number < good).values(proved_at=None))
    db.session.execute(db.update(Revision).where(Revision.number == good).values(proved_at=ground.now()))
    db.session.commit()
    assert not applying.take_back(good, [])
    assert newest_number() == good == store.in_force(settings.load())


def test_rows_spliced_into_the_files_before_give_the_bytes_of_a_whole_rendering(pbx):
    """Changed, new, renumbered and deleted extensions; a class, which every extension depends on, renders everything."""
    rows = [make_extension(str(1000 + one)) for one in range(6)]
    other = make_class("Outra", nat=True)
    pbx.apply()
    edits = [
        lambda: change(rows[2], name="Meio", password="another-secret"),
        lambda: make_extension("1003", name="Novo") if TABLE["extensions"].find("1003") is None else change(rows[3], number="9003"),
        lambda: TABLE["extensions"].delete(rows[1]),
        lambda: change(rows[0], **{"class": "Outra"}),
        lambda: change(other, nat=False, ring_timeout_seconds=11),
        lambda: company(external_line_prefix="9"),
        lambda: change(rows[5], number="0001"),
    ]
    for edit in edits:
        edit()
        db.session.commit()
        previous = store.files_of(settings.load(), newest_number())
        touched = changes.touched()
        assert config_files.rendered(previous, touched) == config_files.rendered()
        db.session.rollback()
        pbx.apply()


def test_an_apply_of_one_extension_renders_one(pbx, monkeypatch):
    """The other sections are taken as they are: a mark set in the file in force by hand stays."""
    rows = [make_extension(str(1000 + one)) for one in range(3)]
    pbx.apply()
    previous = dict(store.files_of(settings.load(), newest_number()))
    name = "bentevi/extensions.extensions.conf"
    previous[name] = previous[name].replace("exten => 1001,", "exten => 1001 ,")
    change(rows[0], name="Ana")
    assert "exten => 1001 ," in config_files.rendered(previous, changes.touched())[name]


@pytest.fixture
def outside(pbx, carrier):
    """A trunk to a carrier, a route, and a test call to an echo behind it."""
    trunk = make_trunk("A", carrier.port)
    route = make_outbound_route("Local", {"mask": "9XXXXXXXX", "trunk": "A"})
    make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    company(canary_number="912345678", canary_extension="1000")
    return trunk, route


def test_a_test_call_that_hears_its_echo_lets_the_apply_pass(pbx, carrier, outside):
    """It goes through the live dialplan, as the chosen extension, and is answered by an echo."""
    carrier.echoes = True
    attempt = pbx.apply()
    assert [step["name"] for step in attempt.steps][-1] == "canary"
    assert carrier.calls[-1].media.sent_count > 25
    change(TABLE["extensions"].find("1000"), name="Ana")
    assert "canary" not in [step["name"] for step in pbx.apply().steps]  # nothing that calls pass was touched


@pytest.mark.parametrize(("treatment", "code"), [("answer", "canary_silent"), (486, "canary_not_answered")])
def test_a_test_call_that_fails_returns_the_configuration(pbx, carrier, outside, treatment, code):
    """Refused by the carrier, or answered in silence: the configuration before is live again."""
    carrier.echoes = True
    pbx.apply()
    trunk, _route = outside
    number = newest_number()
    carrier.default, carrier.echoes = treatment, False
    change(trunk, caller_id="4833331111")
    db.session.rollback()
    found = pbx.apply_refused()
    assert [one["code"] for one in found] == [code] and "912345678" in found[0]["text"]
    assert newest_number() == number == store.in_force(settings.load())
    assert "4833331111" not in pbx.ask(f"dialplan show bentevi-trunk-{trunk.id}")
    assert [one.word for one in changes.pending()] == ["trunks"]


@pytest.mark.parametrize(("values", "field"), [
    ({"canary_number": "190", "canary_extension": "1000"}, "canary_number"),
    ({"canary_number": "0192", "canary_extension": "1000"}, "canary_number"),
    ({"canary_number": "*43", "canary_extension": None}, "canary_extension"),
    ({"canary_number": "12a", "canary_extension": "1000"}, "canary_number"),
])
def test_a_test_call_nobody_can_make_is_refused_on_the_form(app, values, field):
    make_extension("1000")
    with pytest.raises(Refused) as refused:
        company(**values)
    assert (refused.value.field or next(iter(refused.value.messages))) == field
    db.session.rollback()


def test_the_shadow_that_is_kept_dies_with_its_keeper(pbx):
    """No second Asterisk is left behind when the process that keeps it is killed; the next one clears its folder."""
    make_extension("1000")
    pbx.apply()
    db.session.rollback()
    wait_warm()
    machine = settings.load()
    folder = next(iter(machine.run.glob("shadow-*")))
    kill("proving")
    wait(lambda: not shadow.Shadow(folder, True).lives())
    wait(lambda: not folder.exists() and warm.offered(machine) == store.in_force(machine))
    (kept,) = machine.run.glob("shadow-*")
    assert kept != folder and shadow.Shadow(kept, True).lives()


def test_the_shadow_that_is_kept_costs_nothing_until_it_is_taken(pbx):
    """It stands still (proc(5): state T), answers whoever takes it."""
    make_extension("1000")
    pbx.apply()
    db.session.rollback()
    wait_warm()
    machine = settings.load()
    (folder,) = machine.run.glob("shadow-*")
    pid = int((folder / "run" / "asterisk.pid").read_text())

    def state() -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    assert state() == "T"
    with warm.taken(machine, store.in_force(machine)) as trial:
        assert trial and "Asterisk 22" in trial.ask("core show version") and state() != "T"


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_an_asterisk_that_just_starts_is_no_reason_to_take_a_revision_back(pbx, monkeypatch, moment):
    """SYS-17: after a power cut, or killed while it is compared: it has not read its queues yet, and what was acknowledged stays."""
    queue = make_queue("2000", make_extension("1000"))
    pbx.apply()
    machine, name = settings.load(), queue.section
    db.session.rollback()
    wait(lambda: proved_number() == newest_number())
    take, wanted = readings.take, [readings.Object("queue", name)]
    verdict = shadow.Verdict([], 0.0, True, take(pbx.ask, wanted))
    assert verdict.readings[wanted[0]]

    def begin_anew() -> None:
        kill("asterisk")
        wait(lambda: runtime.is_running(runtime.control(machine)))

    def taken(ask, objects):
        if moment == "meanwhile":
            begin_anew()
        return take(ask, objects)

    monkeypatch.setattr(readings, "take", taken)
    if moment == "before":
        begin_anew()
    assert not proving.Keeper(machine)._differing(newest_number(), verdict, {})
    wait(pbx.is_booted)


def test_where_memory_is_short_a_shadow_is_not_taken_away_from_an_apply_that_uses_it(app, tmp_path, monkeypatch):
    """SYS-17, SYS-16: on a machine of 2 GB there is no room for another shadow as long as this one lives; every apply failed for that."""
    machine, dropped = settings.load(), []
    keeper = proving.Keeper(machine)
    keeper.held.callback(dropped.append, True)
    keeper.trial, keeper.number = shadow.Shadow(tmp_path, True), 7
    monkeypatch.setattr(store, "in_force", lambda _machine: 7)
    monkeypatch.setattr(proving, "_numbers", lambda: (7, 7))
    monkeypatch.setattr(proving, "has_room", lambda: False)
    monkeypatch.setattr(warm, "withdraw", lambda _machine: None)  # the note is the real keeper's
    with warm.lock(machine, 60) as is_ours:
        assert is_ours
        keeper.turn()
        assert not dropped
    wait(lambda: keeper.turn() or dropped)


def test_where_a_shadow_cannot_be_kept_what_is_proved_is_not_booted_again(app, monkeypatch):
    """SYS-17: on a machine that refuses network namespaces a second Asterisk was started every second, for ever."""
    keeper, booted = proving.Keeper(settings.load()), []
    monkeypatch.setattr(store, "in_force", lambda _machine: 7)
    monkeypatch.setattr(proving, "_numbers", lambda: (7, 7 if booted else 6))
    monkeypatch.setattr(shadow, "isolation", lambda _machine: None)
    monkeypatch.setattr(warm, "withdraw", lambda _machine: None)  # the note is the real keeper's
    monkeypatch.setattr(keeper, "_boot", booted.append)

    def turned() -> list[int]:
        keeper.turn()
        return booted

    wait(turned)  # the real keeper may hold the lock just now
    for _look in range(3):
        keeper.turn()
    assert booted == [7]


def test_a_shadow_whose_folder_is_gone_is_replaced_by_a_cold_one(pbx):
    """SYS-17: a cleaner or a full disk took it; the apply takes longer and passes."""
    row = make_extension("1000", name="Ana")
    pbx.apply()
    db.session.rollback()
    wait_warm()
    for folder in settings.load().run.glob("shadow-*"):
        folder.rename(folder.with_name(f"gone-{folder.name}"))
    try:
        change(row, name="Ana Maria")
        pbx.apply()
        assert "Ana Maria" in pbx.ask("pjsip show endpoint 1000")
    finally:
        kill("proving")
        for folder in settings.load().run.glob("gone-*"):
            shutil.rmtree(folder)
