"""Keeping what the row asks for in force: made anew, fetched, or left as somebody gave it. Everything here may run at any time, twice too."""

import logging
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from flask_babel import gettext as _

from appliance import alarms, changes, own_certificate, settings, whole_files
from appliance import db as ground
from appliance.certificate.model import ACME, GIVEN, OWN, WebCertificate, current, resource
from appliance.certificates import given
from appliance.db import db
from appliance.errors import Busy, Refused

log = logging.getLogger("bentevi.certificates")
AGAIN = timedelta(hours=6)    # after a try that failed: issuers count failures
SOON = timedelta(days=21)     # one that nobody renews is told of so long before


def now(*, fetching: bool = True) -> None:
    """What the row asks for; commits. An issuer is asked only when `fetching`: a start waits for nobody. Failures are told on the page and by an alarm, and the certificate that is there stays."""
    machine, row = settings.load(), current()
    if row.source == OWN:
        own_certificate.ensure(machine.secrets, machine.bind, row.domain, anew=True)
        row.fetched_fingerprint = row.reason = ""
    else:
        own_certificate.ensure(machine.secrets, machine.bind, row.domain)
    if fetching and row.source == ACME:
        db.session.commit()
        with own_certificate.alone(machine.secrets, "acme"):
            row = current()
            if _must_fetch(row, own_certificate.read(machine.secrets)):
                _fetch(row)
    _tell(row, own_certificate.read(machine.secrets))
    db.session.commit()


def _must_fetch(row: WebCertificate, present: x509.Certificate | None) -> bool:
    """Nothing fetched yet, for another name, or a third of its time is left; not sooner than some hours after a failure."""
    if row.tried_at is not None and row.reason and ground.now() - row.tried_at < AGAIN:
        return False
    if present is None or fingerprint(present) != row.fetched_fingerprint or not given.is_for(row.domain, own_certificate.names_of(present)):
        return True
    whole = present.not_valid_after_utc - present.not_valid_before_utc
    return present.not_valid_after_utc - ground.now() < whole / 3


def _fetch(row: WebCertificate) -> None:
    """Ask the issuer. No row is held meanwhile: it takes its time."""
    from appliance.certificates import acme  # with what it brings a tenth of a second and 5 MB, for a job that hardly ever runs

    machine, domain, email, directory = settings.load(), row.domain, row.acme_email, row.acme_directory
    db.session.commit()
    try:
        content, reason = acme.fetch(machine, domain, email, directory), ""
        content = given.read([content], "", domain)
    except (Busy, Refused) as why:
        content, reason = b"", str(why)
        log.warning("no certificate for %s: %s", domain, reason)
    row = current()
    row.tried_at, row.reason = ground.now(), reason[:500]
    if content and row.source == ACME and row.domain == domain:
        whole_files.write(own_certificate.path(machine.secrets), content)
        row.fetched_fingerprint = fingerprint(x509.load_pem_x509_certificate(content))


def take(contents: list[bytes], password: str) -> dict[str, Any]:
    """Put a certificate that was given in force; what it is. Commits. Raises Refused, and everything stays as it was."""
    machine, row = settings.load(), current()
    content = given.read(contents, password, row.domain)
    before = resource.show(row)
    whole_files.write(own_certificate.path(machine.secrets), content)
    row.source, row.reason, row.fetched_fingerprint = GIVEN, "", ""
    told = facts()
    changes.record(resource.word, row.id, str(resource.label), changes.UPDATED, {"source": before["source"]},
                   {"source": GIVEN, "certificate": told["fingerprint"]}, pending=False)
    _tell(row, own_certificate.read(machine.secrets))
    db.session.commit()
    return told


def _tell(row: WebCertificate, present: x509.Certificate | None) -> None:
    """An alarm while the certificate is about to end, or could not be fetched."""
    if row.source == ACME and row.reason:
        alarms.put("certificate_failed", reason=row.reason)
    else:
        alarms.clear("certificate_failed")
    if present is not None and not own_certificate.is_own(present) and present.not_valid_after_utc - ground.now() < SOON:
        alarms.put("certificate_ends", day=f"{present.not_valid_after_utc:%Y-%m-%d}")
    else:
        alarms.clear("certificate_ends")


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def facts() -> dict[str, Any]:
    """What is in force: {source, names, issuer, ends_at, fingerprint, reason, tried_at}; without a certificate names is empty."""
    row, found = current(), own_certificate.read(settings.load().secrets)
    told: dict[str, Any] = {"source": row.source, "domain": row.domain, "reason": row.reason, "tried_at": row.tried_at}
    if found is None:
        return told | {"names": [], "issuer": "", "ends_at": None, "fingerprint": "", "is_own": False}
    issuer = found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME) or found.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return told | {"names": own_certificate.names_of(found), "issuer": str(issuer[0].value) if issuer else "", "ends_at": found.not_valid_after_utc,
                   "fingerprint": ":".join(f"{byte:02X}" for byte in found.fingerprint(hashes.SHA256())), "is_own": own_certificate.is_own(found)}


def problem() -> str:
    """Why what is asked for is not what is in force; "" when it is."""
    told = facts()
    if told["reason"]:
        return str(told["reason"])
    if told["source"] == GIVEN and told["is_own"]:
        return str(_("No certificate was given yet: until then the exchange shows its own."))
    if told["domain"] and not given.is_for(told["domain"], told["names"]):
        return str(_("The certificate is not for %(domain)s.", domain=told["domain"]))
    return ""
