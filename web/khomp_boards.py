"""Khomp boards: taking what the driver says. The pages themselves are those of every resource."""

from flask import Blueprint, render_template, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance import live
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.khomp_boards import driver
from appliance.khomp_boards.model import boards
from web.login import needs

pages = Blueprint("khomp_boards_driver", __name__)


@pages.post("/khomp_boards/_read")
@needs("khomp_boards")
def read() -> ResponseReturnValue:
    """Declare boards that came, and bring those the driver told before up to date."""
    return _told(None)


@pages.post("/khomp_boards/_take/<int:index>")
@needs("khomp_boards")
def take(index: int) -> ResponseReturnValue:
    """One board as the driver says, whoever declared it otherwise."""
    return _told(index)


def _told(only: int | None) -> ResponseReturnValue:
    try:
        found = driver.found_boards()
        changed = driver.take(found, only) if found is not None else []
        db.session.commit()
    except (Refused, Busy) as why:
        db.session.rollback()
        text = str(why) if isinstance(why, Refused) else _("Asterisk does not answer. Try again in a moment.")
        return render_template("now/_told.html", text=text, is_good=False)
    if found is None:
        return render_template("now/_told.html", text=_("Khomp's driver is not there: nothing could be read."), is_good=False)
    if changed:  # the list above the button is another one now
        session["saved"] = _("Taken from the driver: board %(boards)s.", boards=", ".join(map(str, changed)))
        return "", 200, {"HX-Refresh": "true"}
    return render_template("now/_told.html", text=_("The boards are as the driver says already, or declared by hand."), is_good=True)


def driver_state() -> str:
    """present, no_driver, or unknown while nobody could ask."""
    picture = live.now()
    row = picture.rows("khomp").get("driver") if picture.is_running else None
    return "unknown" if row is None else "present" if row["is_present"] else "no_driver"


def not_declared() -> list[int]:
    """Numbers of boards that the driver lists and no row has."""
    known = map(driver.declared, boards())
    return [one.index for one in driver.differences(known, driver.found_in(live.now().rows("khomp"))) if one.code == driver.NOT_DECLARED]
