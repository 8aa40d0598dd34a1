"""Letters with a code for a password (USR-04, USR-05)."""

from email.message import EmailMessage

from flask_babel import force_locale, format_datetime
from flask_babel import gettext as _

from appliance import db as ground
from appliance.company.model import Company
from appliance.db import db
from appliance.email import post
from appliance.resource import SINGLE_ID
from appliance.users import letters
from appliance.users.letters import PasswordLetter


def write(letter_id: int) -> None:
    """Write one letter, unless it was sent already. Raises Busy or Refused when the mail server did not take it; it is tried again.

    A worker killed between sending and noting it sends twice, the same code under the same Message-ID.
    """
    letter = db.session.get(PasswordLetter, letter_id)
    if letter is None or letter.sent_at is not None:
        return
    code = letters.prepare(letter)
    if code is None:
        db.session.delete(letter)
        db.session.commit()
        return
    made = _message(letter, code)
    db.session.commit()
    post.send(made)
    letter = db.session.get(PasswordLetter, letter_id)
    if letter is not None:
        letter.sent_at = ground.now()
    db.session.commit()


def forget_old(_row_id: int = 0) -> None:
    """Old letters and those nobody was found for go."""
    letters.forget_old()
    db.session.commit()


def _message(letter: PasswordLetter, code: str) -> EmailMessage:
    company, user = db.session.get_one(Company, SINGLE_ID), letter.user
    assert user is not None and user.email
    with force_locale(user.language or company.language):
        is_first = letter.kind == letters.FIRST_ACCESS
        subject = _("Your first access to the telephone exchange") if is_first else _("A new password for the telephone exchange")
        why = _("You were given access to the telephone exchange of %(company)s. Your login is %(login)s.", company=company.name, login=user.login) if is_first \
            else _("Somebody asked for a new password for the login %(login)s of the telephone exchange of %(company)s. If it was not you, do nothing: "
                   "the password stays as it is.", login=user.login, company=company.name)  # fmt: skip
        how = _("Open the exchange in your browser, choose “First access or forgotten password”, “I have a code”, and write this code with a password of your own:")
        until = _("It counts once, until %(moment)s.", moment=format_datetime(letter.expires_at, "short"))
    return post.message(user.email, subject, f"{user.name},\n\n{why}\n\n{how}\n\n    {code}\n\n{until}\n", f"password-{letter.id}-{letter.digest[:8] if letter.digest else ''}")
