"""One message to the mail server, and what went wrong in words. Neither password nor content is written into a log."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from flask_babel import gettext as _

from appliance.db import db
from appliance.email.model import STARTTLS, TLS, current
from appliance.errors import Busy, Refused

TIMEOUT_SECONDS = 15


def message(to: str, subject: str, text: str, identity: str) -> EmailMessage:
    """A message from the exchange. `identity` is its own for ever: who receives it twice can tell."""
    made = EmailMessage()
    made["Subject"], made["To"], made["Date"] = subject, to, formatdate()
    made["Message-ID"] = f"<{identity}@bentevi>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text)
    return made


def send(made: EmailMessage) -> None:
    """Hand it over. Raises Busy when another try may help, Refused when it will not."""
    row = current()
    server, port, security, username, password, sender = row.server, row.port, row.security, row.username, row.password or "", row.sender
    db.session.rollback()  # a mail server may take its time: nobody waits for us meanwhile
    if not server:
        raise Refused(_("No mail server is set under System, E-mail."))
    made["From"] = sender
    try:
        if security == TLS:
            link: smtplib.SMTP = smtplib.SMTP_SSL(server, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
        else:
            link = smtplib.SMTP(server, port, timeout=TIMEOUT_SECONDS)
        with link:
            if security == STARTTLS:
                link.starttls(context=ssl.create_default_context())
            if username:
                link.login(username, password)
            link.send_message(made)
    except smtplib.SMTPAuthenticationError as why:
        raise Refused(_("The mail server refuses user name and password (%(code)s).", code=why.smtp_code)) from None
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as why:
        _refused(why)
    except UnicodeError:  # smtplib speaks ASCII when it logs in
        raise Refused(_("User name and password of the mail server are sent without accents or signs of other alphabets: change them there "
                        "and here.")) from None
    except smtplib.SMTPNotSupportedError:
        raise Refused(_("The mail server does not offer what is chosen under Security, or no login.")) from None
    except ssl.SSLError as why:
        raise Refused(_("The certificate of the mail server could not be verified: %(why)s", why=why.reason)) from None
    except (smtplib.SMTPException, socket.gaierror, TimeoutError, OSError) as why:
        raise Busy(_("The mail server %(server)s does not answer on port %(port)s: %(why)s", server=server, port=port, why=_reason(why))) from None


def _refused(why: Exception) -> None:
    """A refusal of the fives is final, one of the fours asks for another try."""
    code, said = getattr(why, "smtp_code", None), getattr(why, "smtp_error", b"")
    if isinstance(why, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(why.recipients.values()))
    text = said.decode("utf-8", "replace")[:200] if isinstance(said, bytes) else str(said)[:200]
    answer = _("The mail server does not take the message: %(code)s %(text)s", code=code, text=text)
    raise (Refused if code and code >= 500 else Busy)(answer) from None


def _reason(why: Exception) -> str:
    return str(getattr(why, "strerror", "") or why or type(why).__name__)[:200]
