"""The feature password, asked by the dialplan: what is typed never reaches a log, a record or an argument."""

from sqlalchemy import select

from appliance import db as ground
from appliance.db import db
from appliance.telephony.agi import Asked, Variables
from appliance.users import password as passwords
from appliance.users.model import User


def password(asked: Asked) -> Variables:
    """(extension id): BENTEVI_PASSED is the id of the person of that extension whose feature password was typed, "" for nobody's."""
    ground.read_only()  # whoever writes meanwhile keeps nobody waiting
    extension_id = asked.arguments[0]
    people = select(User).where(User.extension_id == int(extension_id), User.active).order_by(User.id) if extension_id.isdigit() else None
    for user in db.session.scalars(people) if people is not None else ():
        if user.feature_pin and asked.typed and passwords.fits(asked.typed, user.feature_pin):
            return {"BENTEVI_PASSED": str(user.id), "BENTEVI_PERSON": user.login}
    return {"BENTEVI_PASSED": ""}
