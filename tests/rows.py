"""Back to the rows of a first start, fast enough to be done before every test."""

from datetime import datetime

from sqlalchemy import delete, func, select, text

from appliance import alarms, changes, lanes, numbering
from appliance import db as ground
from appliance.address_policy.bans import Ban
from appliance.address_policy.model import AddressPolicy
from appliance.assistant.model import Assistant
from appliance.backup_policy.attempts import Backup
from appliance.backup_policy.model import BackupPolicy
from appliance.blacklists.entries import BlacklistNumber
from appliance.blacklists.imports import BlacklistImport
from appliance.calls.model import Call, CallStep
from appliance.calls.raw import BadLine, QueueEvent, RecordChannel, RecordLine
from appliance.calls.totals import CallHour, CallTotal
from appliance.calls.visit_totals import VisitHour, VisitTotal
from appliance.certificate.model import WebCertificate
from appliance.company.model import Company
from appliance.db import db
from appliance.email.model import Email
from appliance.extension_classes import model as classes
from appliance.feature_codes.model import FeatureCodes
from appliance.imports.model import Import
from appliance.missed_calls.model import MissedCall
from appliance.modules.model import Modules
from appliance.recording_policy.model import RecordingPolicy
from appliance.recordings.check import RecordingCheck
from appliance.recordings.model import Recording
from appliance.reports.model import Report
from appliance.resource import SINGLE_ID, TABLE
from appliance.retention_policy.model import RetentionPolicy
from appliance.sip.model import Sip
from appliance.snapshots import in_dependency_order
from appliance.update_policy.model import UpdatePolicy
from appliance.users.model import User
from appliance.users.token import Token
from appliance.voicemail_boxes.model import VoicemailMessage

MANY_CALLS = 5000
_began_at: datetime | None = None


def began_at() -> datetime:
    """When the rows were last made anew: what began before is of an earlier test, however late its lines come."""
    assert _began_at
    return _began_at


def _forget_many_calls() -> None:
    """PostgreSQL plans the keys' checks for tables as small as they mostly are here, and reads them whole for each of 100,000 deleted calls."""
    if db.engine.dialect.name == "postgresql" and (db.session.scalar(select(func.count()).select_from(Call)) or 0) > MANY_CALLS:
        db.session.execute(text("TRUNCATE calls CASCADE"))
        db.session.commit()


def first_start_rows() -> None:
    """Every row of every resource goes; the company, the SIP page and the class Padrão are made anew. Commits."""
    global _began_at
    _began_at = ground.now()
    changes.actor.set(changes.NOBODY)  # a command that an earlier test ran in this process has set another
    db.session.rollback()
    db.session.execute(delete(Token))
    db.session.execute(delete(Import))
    _forget_many_calls()
    for resource in reversed(in_dependency_order()):
        db.session.execute(delete(resource.model))
    for table in (
            RecordLine, RecordChannel, BadLine, QueueEvent, Report, RecordingCheck, Recording, MissedCall, CallStep, Call, CallTotal, CallHour,
            VisitTotal, VisitHour, VoicemailMessage, Backup, Ban,
            BlacklistImport, BlacklistNumber, Assistant, alarms.Alarm, changes.Change, numbering.Number, lanes.Outgoing,
    ):
        db.session.execute(delete(table))
    db.session.expunge_all()
    for word, model in (("company", Company), ("sip", Sip), ("recording_policy", RecordingPolicy), ("feature_codes", FeatureCodes), ("email", Email),
                        ("backup_policy", BackupPolicy), ("certificate", WebCertificate), ("modules", Modules), ("address_policy", AddressPolicy),
                        ("update_policy", UpdatePolicy), ("retention_policy", RetentionPolicy)):
        TABLE[word].create({"name": "Padaria Estrela"} if model is Company else {})
        assert db.session.get(model, SINGLE_ID)
    classes.resource.create({"name": classes.DEFAULT})
    db.session.add(User(
        name="Carla", login="carla", email="", password="-", must_change_password=False, active=True, access_level="admin",
        administrator=True, modules=[], start_page="", language="", cost_centres=[], cpf="", phone="", gender="", postal_code="",
        street="", house_number="", complement="", city="", state="", country="", wrong_passwords=0,
    ))
    db.session.execute(delete(changes.Change))
    db.session.execute(delete(lanes.Outgoing))
    db.session.commit()
