"""Putting the rows into force: rows → files → telephony/revision.py, and what is written down about it."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, cast

from flask_babel import gettext as _
from sqlalchemy import CursorResult, delete, select, update

from appliance import changes, config_files, lanes, live, paths, settings, snapshots, sounds
from appliance import db as ground
from appliance import resource as resources
from appliance.addresses import force
from appliance.company import protocol
from appliance.company.model import Company
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.extensions import config as extensions
from appliance.queues import members
from appliance.revisions.model import DONE, FAILED, QUEUED, RUNNING, Attempt, Revision, newest, newest_number, proved_number
from appliance.sip import config as sip
from appliance.telephony import canary, points, revision, runtime, store, system_files
from appliance.telephony.difference import FileDifference, difference
from appliance.telephony.findings import MESSAGES, N_, Finding, finding
from appliance.telephony.render import Unfit
from appliance.trunks.config import trunks

log = logging.getLogger("bentevi.apply")

INTERRUPTED = N_("Interrupted; the revision before stayed in force.")
KEPT_REVISIONS = 200
CALLS_PASS = {"trunks", "inbound_routes", "outbound_routes", "internal_routes", "dialing_profiles"}  # changes a test call proves
MADE_BY = "made-by"  # beside the files of a revision
TAKEN_BACK = (("prove", "failed"), ("return", "done"))
WAIT_SECONDS = 120.0


def secrets() -> system_files.Secrets:
    """What Asterisk's own interfaces are guarded with; generated once per home."""
    folder = settings.load().secrets
    names = ("ami_actions", "ami_events", "agi_token")
    return system_files.Secrets(**{name: ground.secret_file(folder / name, lambda: token_urlsafe(30)) for name in names})


def ask(reason: str = "") -> Attempt:
    """Ask for everything pending to be applied; the worker does it after the commit."""
    attempt = _attempt(reason)
    lanes.put("telephony", "jobs.apply.run", attempt.id)
    return attempt


def now(reason: str = "") -> Attempt:
    """Apply here and now, without worker or Redis: what the CLI and the first start do."""
    attempt = _attempt(reason)
    db.session.commit()
    return run(attempt.id)


def ask_if_wanted() -> Attempt | None:
    """Ask for an apply when the company applies on each save and something is pending."""
    company = db.session.get(Company, resources.SINGLE_ID)
    return ask(_("applied on save")) if company and company.apply_on_save and changes.pending() else None


def _attempt(reason: str) -> Attempt:
    attempt = Attempt(at=ground.now(), author=changes.actor.get().name, reason=reason[:200], state=QUEUED, steps=[], findings=[],
                      warning="")
    db.session.add(attempt)
    db.session.flush()
    return attempt


def run(attempt_id: int) -> Attempt:
    """Apply for one attempt. Only a queued one is taken, so a job delivered twice applies once."""
    mine = update(Attempt).where(Attempt.id == attempt_id, Attempt.state == QUEUED)
    taken = cast("CursorResult[Any]", db.session.execute(mine.values(state=RUNNING))).rowcount
    db.session.commit()
    if taken:
        with revision.lock(settings.load(), WAIT_SECONDS):  # number, files and rows about them belong together
            recover()
            _refresh_addresses()
            sounds.make_waiting()
            _put_least()
            _apply(db.session.get_one(Attempt, attempt_id))
    return db.session.get_one(Attempt, attempt_id)


def recover() -> None:
    """After a crash: files return to the newest stored revision, attempts nobody works on any more say so."""
    with revision.lock(settings.load(), WAIT_SECONDS):
        number = newest_number()
        db.session.rollback()
        revision.recover(settings.load(), number)
        # Whoever works on an attempt holds the lock, so one that has its number and is not over was cut off.
        stale = update(Attempt).where(Attempt.state == RUNNING, Attempt.revision.is_not(None))
        db.session.execute(stale.values(state=FAILED, warning=INTERRUPTED, ended_at=ground.now(), revision=None))
        db.session.commit()


def _apply(attempt: Attempt) -> None:
    up_to, count = changes.newest_id(), len(changes.pending())
    number = newest_number() + 1
    attempt.revision = number
    db.session.commit()
    steps = _Steps(attempt)
    try:
        candidate = build(number, attempt, steps)
        applied = revision.apply(settings.load(), candidate, steps.heard, WAIT_SECONDS)
    except revision.NotApplied as why:
        _failed(attempt, why.findings)
        return
    except Unfit as why:
        steps.failed()
        _failed(attempt, [why.finding])
        return
    db.session.add(Revision(
        number=number, at=ground.now(), author=attempt.author, reason=attempt.reason, change_count=count,
        changed_files=list(applied.changed_files), restart_needed=sorted({*applied.restart_needed, *waiting_restart()}),
        proved_at=ground.now() if applied.booted else None,
    ))
    changes.put_in_force(number, up_to)
    attempt.state, attempt.ended_at, attempt.warning = DONE, ground.now(), applied.warning
    points.reached("commit.before")
    db.session.commit()
    points.reached("commit.after")
    live.announce(apply=attempt.id)
    _put_members()
    _put_ports()
    restart()
    revision.prune(settings.load(), KEPT_REVISIONS)


def _put_least() -> None:
    """A new format of protocol numbers begins behind those that calls bear already, with its first call. An Asterisk that is down has none."""
    try:
        protocol.put_least()
    except Busy as why:
        log.info("the count of protocol numbers waits for Asterisk: %s", why)


def _put_members() -> None:
    """Queues that came into force get their members, which stand in no file. An Asterisk that is down gets them when it starts."""
    try:
        members.sync()
    except Busy as why:
        log.info("members of queues wait for Asterisk: %s", why)


def _put_ports() -> None:
    """The firewall knows other ports before Asterisk starts with them."""
    try:
        force.put()
    except Busy as why:
        log.info("the firewall hears of the ports a minute later: %s", why)


def _failed(attempt: Attempt, findings: list[Finding]) -> None:
    attempt.state, attempt.ended_at, attempt.revision = FAILED, ground.now(), None
    attempt.findings = _stored(findings)
    db.session.commit()
    live.announce(apply=attempt.id)


def proved(number: int) -> None:
    """A second Asterisk booted cold with this revision. May be said twice, and of one that was taken back."""
    mine = update(Revision).where(Revision.number == number, Revision.proved_at.is_(None))
    db.session.execute(mine.values(proved_at=ground.now()))
    db.session.commit()


def take_back(number: int, findings: list[Finding]) -> bool:
    """Asterisk does not boot with revision `number`: the newest proved one comes into force again, and the rows since are
    pending again with the reason. False when there is none or another revision is in force by now.
    """
    with revision.lock(settings.load(), WAIT_SECONDS):
        good = proved_number()
        if newest_number() != number or not 0 < good < number:
            db.session.rollback()
            return False
        changes.out_of_force(good)
        attempts = list(db.session.scalars(select(Attempt).where(Attempt.revision > good, Attempt.state == DONE)))
        for attempt in attempts:
            attempt.state, attempt.revision, attempt.findings = FAILED, None, _stored(findings)
            attempt.steps = [*attempt.steps, *({"name": name, "state": state, "seconds": 0.0} for name, state in TAKEN_BACK)]
        db.session.execute(delete(Revision).where(Revision.number > good))
        points.reached("commit.before")
        db.session.commit()
        points.reached("commit.after")
        revision.recover(settings.load(), good)  # also what the next start does when we die here
        for attempt in attempts:
            live.announce(apply=attempt.id)
        return True


def _stored(findings: list[Finding]) -> list[dict[str, Any]]:
    return [asdict(found) | {"parameters": dict(found.parameters)} for found in findings[:50]]


def build(number: int, attempt: Attempt | None = None, steps: "_Steps | None" = None) -> revision.Candidate:
    """The complete set of files for the rows as they are now, from one reading of the database."""
    if steps:
        steps.begin("render")
    ground.read_only()
    in_force = store.folder(settings.load(), newest_number())
    previous: dict[str, str] | None = None  # to take over what no change touched
    if _made_by(in_force) == program_digest():
        read = store.files_of(settings.load(), newest_number())
        previous = read if store.is_intact(settings.load(), newest_number(), read) else None
    touched = changes.touched()
    generated = config_files.rendered(previous, touched)
    rows, looped, used = snapshots.take(), _loops(), sip.current().ports()
    trial = test_call() if set(touched) & CALLS_PASS else None
    db.session.rollback()
    names = [path.removeprefix("bentevi/") for path in generated if path.startswith("bentevi/")]
    files = system_files.system_files(settings.load(), secrets(), names, used) | generated
    if steps:
        steps.end("render")
    beside = {"rows.json": json.dumps(rows, ensure_ascii=False, sort_keys=True), MADE_BY: program_digest()}
    return revision.Candidate(number, files, hidden_files(), beside, trial, tuple(looped))


def _loops() -> list[Finding]:
    """Each way round on which nobody is asked anything, told at its first row."""
    found = []
    for loop in paths.Paths().loops():
        told_ = " → ".join(paths.title(place) for place in [*loop, loop[0]])
        found.append(Finding("", 0, "loop", MESSAGES["loop"] % {"value": told_}, loop[0].word, loop[0].row_id, {"value": told_}))
    return found


def test_call() -> Callable[[], list[Finding]] | None:
    """The test call the company wants after an apply that touches what calls pass; what it finds sends the apply back."""
    company = db.session.get(Company, resources.SINGLE_ID)
    if company is None or not company.canary_number or company.canary_extension_id is None:
        return None
    number, machine = company.canary_number, settings.load()
    caller, variables = extensions.call_variables(company.canary_extension_id)

    def made() -> list[Finding]:
        try:
            return canary.call(machine, number, caller, variables)
        except Busy as why:
            return [finding("", 0, "canary_impossible", value=number, why=str(why))]

    return made


def _made_by(folder: Path) -> str:
    """Which version of the program rendered a revision."""
    file = folder / MADE_BY
    return file.read_text() if file.exists() else ""


@cache
def program_digest() -> str:
    """Changes with every template and every line of the program that renders: then all files are rendered anew."""
    files = [path for name in ("asterisk", "khomp", "appliance") for path in sorted((settings.CHECKOUT / name).rglob("*"))
             if path.suffix in (".j2", ".conf", ".py")]  # fmt: skip
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def hidden_files() -> frozenset[str]:
    """Files with secrets: in no difference, on no screen."""
    return frozenset({f"bentevi/{name}" for name in config_files.SECRET}) | system_files.SECRET_FILES


def trace(file: str, line: int) -> str:
    """From a line of the revision in force to template, row, who changed it last and the screen. Refused when there is none."""
    files = store.files_of(settings.load(), newest_number())
    path = next((path for path in (file, f"bentevi/{file}", f"dialplan/{file}") if path in files), "")
    if not path or path in hidden_files() or not 0 < line <= files[path].count("\n") + 1:
        raise Refused(_("There is no line %(file)s:%(line)s in the revision in force.", file=file, line=line))
    source = store.trace(files, path, line)
    told_ = [f"{path}:{line}  {source.text.strip()}", f"template: {source.template}"]
    resource = resources.TABLE.get(source.word)
    row = resource.get(source.row_id) if resource else None
    if resource and row is not None:
        told_ += [f"row: {resource.one} {resource.title(row)}", f"screen: {resource.path(row.id)}"]
        query = select(changes.Change).where(changes.Change.word == source.word, changes.Change.row_id == source.row_id)
        last = db.session.scalar(query.order_by(changes.Change.id.desc()).limit(1))
        told_ += [f"last changed by {last.user_name}, {last.at:%Y-%m-%d %H:%M}Z"] if last else []
    return "\n".join(told_)


def preview() -> list[FileDifference]:
    """What applying now would change in the files, secrets left out. Raises Unfit for a row that cannot be written."""
    candidate = build(0)
    old = store.files_of(settings.load(), newest_number())
    return difference(old, candidate.files, candidate.secret_files)


def told(found: dict[str, Any]) -> dict[str, Any]:
    """A stored finding as the screens and the CLI show it: in this person's language, with the path of the row's screen."""
    resource = resources.TABLE.get(found["word"])
    row = resource.get(found["row_id"]) if resource else None
    return found | {
        "text": _(MESSAGES[found["code"]]) % found["parameters"] if found["code"] in MESSAGES else found["text"],
        "row": f"{resource.one} {resource.title(row)}" if resource and row else "",
        "path": resource.path(found["row_id"]) if resource and row else "",
    }


def _refresh_addresses() -> None:
    """Host names of by-IP trunks are looked up again before each apply; the old addresses stay when DNS is dead."""
    for trunk in trunks():
        trunk.resolve()
    db.session.commit()


def waiting_restart() -> list[str]:
    """Files and objects in force that Asterisk takes only when it starts again."""
    row = newest()
    return row.restart_needed if row else []


def calls_up() -> int:
    """Calls in progress, 0 when Asterisk is down."""
    return runtime.calls_up(runtime.control(settings.load()))


def restart(confirmed: bool = False) -> bool:
    """Restart Asterisk for what it cannot load while it runs: when no call is up, or when somebody confirmed. True when done.

    Asterisk is told to end; whoever supervises it starts it again with the files in force. May be asked at any time.
    """
    row = newest()
    if row is None or not row.restart_needed or (calls_up() and not confirmed):
        return False
    control = runtime.control(settings.load())
    if runtime.is_running(control):
        runtime.command(control, "core stop now")
    row.restart_needed = []
    db.session.commit()
    return True


class _Steps:
    """Writes each step on the attempt as it happens, so that every process can show it."""

    def __init__(self, attempt: Attempt) -> None:
        self.id = attempt.id

    def begin(self, name: str) -> None:
        self.started = ground.now()
        self.heard(revision.Step(name, "started"))

    def end(self, name: str) -> None:
        self.heard(revision.Step(name, "done", (ground.now() - self.started).total_seconds()))

    def failed(self) -> None:
        """The step that was running went wrong."""
        steps = db.session.get_one(Attempt, self.id).steps
        if steps and steps[-1]["state"] == "started":
            self.heard(revision.Step(steps[-1]["name"], "failed"))

    def heard(self, step: revision.Step) -> None:
        db.session.rollback()
        attempt = db.session.get_one(Attempt, self.id)
        others = [one for one in attempt.steps if one["name"] != step.name]
        attempt.steps = [*others, {"name": step.name, "state": step.state, "seconds": round(step.seconds, 2)}]
        db.session.commit()
        live.announce(apply=self.id)
