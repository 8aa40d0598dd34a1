"""The button “Restore defaults” of the feature codes (FEA-01)."""

from flask import Blueprint, abort, redirect, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from appliance import applying
from appliance.db import db
from appliance.errors import Refused
from appliance.feature_codes.model import current, defaults, resource
from web import crud
from web.login import needs

pages = Blueprint("feature_codes_defaults", __name__)


@pages.post("/feature_codes/defaults")
@needs("feature_codes")
def restore() -> ResponseReturnValue:
    """All codes and times as a new exchange has them."""
    if not crud.may_write(resource):
        abort(403)
    try:
        resource.update(current(), defaults())
        attempt = applying.ask_if_wanted()
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        session["refused"] = str(why)
        return redirect("/feature_codes")
    crud.relay()
    session["saved"] = _("Saved.") if attempt else _("Saved, to be applied.")
    return redirect(f"/apply/{attempt.id}" if attempt else "/feature_codes")
