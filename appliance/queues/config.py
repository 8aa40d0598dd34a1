"""Queues → sections of queues.conf and contexts of the dialplan. Members are put in while Asterisk runs (members.py)."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance.audio_prompts import files
from appliance.db import db
from appliance.destinations import facts
from appliance.moh_classes.model import class_name
from appliance.queues.model import ALWAYS, FEWEST_CALLS, LEAST_RECENT, LINEAR, RANDOM, RING_ALL, ROTATE, WHILE_RINGING, Queue
from appliance.telephony.render import render

# Asterisk does not report a strategy it does not know. `rrordered` is `rrmemory` whose members are also listed in their order (members.py compares it).
STRATEGY_WORDS = {RING_ALL: "ringall", ROTATE: "rrordered", LEAST_RECENT: "leastrecent", FEWEST_CALLS: "fewestcalls", RANDOM: "random",
                  LINEAR: "linear"}  # fmt: skip
# Options of Queue(): the member who answers may transfer and park, the call goes on here when that member hangs up first.
OPTIONS = "ctk"
RING_OPTIONS = {ALWAYS: "r", WHILE_RINGING: "R"}
RETRY_SECONDS = 1  # `retry` of queues.queues.conf.j2
ABSENT = ("paused", "invalid", "unavailable", "unknown")  # who waits leaves when all are; without a destination for it he stays
DEFAULT_ANNOUNCEMENT = "queue-periodic-announce"


def queues_conf() -> str:
    """Every queue in order of id, each with both of its sections."""
    return render("queues.queues.conf.j2", queues=[_section(row) for row in _rows()])


def extensions_conf(prefix: str) -> str:
    """The numbers of the queues, and what becomes of a call in each."""
    return render("queues.extensions.conf.j2", prefix=prefix, queues=[_context(row) for row in _rows()])


def _rows() -> list[Queue]:
    return list(db.session.scalars(select(Queue).order_by(Queue.id)))


def _section(row: Queue) -> SimpleNamespace:
    full = (row.overflow.get("on_full") or {}).get("max_waiting")
    return SimpleNamespace(
        word="queues", id=row.id, sections=[
            {"name": name, "strategy": STRATEGY_WORDS[row.strategy] if name == row.section else strategy}
            for name, strategy in ((f"queue-{row.id}", "random"), (f"queue-{row.id}-2", "linear"))],
        ring_seconds=_attempt_seconds(row),
        wrap_up_seconds=row.wrap_up_seconds, max_waiting=full or 0, weight=row.queue_weight, autofill=row.autofill, ring_in_use=row.ring_in_use,
        service_level_seconds=row.service_level_seconds, moh_class=class_name(row.moh_class_id),
        leave_when_empty=",".join(ABSENT) if row.overflow.get("on_no_agents") else "no",
        announce_seconds=row.announce_seconds if row.announce_wait or row.announce_position else 0,
        announce_wait=row.announce_wait, announce_position=row.announce_position,
        periodic=(files.playable(row.periodic_prompt_id) or DEFAULT_ANNOUNCEMENT) if row.periodic_announcement else "",
        periodic_seconds=row.periodic_seconds,
    )


def _attempt_seconds(row: Queue) -> int:
    """How long one attempt rings. Asterisk announces nothing while telephones ring, only between two attempts, with a pause of a second. Where
    all ring, an attempt more changes nothing but that, so they are as long as fits into the time between two announcements; where the end of
    an attempt moves the call to the next member, the ring time stays what the row says."""
    times = [row.announce_seconds] if row.announce_wait or row.announce_position else []
    times += [row.periodic_seconds] if row.periodic_announcement else []
    if row.strategy != RING_ALL or not times:
        return row.ring_timeout_seconds
    every = min(times)
    attempts = -(-every // (row.ring_timeout_seconds + RETRY_SECONDS))
    return every // attempts - RETRY_SECONDS


def _context(row: Queue) -> SimpleNamespace:
    full, on_no_agents = row.overflow.get("on_full") or {}, row.overflow.get("on_no_agents")
    targets = {"timeout": row.overflow.get("on_timeout"), "full": full.get("destination"), "nobody": on_no_agents}
    return SimpleNamespace(
        word="queues", id=row.id, number=row.number, section=row.section, options=OPTIONS + RING_OPTIONS.get(row.ring_tone_mode, ""),
        max_wait_seconds=row.max_wait_seconds, max_waiting=full.get("max_waiting") or 0, ring_in_use=row.ring_in_use,
        leads_on=bool(on_no_agents or row.overflow_queues), recording=row.recording, helpers="-".join(map(str, row.overflow_queues)),
        **{name: facts(target) if target else None for name, target in targets.items()},
    )
