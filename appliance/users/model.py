"""People who use the screens (USR-01 to USR-03, USR-06, USR-07, USR-10, USR-11, USR-14, USR-15, USR-17, USR-18, FEA-20)."""

import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from stdnum.br import cpf as stdnum_cpf

from appliance import db as ground
from appliance import resource as resources
from appliance.company.model import Company
from appliance.db import Base, Instant, db
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.fields import Boolean, Choice, Day, Name, Pattern, Phone, Reader, Secret, Text, Words, field
from appliance.links import Reference, References
from appliance.resource import Resource
from appliance.users import password as passwords
from appliance.work_shifts.model import WorkShift

WRONG_PASSWORDS, LOCK_MINUTES = 5, 15
LEVELS = {"admin": _l("Administrator"), "manager": _l("Manager"), "user": _l("User")}
SCREENS = {
    "now": _l("Now"), "reports": _l("Reports"), "missed_calls": _l("Missed calls"), "recordings": _l("Recordings"), "revisions": _l("Revisions"),
    "audit": _l("Audit trail"), "jobs": _l("Jobs"), "map": _l("Map"), "rating_scores": _l("Scores"), "backups": _l("Backups"), "about": _l("About"),
    "updates": _l("Updates"), "addresses": _l("Blocked addresses"),
}  # permissions that are no resource


def modules() -> dict[str, Any]:
    """Every menu a person may be given: word → label."""
    return SCREENS | {resource.permission or resource.word: resource.label for resource in resources.TABLE.values()}


def _start_pages() -> dict[str, Any]:
    return {"": _l("The first permitted page")} | modules()


class StartPage(Choice):
    """One of the menus."""

    def __init__(self) -> None:
        super().__init__(_start_pages)

    def options(self, row: Any = None) -> list[tuple[str, str]]:
        """For a person: only pages that person may open (USR-17)."""
        return [(word, label) for word, label in super().options() if not word or row is None or row.may(word)]


class Password(Secret):
    """A person's password: kept as a hash only, so nobody can read it back."""

    def __init__(self) -> None:
        super().__init__(6)

    def column(self) -> Any:
        return String(200)

    def read(self, value: Any, reader: Reader) -> str | None:
        why = passwords.wrong(str(value))
        return reader.refuse(why) if why else passwords.hashed(str(value))

    def unchanged(self, stored: Any, outside: Any) -> bool:
        return bool(stored) and passwords.fits(str(outside), stored)

    def generate(self) -> str:
        return passwords.generate()


class FeaturePin(Secret):
    """What a person types at a telephone for protected features: kept as a hash only."""

    empty = None
    offers_generate = False

    def __init__(self) -> None:
        super().__init__(4, generated=False)

    def column(self) -> Any:
        return String(200)

    def read(self, value: Any, reader: Reader) -> str | None:
        text = str(value)
        if not re.fullmatch(r"[0-9]{4,10}", text):
            return reader.refuse(_("4 to 10 digits."))
        if len(set(text)) == 1 or text in "01234567890" or text in "09876543210":
            return reader.refuse(_("Too easy to guess. Not the same digit throughout, nor digits in a row."))
        return passwords.hashed(text)

    def unchanged(self, stored: Any, outside: Any) -> bool:
        return bool(stored) and passwords.fits(str(outside), stored)


class User(Base):
    """A person. What they may open: everything (administrator), the chosen modules, or what their level has."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(
        Name(80), _l("Name"), also="Nome",
        help=_l("How the person is called on the screens and in the audit trail."),
    )
    login: Mapped[str] = field(
        Pattern(60, r"[a-z0-9][a-z0-9._@-]{4,}", _l("At least 5 small letters, digits, dots or hyphens.")), _l("Login"), unique=True,
        help=_l("People log in with it or with their e-mail."),
    )
    email: Mapped[str | None] = field(
        Pattern(120, r"[^@\s]+@[^@\s]+\.[^@\s]+", _l("This is not an e-mail address.")), _l("E-mail"), optional=True, default="",
        help=_l("May be typed instead of the login."),
    )
    password: Mapped[str] = field(
        Password(), _l("Password"), also="Senha",
        help=_l("6 to 20 characters with a capital, a small letter, a digit and one of $ * & @ # ?; nothing twice in a row."),
    )
    must_change_password: Mapped[bool] = field(
        Boolean(), _l("Change the password at the next login"), default=False, also="Redefinir senha",
        help=_l("The next login asks for a password only this person knows."),
    )
    active: Mapped[bool] = field(Boolean(), _l("Active"), default=True, also="Status Ativo Inativo",
                                 help=_l("Off: cannot log in; the history stays."))
    access_level: Mapped[str] = field(
        Choice(LEVELS), _l("Access level"), default="user", also="Nível de acesso Perfil Função",
        help=_l("Default menus when no modules are chosen: all, telephony and people, or the start page only."),
    )
    administrator: Mapped[bool] = field(
        Boolean(), _l("Administrator"), default=False, also="Administrador", help=_l("May create users and open everything."),
    )
    modules: Mapped[list[str]] = field(
        Words(modules), _l("Modules"), optional=True, also="Módulos menus",
        help=_l("Exactly these menus; none chosen: those of the access level."),
    )
    extension_id: Mapped[int | None] = field(
        Reference("extensions"), _l("Extension"), name="extension", optional=True, also="Ramal Webphone",
        help=_l("The phone of this person."),
    )
    work_shift_id: Mapped[int | None] = field(
        Reference("work_shifts"), _l("Work shift"), name="work_shift", optional=True, also="Turno Horário de Trabalho",
        help=_l("Outside it the person cannot log in, and new calls of the person's extension are refused. Nothing chosen: any time."),
    )
    feature_pin: Mapped[str | None] = field(
        FeaturePin(), _l("Feature password"), optional=True, also="Senha de funcionalidade",
        help=_l("4 to 10 digits typed at the telephone for voicemail, follow-me, lock and calls with a password. Never shown again."),
    )
    start_page: Mapped[str] = field(
        StartPage(), _l("Start page"), optional=True, default="", also="Pagina Inicial",
        help=_l("What the person sees after the login."),
    )
    language: Mapped[str] = field(
        Choice({"": _l("the company's"), "pt_BR": "Português (Brasil)", "en": "English"}), _l("Language"), optional=True, default="",
        help=_l("Of the screens of this person."),
    )
    cost_centres: Mapped[list[int]] = field(
        References("cost_centres"), _l("Cost centres in reports"), optional=True, also="Centro de Custos",
        help=_l("Calls of these cost centres may be seen; none: all."),
    )
    cpf: Mapped[str] = field(
        Text(14), _l("CPF"), optional=True, default="",
        help=_l("Tax number of the person; its check digits are verified."),
    )
    phone: Mapped[str] = field(
        Phone(), _l("Telephone"), optional=True, default="", also="Telefone",
        help=_l("Where the person can be reached outside the company."),
    )
    birth_on: Mapped[date | None] = field(
        Day(), _l("Day of birth"), optional=True, default=None, also="Data Nascimento",
        help=_l("Day, month and year."),
    )
    gender: Mapped[str] = field(
        Text(20), _l("Gender"), optional=True, default="", also="Gênero",
        help=_l("As the person wishes to be named."),
    )
    postal_code: Mapped[str] = field(
        Pattern(9, r"[0-9]{5}-?[0-9]{3}", _l("Eight digits, for example 88010-000.")), _l("Postal code (CEP)"), optional=True, default="", also="CEP",
        help=_l("Eight digits of the address."),
    )
    street: Mapped[str] = field(
        Text(120), _l("Street"), optional=True, default="", also="Endereço",
        help=_l("Street or avenue of the address."),
    )
    house_number: Mapped[str] = field(
        Text(10), _l("House number"), optional=True, default="", also="Número",
        help=_l("Number in the street."),
    )
    complement: Mapped[str] = field(
        Text(60), _l("Complement"), optional=True, default="", also="Complemento",
        help=_l("Flat, block or floor."),
    )
    city: Mapped[str] = field(
        Text(80), _l("City"), optional=True, default="", also="Cidade",
        help=_l("City of the address."),
    )
    state: Mapped[str] = field(
        Text(2), _l("State"), optional=True, default="", also="Estado",
        help=_l("Two letters, for example SC."),
    )
    country: Mapped[str] = field(
        Text(40), _l("Country"), optional=True, default="Brasil", also="País",
        help=_l("Country of the address."),
    )

    wrong_passwords: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Instant())

    extension: Mapped[Extension | None] = relationship()
    work_shift: Mapped[WorkShift | None] = relationship()

    def check(self) -> None:
        """One person per login and e-mail, whichever of the two is typed; somebody stays administrator."""
        self.login, self.email = self.login.lower(), (self.email or "").lower() or ""
        if self.email:
            twin = db.session.scalar(select(User).where(func.lower(User.email) == self.email, User.id != (self.id or 0)))
            if twin:
                raise Refused(_("%(name)s already has this e-mail.", name=twin.name), field="email")
        taken = (User.login == self.email) if self.email else None
        taken = (func.lower(User.email) == self.login) if taken is None else taken | (func.lower(User.email) == self.login)
        twin = db.session.scalar(select(User).where(taken, User.id != (self.id or 0)))
        if twin:
            raise Refused(_("%(name)s already logs in with this.", name=twin.name), field="login" if twin.email == self.login else "email")
        if self.start_page and not self.may(self.start_page):
            raise Refused(_("This person may not open that page. Choose another, or allow it in “Modules”."), field="start_page")
        if self.cpf and (not stdnum_cpf.is_valid(self.cpf) or len(set(stdnum_cpf.compact(self.cpf))) == 1):
            raise Refused(_("The check digits of this CPF are wrong."), field="cpf")
        if self.id and not (self.administrator and self.active) and not _other_administrators(self.id):
            raise Refused(_("Somebody must stay active administrator."), field="administrator")
        if self.administrator and self.work_shift_id and not _other_administrators(self.id or 0, without_shift=True):
            raise Refused(_("An administrator without a work shift must stay, so that somebody can log in at any time."), field="work_shift")

    def check_delete(self) -> None:
        """The last administrator stays."""
        if self.administrator and self.active and not _other_administrators(self.id):
            raise Refused(_("Somebody must stay active administrator."))

    def affects_calls(self, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Whether a write changes when an extension may call (HRS-18)."""
        bound = any(values.get("work_shift") for values in (before, after)) or self.work_shift_id is not None
        return bound and any(before.get(name) != after.get(name) for name in ("work_shift", "extension", "active"))

    def may(self, permission: str) -> bool:
        """Whether the person may open this menu."""
        if self.administrator:
            return True
        return permission in self.permitted()

    def may_write(self, resource: Resource) -> bool:
        """Whether the person may change its rows: who may open the menu; users are made and changed by administrators only (USR-11)."""
        return self.administrator or (resource.word != "users" and self.may(resource.permission or resource.word))

    def permitted(self) -> set[str]:
        """The menus of a person who is no administrator."""
        if self.modules:
            return set(self.modules)
        if self.access_level == "admin":
            return set(modules())
        if self.access_level == "manager":
            return {"now"} | {r.permission or r.word for r in resources.TABLE.values() if r.group == "telephony"} | {"cost_centres"}
        return {"now"}

    # ------------------------------------------------------------------------------------------------ work shift

    def may_enter(self) -> bool:
        """Whether the person may log in now (HRS-17)."""
        return self.work_shift is None or self.work_shift.takes_logins(_clock())

    def may_stay(self) -> bool:
        """Whether the person, already in, may stay: the tolerance counts too (HRS-18)."""
        return self.work_shift is None or self.work_shift.is_on(_clock())

    # -------------------------------------------------------------------------------------------- wrong passwords

    def is_locked(self) -> bool:
        """Five wrong passwords lock for a quarter of an hour (USR-35), even for the right one."""
        return bool(self.locked_until and self.locked_until > ground.now())

    def password_was(self, right: bool) -> None:
        """Count a wrong password, forget the count after a right one."""
        self.wrong_passwords = 0 if right else self.wrong_passwords + 1
        if self.wrong_passwords >= WRONG_PASSWORDS:
            self.locked_until, self.wrong_passwords = ground.now() + timedelta(minutes=LOCK_MINUTES), 0


def _clock() -> datetime:
    """Now, as the company's clock shows it."""
    company = db.session.get(Company, resources.SINGLE_ID)
    return ground.now().astimezone(ZoneInfo(company.timezone if company else "America/Sao_Paulo"))


def by_login(text: str) -> User | None:
    """The person with this login or e-mail."""
    name = text.strip().lower()
    if not name:
        return None
    return db.session.scalar(select(User).where((User.login == name) | (func.lower(User.email) == name)))


def _other_administrators(user_id: int, without_shift: bool = False) -> int:
    query = select(func.count()).where(User.administrator, User.active, User.id != user_id)
    if without_shift:
        query = query.where(User.work_shift_id.is_(None))
    return db.session.scalar(query) or 0


resource = Resource(
    User, word="users", label=_l("Users"), one=_l("user"), new=_l("New user"), key="login", group="people", icon="user",
    columns=["login", "name", "email", "access_level", "administrator", "active", "extension"], search=["login", "name", "email"],
    filters=["active", "access_level", "administrator"], applies=False, save_when_complete=True,
    tabs={_l("Registration"): ["name", "login", "email", "password", "must_change_password", "active"],
          _l("Permissions"): ["access_level", "administrator"],
          _l("Modules"): ["modules", "cost_centres"],
          _l("Settings"): ["extension", "work_shift", "feature_pin", "start_page", "language"],
          _l("Personal data"): ["cpf", "phone", "birth_on", "gender", "postal_code", "street", "house_number", "complement",
                                "city", "state", "country"]},
    also="Usuários atendente administrador permissões",
)
