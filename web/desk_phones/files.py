"""GET /provisioning/BRAND/… : what desk phones ask for (SYS-01 to SYS-05). Open to everybody; doors.py says who gets what.

Whatever is wrong, the answer is the same, and too many wrong ones from an address end in 429. Addresses hold secrets: none is
logged, neither here nor by nginx.
"""

import logging

from flask import Blueprint, Response, request
from flask_limiter import RequestLimit

from appliance import db as ground
from appliance.db import db
from appliance.desk_phones import doors, files
from appliance.desk_phones.doors import Admitted, Visit
from web.limits import limiter
from web.login import public

log = logging.getLogger("bentevi.provisioning")

pages = Blueprint("provisioning", __name__)

WRONG_ONES = "20 per minute; 120 per hour"  # a phone that starts asks for a few files that are not there; who tries MACs asks for thousands


def _too_many(_limit: RequestLimit) -> Response:
    log.warning("refused everything from %s for a while: too many wrong requests", request.remote_addr)
    return _plain("Too many requests\n", 429)


@pages.get("/provisioning/<path:asked>")
@limiter.limit(WRONG_ONES, deduct_when=lambda answer: answer.status_code == 404, on_breach=_too_many)
@public
def file(asked: str) -> Response:
    """The file, for a device that may have it now."""
    brand, _slash, path = asked.partition("/")
    wanted = files.asked(brand, path)
    ground.read_only()
    if wanted is None or not files.is_host(request.host):
        return _plain("Not found\n", 404)
    visit = Visit(wanted, request.remote_addr or "", request.headers.get("User-Agent", ""))
    found = _let_in(visit) if doors.is_welcome(visit) else None
    if found is None:
        return _plain("Not found\n", 404)
    if wanted.kind == files.PHONEBOOK:
        text, kind = files.phonebook(wanted.format)
    else:
        text, kind = files.configuration(found.phone, found.extension, found.key, files.Place(request.host, request.is_secure))
    return Response(text, content_type=f"{kind}; charset=utf-8")


def _let_in(visit: Visit) -> Admitted | None:
    """Once more, as one who writes."""
    db.session.rollback()
    found = doors.let_in(visit)
    db.session.commit()
    ground.read_only()
    return found


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
