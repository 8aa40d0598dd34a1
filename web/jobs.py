"""The page of jobs: what waits, runs, is tried again later and failed, with reasons (SYS-18)."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, redirect, render_template, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from rq.cron import CronScheduler
from rq.job import Job
from rq.worker import Worker

from appliance import changes, lanes
from appliance.db import db
from web.login import needs

pages = Blueprint("jobs", __name__)

TITLES = {  # function → what a person reads
    "jobs.addresses.put": _l("Put blocked addresses in force"),
    "jobs.addresses.forget_old": _l("Remove old entries of blocked addresses"),
    "jobs.apply.run": _l("Apply the configuration"),
    "jobs.audio_prompts.make": _l("Prepare a sound"),
    "jobs.audio_prompts.tidy": _l("Remove sounds nobody uses"),
    "jobs.backups.run": _l("Make a backup"),
    "jobs.backups.rehearse": _l("Rehearse the restore of a backup"),
    "jobs.backups.look": _l("Look whether a backup is due"),
    "jobs.blacklists.forget_deleted": _l("Remove numbers of deleted blacklists"),
    "jobs.certificates.keep": _l("Look after the certificate"),
    "jobs.follow_me.put": _l("Tell Asterisk about follow-me and lock"),
    "jobs.khomp_boards.read": _l("Read the boards from the Khomp driver"),
    "jobs.imports.check": _l("Check a CSV file"),
    "jobs.imports.store_rows": _l("Store a CSV file"),
    "jobs.minute.run": _l("Each minute: bans, voice messages, free disk, SIP port, follow-me"),
    "jobs.recordings.convert": _l("Prepare a recording"),
    "jobs.recordings.convert_forgotten": _l("Prepare forgotten recordings"),
    "jobs.recordings.remove_old": _l("Remove old recordings"),
    "jobs.recordings.verify": _l("Verify the recordings"),
    "jobs.recordings.verify_all": _l("Verify the recordings (weekly)"),
    "jobs.updates.look": _l("Look for a new version"),
    "jobs.updates.look_now": _l("Look for a new version"),
    "jobs.updates.fetch": _l("Fetch a new version"),
    "jobs.upkeep.look_at_disk": _l("Watch how full the disk is"),
    "jobs.retention.forget_old": _l("Remove what is kept no longer"),
    "jobs.users.forget_old": _l("Tidy letters for passwords"),
    "jobs.users.write": _l("Write a letter for a password"),
    "jobs.voicemail_boxes.announce": _l("Announce a voice message by e-mail"),
    "jobs.records.reconcile": _l("Compare call records with Asterisk's counters"),
    "jobs.reports.run": _l("Make a report"),
}
LANES = {"telephony": _l("Telephony"), "default": _l("General"), "reports": _l("Reports"), "backups": _l("Backups and new versions")}


@pages.get("/jobs")
@needs("jobs")
def show() -> ResponseReturnValue:
    """Every lane, who works, and the timetable."""
    return render_template("jobs/jobs.html", **_facts())


@pages.get("/jobs/_lanes")
@needs("jobs")
def lanes_part() -> ResponseReturnValue:
    """The same alone; the page asks for it again every few seconds."""
    return render_template("jobs/_lanes.html", **_facts())


@pages.post("/jobs/<job_id>/retry")
@needs("jobs")
def retry(job_id: str) -> ResponseReturnValue:
    """A failed job is tried again."""
    return _done(job_id, lanes.retry(job_id), "tried again", _("It waits for its turn again."))


@pages.post("/jobs/<job_id>/forget")
@needs("jobs")
def forget(job_id: str) -> ResponseReturnValue:
    """A failed job is not wanted any more."""
    return _done(job_id, lanes.forget(job_id), "forgotten", _("Removed from the list."))


def _done(job_id: str, found: bool, action: str, words: str) -> ResponseReturnValue:
    if not found:
        abort(404)
    changes.record("jobs", 0, job_id, action, {}, {}, pending=False)
    db.session.commit()
    session["saved"] = words
    return redirect("/jobs")


def _facts() -> dict[str, Any]:
    found = lanes.state()
    with lanes.needs_redis():
        workers = [worker for worker in Worker.all(connection=lanes.connection()) if worker.state in ("idle", "busy", "started")]
        timetable = [timed for cron in CronScheduler.all(lanes.connection()) for timed in cron.get_jobs()]
    return {"lanes": found, "titles": TITLES, "lane_titles": LANES, "workers": workers, "reason": reason, "when": when,
            "timetable": sorted(timetable, key=lambda timed: str(timed.next_enqueue_time))}


def reason(job: Job) -> str:
    """Why a job failed."""
    return str(job.meta.get("reason") or _("It was cut off: its worker died."))


def when(moment: datetime | None) -> datetime | None:
    """RQ's instants, aware."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
