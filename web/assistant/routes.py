"""The assistant of a new home: a page per step, from the company's name to the first call outside (SYS-15). Administrators only."""

from typing import Any
from urllib.parse import quote

import segno
from flask import Blueprint, abort, current_app, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape
from sqlalchemy import select

from appliance import applying, changes, live, ports, settings
from appliance.assistant import brazil, calls, model, steps
from appliance.assistant.live import OUTSIDE
from appliance.assistant.model import SKIPPED, STEPS
from appliance.db import db
from appliance.errors import Busy, Refused
from appliance.extensions.model import Extension
from appliance.numbers import AREA_CODES
from appliance.resource import TABLE
from appliance.revisions.model import Attempt
from appliance.telephony import runtime, sip_probe
from appliance.trunks.model import BY_IP, RECEIVES, SENDS
from web import apply, crud, panel
from web.assistant import told
from web.limits import limiter
from web.login import needs

pages = Blueprint("assistant", __name__)
TITLES = {
    model.COMPANY: _l("Company"), model.EXTENSIONS: _l("Extensions"), model.TRUNK: _l("Trunk"), model.NUMBERS: _l("Numbers"),
    model.PHONES: _l("Phones"), model.CALLS: _l("Test calls"),
}
FIRST_LINES, MORE_LINES = 5, 10
TRUNK_FIELDS = ("name", "authentication", "host", "port", "username", "password", "caller_id")


@pages.get("/assistant")
@needs("assistant")
def start() -> ResponseReturnValue:
    """The first open step; when all are done, how it ended."""
    row = model.shown()
    step = row.next_step()
    return redirect(f"/assistant/{step}") if step else page("done")


@pages.post("/assistant/leave")
@needs("assistant")
def leave() -> ResponseReturnValue:
    """Go on without it."""
    model.leave()
    db.session.commit()
    return redirect("/")


@pages.post("/assistant/<step>/skip")
@needs("assistant")
def skip(step: str) -> ResponseReturnValue:
    """The next step without this one."""
    if step not in STEPS or step == model.COMPANY:
        abort(404)
    steps.skip(step)
    db.session.commit()
    return redirect("/assistant")


def page(step: str, **values: Any) -> str:
    """The page of a step with the bar of all steps."""
    row = model.shown()
    bar = [(name, TITLES[name], row.state(name)) for name in STEPS]
    trouble = ports.sip_trouble(settings.load()) if step in (model.TRUNK, model.PHONES, model.CALLS) else None
    common: dict[str, Any] = {"step": step, "bar": bar, "messages": {}, "refusal": None, "port_line": told.port(trouble) if trouble else None}
    return render_template(f"assistant/{step}.html", **common | values)


def after(step: str) -> ResponseReturnValue:
    """The step that follows in order: going back to change one answer leads on from there."""
    place = STEPS.index(step) + 1
    state = model.shown()
    following = next((name for name in STEPS[place:] if state.state(name) != SKIPPED), "")
    return redirect(f"/assistant/{following}" if following else "/assistant")


# -------------------------------------------------------------------------------------------------------------- company


@pages.get("/assistant/company")
@needs("assistant")
def company() -> ResponseReturnValue:
    """Name, area code, zone, outside digits."""
    row = steps.company()
    values = {name: getattr(row, name) for name in ("name", "cnpj", "area_code", "external_line_prefix")}
    is_new = not model.shown().state(model.COMPANY)
    zone = "" if is_new or row.timezone == brazil.zone(row.area_code) else row.timezone
    untouched = is_new and row.name == TABLE["company"].fields["name"].default
    return page(model.COMPANY, values=values | {"timezone": zone} | ({"name": ""} if untouched else {}), **_places())


def _places() -> dict[str, Any]:
    zones = sorted(set(brazil.ZONES.values()) | {"America/Sao_Paulo", "America/Noronha"})
    return {"area_codes": AREA_CODES, "zones": zones, "fields": TABLE["company"].fields}


@pages.post("/assistant/company")
@needs("assistant")
def save_company() -> ResponseReturnValue:
    """Save it and go on."""
    values = {name: request.form.get(name, "") for name in ("name", "cnpj", "area_code", "timezone", "external_line_prefix")}
    try:
        steps.save_company(values)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return page(model.COMPANY, values=values, messages=why.messages, refusal=why, **_places()), 422
    return after(model.COMPANY)


# ----------------------------------------------------------------------------------------------------------- extensions


@pages.get("/assistant/extensions")
@needs("assistant")
def extensions() -> ResponseReturnValue:
    """A table to fill in; what there is stands above it."""
    there = _extensions()
    count = 1 if there else FIRST_LINES
    return page(model.EXTENSIONS, there=there, lines=[(number, "") for number in steps.proposed(count)])


def _extensions() -> list[Extension]:
    return list(db.session.scalars(select(Extension).order_by(Extension.number)))


def _posted_lines() -> list[tuple[str, str]]:
    numbers, names = request.form.getlist("number"), request.form.getlist("name")
    return list(zip(numbers, names, strict=False))[: steps.MOST_LINES]


@pages.post("/assistant/extensions/_rows")
@needs("assistant")
def more_rows() -> ResponseReturnValue:
    """The table with ten more lines, or with the lines that were pasted. Nothing is saved."""
    lines = _posted_lines()
    text = request.form.get("pasted", "")
    if text.strip():
        lines = [line for line in lines if line[1].strip()]
        lines += steps.pasted(text, [number for number, _name in lines])
    else:
        lines += [(number, "") for number in steps.proposed(MORE_LINES, [number for number, _name in lines])]
    db.session.rollback()
    return render_template("assistant/_lines.html", lines=lines, messages={})


@pages.post("/assistant/extensions")
@needs("assistant")
def save_extensions() -> ResponseReturnValue:
    """Create them, all or none; what is wrong stands at its cell."""
    lines = _posted_lines()
    try:
        steps.save_extensions(lines)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return page(model.EXTENSIONS, there=_extensions(), lines=lines, messages=why.messages, refusal=why), 422
    return after(model.EXTENSIONS)


# ---------------------------------------------------------------------------------------------------------------- trunk


@pages.get("/assistant/trunk")
@needs("assistant")
def trunk() -> ResponseReturnValue:
    """The carrier's data; a trunk that is saved is looked at by the page itself."""
    row = steps.trunk()
    values = TABLE["trunks"].show(row) if row else {"name": _("Carrier"), "authentication": SENDS, "port": 5060}
    return page(model.TRUNK, values=values, row=row, **_trunk_words(), checks="checked" in request.args,
                generated=session.pop("trunk_password", ""))


def _trunk_words() -> dict[str, Any]:
    kinds = {
        SENDS: (_("With user and password"), _("The carrier gave you a user and a password: the exchange registers there. The usual way.")),
        BY_IP: (_("By IP"), _("The carrier knows the address of this server; there is no password.")),
        RECEIVES: (_("A gateway registers here"), _("A box for analogue lines or mobile chips, with the user and password that you choose.")),
    }
    return {"kinds": kinds, "fields": TABLE["trunks"].fields}


@pages.post("/assistant/trunk")
@needs("assistant")
def save_trunk() -> ResponseReturnValue:
    """Save it, whatever a look at the carrier would say; then the page looks."""
    values: dict[str, Any] = {name: request.form.get(name, "") for name in TRUNK_FIELDS}
    if not values["password"]:
        del values["password"]
    if not values["port"]:
        values["port"] = 5060
    try:
        row = steps.save_trunk(values)
        generated = getattr(row, "generated", {}).get("password", "")
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return page(model.TRUNK, values=values, row=steps.trunk(), messages=why.messages, refusal=why, **_trunk_words(), checks=False), 422
    if generated:
        session["trunk_password"] = generated
    return redirect("/assistant/trunk?checked#check")


@pages.post("/assistant/trunk/_check")
@needs("assistant")
@limiter.limit("30/minute")
def check_trunk() -> ResponseReturnValue:
    """Ask the carrier now: does it answer, are user and password right. Takes some seconds."""
    row = steps.trunk()
    if row is None:
        abort(404)
    asked = (row.host, row.port, row.username if row.authentication == SENDS else "", row.password or "")
    receives = row.authentication == RECEIVES
    db.session.rollback()  # nobody waits for the network with us
    if receives:
        return render_template("assistant/_probe.html", lines=[], receives=True, raw="", is_good=False)
    found = sip_probe.ask(*asked)
    return render_template("assistant/_probe.html", lines=told.probe(found), receives=False, raw="\n".join(found.lines), is_good=found.is_good)


# -------------------------------------------------------------------------------------------------------------- numbers


@pages.get("/assistant/numbers")
@needs("assistant")
def numbers() -> ResponseReturnValue:
    """Which numbers may be dialled, and whose phone rings."""
    asked = steps.numbers()
    there = _extensions()
    if not asked.lines and not asked.default:
        row = steps.trunk()
        asked.default = there[0].number if there else ""
        asked.lines = [(row.caller_id, asked.default)] if row and row.caller_id else []
    return page(model.NUMBERS, asked=asked, **_number_words(there))


def _number_words(there: list[Extension]) -> dict[str, Any]:
    home = steps.company()
    return {"there": there, "kinds": brazil.KINDS, "formats": brazil.FORMATS, "home": home, "trunk": steps.trunk(),
            "local_since": brazil.local_since(home.area_code), "state": AREA_CODES.get(home.area_code, "")}


@pages.post("/assistant/numbers")
@needs("assistant")
def save_numbers() -> ResponseReturnValue:
    """Routes, profile and inbound route."""
    lines = list(zip(request.form.getlist("did"), request.form.getlist("rings"), strict=False))
    asked = steps.Numbers(request.form.getlist("kind"), request.form.get("number_format", ""), lines, request.form.get("default", ""))
    try:
        steps.save_numbers(asked)
        db.session.commit()
    except Refused as why:
        db.session.rollback()
        return page(model.NUMBERS, asked=asked, messages=why.messages, refusal=why, **_number_words(_extensions())), 422
    return after(model.NUMBERS)


# --------------------------------------------------------------------------------------------------------------- phones


@pages.get("/assistant/phones")
@needs("assistant")
def phones() -> ResponseReturnValue:
    """Apply with its steps, then the data each phone needs, and whether it registered."""
    attempt = db.session.get(Attempt, request.args.get("attempt", 0, type=int))
    steps_ = apply.facts(attempt.id) if attempt else {}
    return page(model.PHONES, there=_extensions(), waiting=len(changes.pending()), trunk=steps.trunk(), **{"attempt": None} | steps_)


@pages.post("/assistant/phones/apply")
@needs("assistant")
def put_in_force() -> ResponseReturnValue:
    """Apply everything pending; pressed twice, the second finds the first at work."""
    running = db.session.scalar(select(Attempt).where(Attempt.state.in_(("queued", "running"))).order_by(Attempt.id.desc()).limit(1))
    if running is None and changes.pending():
        running = applying.ask(_("assistant"))
    db.session.commit()
    crud.relay()
    return redirect(f"/assistant/phones?attempt={running.id}" if running else "/assistant/phones")


@pages.post("/assistant/phones/<int:row_id>/_data")
@needs("assistant")
def phone_data(row_id: int) -> ResponseReturnValue:
    """QR code and data of one phone, password included: who looked is written down."""
    row = db.session.get(Extension, row_id) or abort(404)
    changes.record("extensions", row.id, TABLE["extensions"].title(row), "shown", {}, {"password": "shown"}, pending=False)
    facts = {"server": server(), "port": ports.listening(settings.load()).sip, "user": row.number, "password": row.password, "name": row.name}
    db.session.commit()
    return render_template("assistant/_phone.html", facts=facts, qr=qr_code(facts))


def server() -> str:
    """The address a phone writes as its server: the one this browser reached, where the exchange listens on all."""
    bind = settings.load().bind
    return request.host.rsplit(":", 1)[0] if bind in ("0.0.0.0", "::") else bind


def qr_code(facts: dict[str, Any]) -> Markup:
    """The account as Grandstream Wave reads it (AccountConfig), drawn dark on white whatever the theme."""
    host = facts["server"] if facts["port"] == 5060 else f"{facts['server']}:{facts['port']}"
    tags = {"RegisterServer": host, "OutboundServer": "", "UserID": facts["user"], "AuthID": facts["user"], "AuthPass": facts["password"],
            "AccountName": facts["user"], "DisplayName": facts["name"]}
    inside = Markup().join(Markup("<{0}>{1}</{0}>").format(Markup(tag), escape(text)) for tag, text in tags.items())
    text = f'<?xml version="1.0" encoding="utf-8"?><AccountConfig version="1"><Account>{inside}</Account></AccountConfig>'
    return Markup(segno.make(text, error="m").svg_inline(scale=4, dark="#000", light="#fff", border=4))  # our own drawing: digits and colours


@pages.post("/assistant/phones")
@needs("assistant")
def phones_done() -> ResponseReturnValue:
    """On to the test calls."""
    model.taken().mark(model.PHONES)
    db.session.commit()
    return after(model.PHONES)


@pages.post("/assistant/restart")
@needs("assistant")
def restart() -> ResponseReturnValue:
    """Start Asterisk anew, for a port that was taken; the supervisor brings it back."""
    control = runtime.control(settings.load())
    if ports.sip_trouble(settings.load()) and runtime.is_running(control):
        runtime.command(control, "core stop now")
        session["saved"] = _("Asterisk is restarting; phones come back by themselves.")
    return redirect("/assistant/phones")


# ---------------------------------------------------------------------------------------------------------------- calls


@pages.get("/assistant/calls")
@needs("assistant")
def test_calls() -> ResponseReturnValue:
    """The phone rings and is heard; then the first call outside."""
    return _calls_page(request.args.get("extension", ""), request.args.get("number", ""))


def _calls_page(chosen: str, number: str, **more: Any) -> str:
    picture, known = live.now(), panel.names()
    there = [(row, bool(picture.rows("extensions").get(row.number, {}).get("contacts"))) for row in _extensions()]
    chosen = chosen or next((row.number for row, is_there in there if is_there), "")
    items = [Markup(panel.render(current_app.jinja_env, item)) for item in told.items(picture, known)]  # by our templates, with their escaping
    return page(model.CALLS, there=there, chosen=chosen, number=number, tests=Markup().join(items), trunk=steps.trunk(), **more)


@pages.post("/assistant/calls/<any(echo, outside):kind>")
@needs("assistant")
@limiter.limit("30/minute")
def begin(kind: str) -> ResponseReturnValue:
    """Ring the chosen phone; for a call outside, only when a route takes the number."""
    chosen, number = request.form.get("extension", ""), request.form.get("number", "")
    try:
        row = TABLE["extensions"].find(chosen)
        if row is None:
            raise Refused(_("Choose the extension that rings."), field="extension")
        dialled = steps.dialled(number) if kind == OUTSIDE else ""
        if kind == OUTSIDE:
            steps.way_out(row, dialled)
        calls.begin(kind, row, dialled)
        db.session.commit()
    except (Refused, Busy) as why:
        db.session.rollback()
        messages = why.messages if isinstance(why, Refused) else {}
        return _calls_page(chosen, number, refusal=why, messages=messages), 422
    return redirect(f"/assistant/calls?extension={row.number}" + (f"&number={quote(number)}" if dialled else ""))


@pages.post("/assistant/calls/<any(echo, outside):kind>/<int:row_id>/end")
@needs("assistant")
def end(kind: str, row_id: int) -> ResponseReturnValue:
    """Hang up a test that runs."""
    calls.end(kind, row_id)
    return "", 204


@pages.post("/assistant/calls")
@needs("assistant")
def calls_done() -> ResponseReturnValue:
    """The last step is done."""
    model.taken().mark(model.CALLS)
    db.session.commit()
    return redirect("/assistant")
