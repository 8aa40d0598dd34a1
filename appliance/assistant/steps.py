"""What each step of the assistant saves: ordinary rows through their resources, so that screen, API, audit and numbering see the same.

A step saved twice (a second press, the back button, a reload) changes the rows it made and makes none again. Nothing here commits.
"""

import re
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from appliance import masks, numbering
from appliance.assistant import brazil
from appliance.assistant.model import COMPANY, EXTENSIONS, NUMBERS, SKIPPED, TRUNK, Assistant, shown, taken
from appliance.company.model import Company
from appliance.db import db
from appliance.dialing_profiles.model import DialingProfile
from appliance.errors import Refused
from appliance.extensions.model import Extension
from appliance.numbers import digits, national
from appliance.outbound_routes.model import OutboundRoute
from appliance.resource import SINGLE_ID, TABLE
from appliance.trunks.model import Trunk

FIRST_NUMBER = 1001
MOST_LINES = 200
PROFILE, INBOUND = "profile", "inbound"


def company() -> Company:
    """The company's row."""
    return db.session.get_one(Company, SINGLE_ID)


def save_company(values: dict[str, Any]) -> None:
    """Name, tax number, area code, zone ("" for the area code's own) and outside digits. Raises Refused."""
    zone = values.get("timezone") or brazil.zone(values.get("area_code", ""))
    assistant = taken()
    TABLE["company"].update(company(), values | {"timezone": zone})
    assistant.mark(COMPANY)


# ----------------------------------------------------------------------------------------------------------- extensions


def proposed(count: int, used: list[str] | None = None) -> list[str]:
    """The next free numbers after the highest extension there is or is being written."""
    there = [*db.session.scalars(select(Extension.number)), *(used or [])]
    at = max([int(number) for number in there if re.fullmatch("[0-9]{2,6}", number)], default=FIRST_NUMBER - 1)
    found: list[str] = []
    while len(found) < count and at < 999_999:
        at += 1
        if not 190 <= at <= 199 and numbering.holder(str(at)) is None:
            found.append(str(at))
    return found


def pasted(text: str, used: list[str]) -> list[tuple[str, str]]:
    """(number, name) of lines copied from a spreadsheet, in either order of columns; a name alone gets a proposed number."""
    lines = [[cell.strip() for cell in re.split(r"\t|;|,(?=\S)", line)] for line in text.splitlines() if line.strip()][:MOST_LINES]
    found = []
    for cells in lines:
        number = next((cell for cell in cells if re.fullmatch(r"[0-9]{1,10}", cell)), "")
        name = next((cell for cell in cells if cell and cell != number), "")
        if name or number:
            found.append((number, name))
    free = iter(proposed(len(found), [*used, *(number for number, _name in found)]))
    return [(number or next(free, ""), name) for number, name in found]


def save_extensions(lines: list[tuple[str, str]]) -> int:
    """Create an extension for each line with a name; how many are new. All or none.

    A line that an extension has already, number and name, is that extension. Raises Refused with a message per cell:
    `number-3` is the number of the fourth line.
    """
    assistant, resource = taken(), TABLE["extensions"]
    profile = assistant.row("dialing_profiles", PROFILE)
    messages: dict[str, str] = {}
    made = 0
    for index, (number, name) in enumerate(lines[:MOST_LINES]):
        known = resource.find(number.strip())
        if not name.strip() or (known is not None and known.name == name.strip()):
            continue
        values = {"number": number, "name": name} | ({"dialing_profile": profile.name} if profile else {})
        try:
            with db.session.begin_nested():
                resource.create(values)
            made += 1
        except Refused as why:
            told = why.messages or {"number": str(why)}
            messages |= {f"{field if field in ('number', 'name') else 'number'}-{index}": text for field, text in told.items()}
    if messages:
        raise Refused(next(iter(messages.values())), messages=messages)
    if db.session.scalar(select(Extension.id).limit(1)) is None:
        raise Refused(_("Write the name of at least one extension."), field="name-0")
    assistant.mark(EXTENSIONS)
    return made


# ---------------------------------------------------------------------------------------------------------------- trunk


def trunk() -> Trunk | None:
    """The trunk of the assistant, or the only one there is."""
    found: Trunk | None = taken_trunk(None)
    return found


def taken_trunk(assistant: Assistant | None) -> Any | None:
    """The same, with the assistant's row at hand."""
    row = (assistant or shown()).row("trunks", TRUNK)
    if row is not None:
        return row
    all_ = list(db.session.scalars(select(Trunk).order_by(Trunk.id).limit(2)))
    return all_[0] if len(all_) == 1 else None


def save_trunk(values: dict[str, Any]) -> Trunk:
    """Create or change the trunk. Numbers the carrier delivers are brought to area code and number. Raises Refused."""
    assistant, resource = taken(), TABLE["trunks"]
    row = taken_trunk(assistant) or resource.find(values.get("name", ""))
    if row is None:
        row = resource.create({"number_format": "national"} | values)
    else:
        resource.update(row, values)
    assistant.note(TRUNK, row.id)
    assistant.mark(TRUNK)
    found: Trunk = row
    return found


def skip(step: str) -> None:
    """Go on without a step; without a trunk there are no outside numbers either."""
    assistant = taken()
    assistant.mark(step, SKIPPED)
    if step == TRUNK:
        assistant.mark(NUMBERS, SKIPPED)


# -------------------------------------------------------------------------------------------------------------- numbers


@dataclass
class Numbers:
    """What the step asks: kinds of number, the digits the carrier wants, whose phone rings."""

    kinds: list[str]
    number_format: str
    lines: list[tuple[str, str]]  # (number of ours, extension that rings)
    default: str                  # extension that takes everything else, "" for none


def numbers() -> Numbers:
    """The choice as the rows say it; the usual one where there are none yet."""
    assistant = shown()
    made = {mask for route in brazil.ROUTES if (row := assistant.row("outbound_routes", route)) for mask in _lines_of(row)}
    found = Numbers(list(brazil.USUAL), brazil.NATIONAL, [], "")
    fitting = {number_format: [kind for kind in brazil.KINDS if set(_flat(brazil.rules(company().area_code, [kind], number_format))) <= made]
               for number_format in brazil.FORMATS}
    best = max(fitting, key=lambda number_format: len(fitting[number_format]))  # kinds that go as they are fit every format
    if made:
        found.kinds, found.number_format = fitting[best], best
    inbound = assistant.row("inbound_routes", INBOUND)
    for rule in TABLE["inbound_routes"].show(inbound)["rules"] if inbound else []:
        number = rule["destination"].get("extension") if rule["destination"] else None
        if number and rule["default"]:
            found.default = number
        elif number:
            found.lines.append((rule["mask"], number))
    return found


def _flat(rules: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int, str]]:
    return [(rule["mask"], rule["strip"], rule["prepend"]) for lines in rules.values() for rule in lines]


def _lines_of(route: OutboundRoute) -> list[tuple[str, int, str]]:
    return [(rule["mask"], rule["strip"], rule["prepend"]) for rule in route.rules]


def save_numbers(asked: Numbers) -> None:
    """Outbound routes of the chosen kinds, a profile with them for every extension without one, and the inbound route. Raises Refused."""
    assistant = taken()
    line = taken_trunk(assistant)
    if line is None:
        raise Refused(_("There is no trunk yet. Save one in the step before."))
    if asked.number_format not in brazil.FORMATS:
        raise Refused(_("Choose how the carrier wants the numbers."), field="number_format")
    kinds = [kind for kind in asked.kinds if kind in brazil.KINDS]
    names = _save_routes(assistant, line.name, kinds, asked.number_format)
    _save_profile(assistant, names, "paid" in kinds)
    _remove_routes(assistant, kinds)
    _save_inbound(assistant, line.name, asked)
    assistant.mark(NUMBERS)


def _save_routes(assistant: Assistant, trunk_name: str, kinds: list[str], number_format: str) -> list[str]:
    external = bool(company().external_line_prefix)
    names = []
    for route, rules in brazil.rules(company().area_code, kinds, number_format).items():
        lines = [rule | {"external_line": external, "trunk": trunk_name} for rule in rules]
        names.append(_save(assistant, "outbound_routes", route, str(brazil.ROUTES[route]), {"rules": lines}).name)
    return names


def _save_profile(assistant: Assistant, routes: list[str], premium: bool) -> None:
    if not routes and assistant.row("dialing_profiles", PROFILE) is None:
        return
    values = {"outbound_routes": routes, "premium_calls": premium}
    profile = _save(assistant, "dialing_profiles", PROFILE, _("Complete"), values)
    for extension in db.session.scalars(select(Extension).where(Extension.dialing_profile_id.is_(None)).order_by(Extension.number)).all():
        TABLE["extensions"].update(extension, {"dialing_profile": profile.name})


def _remove_routes(assistant: Assistant, kinds: list[str]) -> None:
    """Routes of kinds that are not wanted any more go, unless somebody else uses them."""
    wanted = {brazil.KINDS[kind].route for kind in kinds}
    for route in brazil.ROUTES:
        row = assistant.row("outbound_routes", route)
        if row is None or route in wanted:
            continue
        try:
            with db.session.begin_nested():
                TABLE["outbound_routes"].delete(row)
        except Refused:
            continue  # it stays, out of the profile: what else uses it is the person's own choice


def _save_inbound(assistant: Assistant, trunk_name: str, asked: Numbers) -> None:
    rules: list[dict[str, Any]] = []
    for index, (number, extension) in enumerate(asked.lines):
        if number.strip() and extension:
            rules.append({"mask": national(digits(number)), "destination": {"extension": extension}})
        elif number.strip():
            raise Refused(_("Choose the extension that rings."), field=f"rings-{index}")
    if asked.default:
        rules.append({"default": True, "destination": {"extension": asked.default}})
    if rules:
        _save(assistant, "inbound_routes", INBOUND, _("Incoming calls"), {"trunks": [trunk_name], "rules": rules})


def _save(assistant: Assistant, word: str, purpose: str, name: str, values: dict[str, Any]) -> Any:
    """The row of a purpose with these values; a new one gets a name nobody has."""
    resource, row = TABLE[word], assistant.row(word, purpose)
    if row is not None:
        resource.update(row, values)
        return row
    free = next(one for one in (name, *(f"{name} {count}" for count in range(2, 1000))) if resource.find(one) is None)
    row = resource.create({"name": free} | values)
    assistant.note(purpose, row.id)
    return row


# ---------------------------------------------------------------------------------------------------------- a test call


def dialled(text: str) -> str:
    """What a person here dials for an outside number, written in any way. Raises Refused for what is none, and for emergencies."""
    home = company()
    number = digits(text)
    if number in home.emergency_numbers or number.removeprefix(home.external_line_prefix) in home.emergency_numbers:
        raise Refused(_("Do not test with an emergency number. Use your own mobile."), field="number")
    rest = number.removeprefix(home.external_line_prefix)
    bare = rest if len(rest) in (8, 9) else national(number, home.country_code)
    if len(bare) in (10, 11) and bare.isdigit() and not bare.startswith("0"):
        bare = bare[2:] if bare.startswith(home.area_code) else f"0{bare}"
    if len(bare) < 3 or not bare.isdigit():
        raise Refused(_("Write a telephone number with area code, for example (48) 99999-1234."), field="number")
    return home.external_line_prefix + bare


def way_out(extension: Extension, number: str) -> Trunk | None:
    """The trunk a dialled number would leave by. Raises Refused when the extension has no way for it."""
    profile = db.session.get(DialingProfile, extension.dialing_profile_id) if extension.dialing_profile_id else None
    if profile is None:
        raise Refused(_("Extension %(number)s has no dialing profile, so it may not call outside. Save the step “Numbers”, or give it one.",
                        number=extension.number), field="extension", link=f"/extensions/{extension.id}")
    prefix = company().external_line_prefix
    for route_id in profile.outbound_routes:
        route = db.session.get(OutboundRoute, route_id)
        fitting = [rule for rule in (route.rules if route else []) if rule["enabled"] and _takes(rule, number, prefix)
                   and (not rule["restrict_to"] or extension.id in rule["restrict_to"])]
        if fitting:
            best = min(fitting, key=lambda rule: masks.specificity(rule["mask"]))
            return db.session.get(Trunk, best["trunk"])
    raise Refused(_("No outbound route of the profile %(profile)s takes %(number)s. Choose that kind of number in the step “Numbers”.",
                    profile=profile.name, number=number), field="number", link=f"/dialing_profiles/{profile.id}")


def _takes(rule: dict[str, Any], number: str, prefix: str) -> bool:
    before = prefix if rule["external_line"] else ""
    return number.startswith(before) and masks.matches(rule["mask"], number[len(before):])
