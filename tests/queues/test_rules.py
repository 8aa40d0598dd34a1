"""What a queue refuses, what takes effect at once, and what Asterisk is told."""

import pytest

from appliance import changes, sitefile
from appliance.db import db
from appliance.errors import Refused
from appliance.queues import config
from appliance.queues.model import STRATEGIES
from appliance.resource import TABLE
from appliance.telephony.check import STRATEGIES as KNOWN
from tests.build import change, make_extension, make_queue

pytestmark = pytest.mark.usefixtures("app")


def refusal(**values):
    """What a new queue is refused with, field → text."""
    with pytest.raises(Refused) as why:
        TABLE["queues"].create({"name": "Suporte", "number": "2000"} | values)
    db.session.rollback()
    return why.value.messages


def test_a_queue_number_is_digits(app):
    """QUE-01: a non-numeric queue number is refused, and one that somebody has."""
    assert "number" in refusal(number="20a")
    make_extension("2000")
    assert "2000" in refusal()["number"]


@pytest.mark.parametrize("name", ["on_timeout", "on_no_agents", "on_full", "overflow_queues"])
def test_a_queue_cannot_overflow_into_itself(app, name):
    """QUE-16, QUE-20: refused with the queue's name, at the field."""
    row = make_queue("2000", name="Suporte")
    values = {"overflow_queues": ["Suporte"]} if name == "overflow_queues" else {"overflow": {
        name: {"max_waiting": 2, "destination": {"queue": "Suporte"}} if name == "on_full" else {"queue": "Suporte"}}}
    with pytest.raises(Refused, match="Suporte") as why:
        TABLE["queues"].update(row, values)
    db.session.rollback()
    assert next(iter(why.value.messages)).split("-")[0] in ("overflow", "overflow_queues")


def test_half_of_an_overflow_when_full_is_refused(app):
    """QUE-18: a destination needs a limit; a limit alone ends the call."""
    assert "overflow-on_full-max_waiting" in refusal(overflow={"on_full": {"destination": {"hangup": True}}})
    make_queue("2000", overflow={"on_full": {"max_waiting": 2}})
    assert "exten => full,1" in config.extensions_conf("") and "\nmaxlen = 2\n" in config.queues_conf()


def test_members_are_extensions_each_once_and_not_thousands(app):
    """QUE-22: an unknown one, one twice, and 10,000 are refused with words; nothing is stored."""
    make_extension("1001")
    assert "members-0-extension" in refusal(members=[{"extension": "9999"}])
    assert "members-1-extension" in refusal(members=[{"extension": "1001"}, {"extension": "1001"}])
    told = refusal(members=[{"extension": "1001"}] * 10_000)["members"]
    assert "300" in told and "10000" in told
    text = "bentevi: 1\nqueues:\n  - name: Suporte\n    number: '2000'\n    members:\n" + "      - {extension: '1001'}\n" * 10_000
    with pytest.raises(sitefile.Mistakes, match="queues") as why:
        sitefile.load(text)
    db.session.rollback()
    assert len(why.value.found) == 1 and not list(TABLE["queues"].rows())


def test_a_change_of_members_waits_for_no_apply_and_others_do(app):
    """QUE-22: members, pause and penalty are in force at once."""
    row = make_queue("2000", make_extension("1001"), make_extension("1002"))
    db.session.execute(db.delete(changes.Change))
    db.session.commit()
    change(row, members=[{"extension": "1002", "paused": True, "penalty": 2}, {"extension": "1001"}])
    assert not changes.pending()
    last = db.session.scalars(db.select(changes.Change)).one()
    assert [line["extension"] for line in last.before["members"]] == ["1001", "1002"], "and stands in the trail"
    change(row, members=[{"extension": "1001"}], wrap_up_seconds=9)
    assert [one.word for one in changes.pending()] == ["queues"]


def test_an_extension_that_is_a_member_cannot_be_deleted(app):
    """QUE-22: the queue is named."""
    ana = make_extension("1001")
    make_queue("2000", ana, name="Suporte")
    with pytest.raises(Refused, match="Suporte"):
        TABLE["extensions"].delete(ana)
    db.session.rollback()


def test_every_strategy_has_a_word_that_asterisk_knows(app):
    """QUE-09: Asterisk itself does not report one it does not know."""
    assert set(config.STRATEGY_WORDS) == set(STRATEGIES) and set(config.STRATEGY_WORDS.values()) <= set(KNOWN)


def test_what_a_row_becomes_in_queues_conf(app):
    """QUE-02 to QUE-05, QUE-08 to QUE-15, QUE-18, QUE-19, QUE-28: each field has its line; members stand in none."""
    row = make_queue("2000", make_extension("1001"), strategy="linear", ring_timeout_seconds=20, wrap_up_seconds=7, queue_weight=3, autofill=False,
                     ring_in_use=True, announce_position=True, announce_seconds=30, periodic_announcement=True, periodic_seconds=20,
                     service_level_percent=90, service_level_seconds=25, abandon_seconds=4, caller_id="(48) 3013-9018",
                     overflow={"on_no_agents": {"hangup": True}, "on_full": {"max_waiting": 4, "destination": {"hangup": True}}})  # fmt: skip
    text = config.queues_conf()
    unordered, ordered = (f"[queue-{row.id}]\nstrategy = random", f"[queue-{row.id}-2]\nstrategy = linear")
    assert unordered in text and ordered in text and "member" not in text
    for line in ("timeout = 20", "wrapuptime = 7", "weight = 3", "autofill = no", "ringinuse = yes", "maxlen = 4", "servicelevel = 25",
                 "announce-position = yes", "announce-holdtime = no", "announce-frequency = 30", "periodic-announce = queue-periodic-announce",
                 "periodic-announce-frequency = 20", "announce-to-first-user = yes",
                 "leavewhenempty = paused,invalid,unavailable,unknown", "musicclass = default"):  # fmt: skip
        assert f"\n{line}\n" in text, line
    assert f"Gosub(bentevi-queue-available,s,1(queue-{row.id}-2,yes))" in config.extensions_conf("")
    change(row, ring_in_use=False, strategy="ring_all")
    assert f"Gosub(bentevi-queue-available,s,1(queue-{row.id},no))" in config.extensions_conf("") and row.section == f"queue-{row.id}"
    change(row, overflow={})
    assert "\njoinempty = yes\n" in config.queues_conf() and "\nleavewhenempty = no\n" in config.queues_conf()
    assert "bentevi-queue-available" not in config.extensions_conf(""), "who is sent nowhere waits, whoever is there"
    assert row.caller_id == "4830139018" and (row.service_level_percent, row.abandon_seconds) == (90, 4)


@pytest.mark.parametrize("ring,announce,periodic,attempt", [
    (15, 0, 0, 15), (15, 0, 20, 9), (60, 0, 20, 19), (15, 60, 0, 14), (120, 60, 10, 9), (5, 15, 0, 4), (15, 3600, 0, 15),
])
def test_attempts_end_when_an_announcement_is_due(app, ring, announce, periodic, attempt):
    """QUE-14, QUE-15: where all ring; with one member after the other the ring time counts (QUE-10)."""
    row = make_queue("2000", ring_timeout_seconds=ring, announce_position=bool(announce), announce_seconds=announce or 60,
                     periodic_announcement=bool(periodic), periodic_seconds=periodic or 60)  # fmt: skip
    assert f"\ntimeout = {attempt}\n" in config.queues_conf()
    change(row, strategy="rotate")
    assert f"\ntimeout = {ring}\n" in config.queues_conf()
