"""The mail server of the company, by which the exchange writes to people (SYS-21)."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Mapped, mapped_column

from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Choice, Pattern, Secret, Text, Whole, field
from appliance.resource import SINGLE_ID, Resource

PLAIN, STARTTLS, TLS = "none", "starttls", "tls"
SECURITY = {STARTTLS: _l("STARTTLS (port 587)"), TLS: _l("TLS (port 465)"), PLAIN: _l("none (inside the own network only)")}


class MailPassword(Secret):
    """A password some mail server gave; it may be anything without spaces, and there may be none."""

    empty = None
    offers_generate = False

    def __init__(self) -> None:
        super().__init__(1, generated=False)


class Email(Base):
    """One row. Takes effect with the next message, without an apply."""

    __tablename__ = "email"
    id: Mapped[int] = mapped_column(primary_key=True)
    server: Mapped[str] = field(
        Pattern(120, r"[A-Za-z0-9.:-]*", _l("A host name or an address, for example smtp.example.com.")), _l("Mail server"), optional=True, default="",
        example="smtp.example.com", also="Servidor SMTP", help=_l("Takes the messages of the exchange. Empty: nothing is sent."),
    )
    port: Mapped[int] = field(Whole(1, 65535), _l("Port"), default=587, also="Porta SMTP", help=_l("587 with STARTTLS, 465 with TLS, 25 without."))
    security: Mapped[str] = field(
        Choice(SECURITY), _l("Security"), default=STARTTLS, also="TLS SSL", help=_l("How the connection is encrypted; the server's certificate is verified."),
    )
    username: Mapped[str] = field(
        Text(120), _l("User name"), optional=True, default="", also="Usuário SMTP", help=_l("Empty: the server asks for none."),
    )
    password: Mapped[str | None] = field(
        MailPassword(), _l("Password"), optional=True, also="Senha SMTP", help=_l("Of the user name at the mail server. Empty: it stays as it was."),
    )
    sender: Mapped[str] = field(
        Pattern(120, r"[^@\s<>]+@[^@\s<>]+", _l("This is not an e-mail address.")), _l("Sender"), optional=True, default="",
        example="pabx@padaria.example", also="Remetente", help=_l("The address people see; the server must allow it."),
    )

    def check(self) -> None:
        """A server needs a sender, and a password is never sent unencrypted."""
        if self.server and not self.sender:
            raise Refused(_("Write the sender's address."), field="sender")
        if self.username and self.security == PLAIN and self.server not in ("127.0.0.1", "localhost"):
            raise Refused(_("A password is never sent without encryption. Choose STARTTLS or TLS."), field="security")
        for name, text in (("username", self.username), ("password", self.password or "")):
            if not text.isascii():
                raise Refused(_("User name and password of the mail server are sent without accents or signs of other alphabets: change them there "
                                "and here."), field=name)


def current() -> Email:
    """The one row."""
    return db.session.get_one(Email, SINGLE_ID)


resource = Resource(
    Email, word="email", label=_l("E-mail"), one=_l("e-mail"), group="system", icon="message", single=True, applies=False,
    tabs={_l("General"): ["server", "port", "security", "username", "password", "sender"]},
    also="E-mail SMTP servidor de correio envio",
)
