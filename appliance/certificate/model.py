"""Under which name browsers reach the exchange, and where its certificate comes from (SYS-09)."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from appliance import lanes, own_certificate, settings
from appliance.db import Base, Instant, db
from appliance.errors import Refused
from appliance.fields import Choice, Pattern, field
from appliance.resource import SINGLE_ID, Resource

OWN, GIVEN, ACME = "own", "given", "acme"
SOURCES = {OWN: _l("made by this exchange"), GIVEN: _l("given by us"), ACME: _l("fetched by itself from Let's Encrypt (ACME)")}
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


def _source_of_a_new_home() -> str:
    """A certificate that somebody put into a home of before this page stays."""
    present = own_certificate.read(settings.load().secrets)
    return GIVEN if present is not None and not own_certificate.is_own(present) else OWN


class WebCertificate(Base):
    """One row. Takes effect at once, without an apply; calls do not notice."""

    __tablename__ = "certificate"
    id: Mapped[int] = mapped_column(primary_key=True)
    domain: Mapped[str] = field(
        Pattern(190, r"(?i)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?", _l("A name like pabx.example.com.")), _l("Domain"),
        optional=True, default="", example="pabx.padaria.example", also="Domínio endereço site HTTPS",
        help=_l("The name by which browsers and softphones reach this exchange; it must lead to this machine. Empty: they use its address."),
    )
    source: Mapped[str] = field(
        Choice(SOURCES), _l("Certificate"), default=_source_of_a_new_home, also="Certificado TLS SSL HTTPS Let's Encrypt ACME",
        help=_l("Made by this exchange: browsers warn until its authority is installed on the computers. Given: the one you upload below. Fetched by "
                "itself: needs the domain, and port 80 of this machine open to the internet."),
    )
    acme_email: Mapped[str] = field(
        Pattern(120, r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+", _l("This is not an e-mail address.")), _l("E-mail for notices"), optional=True, default="",
        show_if=("source", ACME), help=_l("The issuer may write to it when a certificate is about to end and was not renewed."),
    )
    acme_directory: Mapped[str] = field(
        Pattern(200, r"https://[^\s\"'<>]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?/[^\s\"'<>]*", _l("An address that begins with https://")),
        _l("Issuer's address"), default=LETS_ENCRYPT, show_if=("source", ACME), also="ACME diretório",
        help=_l("ACME directory. By default Let's Encrypt, whose terms of service you accept by choosing it."),
    )
    tried_at: Mapped[datetime | None] = mapped_column(Instant())
    reason: Mapped[str] = mapped_column(String(500), default="")            # why the last try to fetch one failed; "" when it did not
    fetched_fingerprint: Mapped[str] = mapped_column(String(64), default="")  # SHA-256 of the one that was fetched

    def check(self) -> None:
        """One that is fetched needs a domain."""
        if self.source == ACME and not self.domain:
            raise Refused(_("Write the domain the certificate is for."), field="domain")

    def stored(self) -> None:
        """Brought into force after the commit; a new try need not wait for the hour of the last one."""
        self.tried_at = None
        lanes.put("default", "jobs.certificates.keep", 0)


def current() -> WebCertificate:
    """The one row."""
    return db.session.get_one(WebCertificate, SINGLE_ID)


resource = Resource(
    WebCertificate, word="certificate", label=_l("Domain and certificate"), one=_l("domain and certificate"), group="system", icon="world", single=True,
    applies=False, tabs={_l("General"): ["domain", "source", "acme_email", "acme_directory"]},
    also="Domínio HTTPS certificado TLS SSL WebSocket wss Let's Encrypt ACME",
)
