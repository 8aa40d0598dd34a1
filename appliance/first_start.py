"""What a home needs before its processes start: tables, keys, the single rows, the first login, the first revision."""

import contextlib
import os

from appliance import applying, changes, own_certificate, prompts, reserve, schema, settings, tune, version
from appliance import db as ground
from appliance.addresses import force
from appliance.app import need_rows
from appliance.backups import restore
from appliance.certificates import keep
from appliance.database import move
from appliance.db import db
from appliance.extension_classes import model as classes
from appliance.resource import Resource
from appliance.resources import RESOURCES
from appliance.revisions.model import newest_number
from appliance.settings import Settings
from appliance.telephony import store
from appliance.users import model as users
from appliance.users import password

UNPREPARED = "unprepared"  # in the folder run: the rows could not be read at the start, and wait to be brought in order


def prepare() -> None:
    """Bring the home to where its processes can start. Safe at every start; must run inside the application.

    When its database is away, full or damaged, telephony starts all the same, on the files of the revision in force; `prepare_late` does the
    rest. Raises what the database said when there is no such revision, or when another only holds its lock.
    """
    os.umask(0o077)
    machine = settings.load()
    for folder in (machine.home, machine.run, machine.log, machine.secrets, machine.revisions, machine.asterisk):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if reserve.give_up(machine):
        print("the disk is full: the room kept for this start was handed back; free some, `bentevi doctor` says how", flush=True)
    own_certificate.ensure(machine.secrets, machine.bind)
    own_certificate.acme_folder(machine.home).mkdir(parents=True, exist_ok=True)
    prompts.install(machine)
    tune.install(machine)
    try:
        _prepare_rows(machine)
    except ground.AWAY as why:
        kind, number = ground.trouble(why), store.in_force(machine)
        if kind in (ground.OURS, ground.LOCKED) or number == 0:
            raise
        db.session.rollback()
        with contextlib.suppress(OSError):  # a full disk may refuse even that; the next start looks anyway
            (machine.run / UNPREPARED).touch()
        print(f"{ground.WORDS[kind]}\ntelephony starts on revision {number}, which was in force; `bentevi doctor` says what to do", flush=True)
    else:
        (machine.run / UNPREPARED).unlink(missing_ok=True)
        reserve.keep(machine)


def prepare_late() -> None:
    """What the start could not do without rows, as soon as there are some. May run at any time."""
    if (settings.load().run / UNPREPARED).exists():
        prepare()


def _prepare_rows(machine: Settings) -> None:
    """Tables of this version, the rows every home has, and the configuration in force as they say."""
    if store.in_force(machine):
        need_rows(machine)  # where they are gone (a lost file, another address), new ones would put an empty configuration into force
    move.finish(machine)
    schema.upgrade()
    changes.actor.set(changes.Actor(name="bentevi"))
    for resource in RESOURCES:
        if resource.single:
            _single(resource)
    if not list(classes.resource.rows()):
        classes.resource.create({"name": classes.DEFAULT})
    if not list(users.resource.rows()):
        _first_login()
    db.session.commit()
    keep.now(fetching=False)
    force.put()  # before anything listens
    if newest_number() == 0:
        attempt = applying.now("first start")
        if attempt.state == "failed":
            raise SystemExit("\n".join(applying.told(found)["text"] for found in attempt.findings))
    elif restore.restored_from(machine):
        is_restored = bool(restore.restored_from(machine).get("snapshot"))  # else another version of the program was started
        _apply_anew("restored from a backup" if is_restored else f"version {version.number()}")
    elif not store.is_intact(machine, newest_number()):
        _apply_anew(f"the files of revision {newest_number()} were damaged")
    else:
        applying.recover()
    restore.settled(machine)


def _apply_anew(reason: str) -> None:
    """The configuration as the rows say, into files of this machine and this program. What cannot be applied is told, and the revision that was in
    force comes back."""
    attempt = applying.now(reason)
    if attempt.state == "failed":
        print("\n".join(["the configuration could not be applied anew; the revision before stays in force:",
                         *(applying.told(found)["text"] for found in attempt.findings)]), flush=True)
        applying.recover()


def _single(resource: Resource) -> None:
    if resource.find("") is None:
        resource.create({})


def _first_login() -> None:
    """The administrator, with a generated password that must be changed; `up` shows it until then."""
    text = ground.secret_file(settings.load().secrets / "first_password", password.generate)
    users.resource.create({"name": "Administrador", "login": "admin", "email": "", "password": text, "administrator": True,
                           "access_level": "admin", "must_change_password": True})


def forget_first_password() -> None:
    """The first password was changed: nothing keeps it any more."""
    (settings.load().secrets / "first_password").unlink(missing_ok=True)
