"""Letters with a code by which a person sets the own password: recovery (USR-04) and first access (USR-05).

The code is sent in a message and typed by hand, so no address of ours stands in a message and no secret in an address. Only its digest is kept. Who
asks for recovery gets the same answer whether somebody is known by that name or not: the person is looked for by the job that writes.
"""

import hmac
import re
import secrets
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import CursorResult, ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance import changes, lanes, settings
from appliance import db as ground
from appliance.changes import Actor
from appliance.db import Base, Instant, db
from appliance.email.model import current as mail_server
from appliance.errors import Refused
from appliance.users import password as passwords
from appliance.users.model import User, by_login

RECOVERY, FIRST_ACCESS = "recovery", "first_access"
HOURS = {RECOVERY: 1, FIRST_ACCESS: 72}  # how long a code may be used
MOST_AN_HOUR = 3  # to one person, so that nobody fills the mailbox of another
KEPT_DAYS = 7
LETTERS, GROUPS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 4  # 4 groups of 4: 80 bits, none that looks like another


class PasswordLetter(Base):
    """One letter asked for. The job that writes it finds the person and makes the code; it is gone once the code was used."""

    __tablename__ = "password_letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    asked_for: Mapped[str] = mapped_column(String(120))  # login or e-mail as typed
    asked_at: Mapped[datetime] = mapped_column(Instant())
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None] = mapped_column(Instant())
    sent_at: Mapped[datetime | None] = mapped_column(Instant())

    user: Mapped[User | None] = relationship()


def are_possible() -> bool:
    """Whether the exchange has a mail server to send them by."""
    return bool(mail_server().server)


def ask(text: str) -> None:
    """Somebody forgot the password; `text` is a login or e-mail. The letter is written once this transaction is committed."""
    _put(PasswordLetter(kind=RECOVERY, asked_for=text.strip()[:120], asked_at=ground.now()))


def invite(user: User) -> bool:
    """A new person, stored without a password, gets a letter instead of one made here. False (nothing done) where that is not possible."""
    generated: dict[str, str] = getattr(user, "generated", {})
    if "password" not in generated or not user.email or not user.active or not are_possible():
        return False
    user.password = ""
    del generated["password"]
    _put(PasswordLetter(kind=FIRST_ACCESS, asked_for=user.login, asked_at=ground.now(), user_id=user.id))
    return True


def _put(letter: PasswordLetter) -> None:
    db.session.add(letter)
    db.session.flush()
    lanes.put("default", "jobs.users.write", letter.id)


def prepare(letter: PasswordLetter) -> str | None:
    """The code of this letter; None when there is nobody to write to, or enough was written. A job that runs twice writes the same code."""
    user = letter.user or by_login(letter.asked_for)
    if user is None or not user.active or not user.email:
        return None
    if letter.kind == RECOVERY and _sent_lately(user) >= MOST_AN_HOUR:
        return None
    code = _code(letter)
    letter.user, letter.digest = user, _digest(code)
    letter.expires_at = ground.now() + timedelta(hours=HOURS[letter.kind])
    return code


def _code(letter: PasswordLetter) -> str:
    """Made of a key of this home and the letter, whose number with the moment never comes again, so it is kept nowhere."""
    key = ground.secret_file(settings.load().secrets / "letters_key", lambda: secrets.token_urlsafe(48))
    made = hmac.digest(key.encode(), f"{letter.id} {letter.asked_at.isoformat()}".encode(), "sha256")
    signs = "".join(LETTERS[byte % len(LETTERS)] for byte in made)
    return "-".join(signs[4 * group:4 * group + 4] for group in range(GROUPS))


def _sent_lately(user: User) -> int:
    since = ground.now() - timedelta(hours=1)
    return db.session.scalar(select(func.count()).where(PasswordLetter.user_id == user.id, PasswordLetter.sent_at > since)) or 0


def redeem(code: str, new: str, again: str, address: str) -> User:
    """Set the password of the person the code was sent to. Raises Refused, then the code still counts. A code counts once: it and
    every other of the person are gone, and so is a lock by wrong passwords."""
    letter = db.session.scalar(select(PasswordLetter).where(PasswordLetter.digest == _digest(code), PasswordLetter.expires_at > ground.now()))
    user = letter.user if letter else None
    if letter is None or user is None or not user.active:
        raise Refused(_("This code is wrong, was used already or is too old. Ask for another."), field="code")
    if new != again:
        raise Refused(_("The two new passwords differ."), field="again")
    wrong = passwords.wrong(new)
    if wrong:
        raise Refused(wrong, field="new")
    if not _took(letter):
        raise Refused(_("This code is wrong, was used already or is too old. Ask for another."), field="code")
    db.session.execute(delete(PasswordLetter).where(PasswordLetter.user_id == user.id))
    user.password, user.must_change_password, user.wrong_passwords, user.locked_until = passwords.hashed(new), False, 0, None
    changes.actor.set(Actor(name=user.name, user_id=user.id, address=address))
    changes.record("users", user.id, user.login, changes.UPDATED, {}, {"password": "changed"}, pending=False)
    return user


def _took(letter: PasswordLetter) -> bool:
    """Whether it was still there: of two who send the same code at once, one sets the password."""
    found = db.session.execute(delete(PasswordLetter).where(PasswordLetter.id == letter.id))
    return isinstance(found, CursorResult) and found.rowcount == 1


def forget_old() -> None:
    """Letters whose code counts no more, and those nobody was found for."""
    db.session.execute(delete(PasswordLetter).where(PasswordLetter.asked_at < ground.now() - timedelta(days=KEPT_DAYS)))


def _digest(code: str) -> str:
    return ground.digest(re.sub(r"[^A-Z0-9]", "", code.upper()))
