"""How instants, durations and telephone numbers look; Jinja filters."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import g
from flask_babel import format_datetime, format_decimal
from flask_babel import lazy_gettext as _l
from jinja2 import Environment

from appliance.company.model import Company
from appliance.db import db
from appliance.numbers import pretty
from appliance.reports.columns import duration
from appliance.resource import SINGLE_ID


def zone() -> ZoneInfo:
    """The company's zone, read once per request."""
    if "zone" not in g:
        company = db.session.get(Company, SINGLE_ID)
        g.zone = ZoneInfo(company.timezone if company else "America/Sao_Paulo")
    found: ZoneInfo = g.zone
    return found


def instant(value: datetime | None) -> str:
    """20/11/2026 14:05 in the company's zone; stored instants never move."""
    if value is None:
        return ""
    local = value.replace(tzinfo=value.tzinfo or UTC).astimezone(zone()).replace(tzinfo=None)
    return format_datetime(local, "dd/MM/yyyy HH:mm", rebase=False)


def instant_seconds(value: datetime | None) -> str:
    """20/11/2026 14:05:06 in the company's zone."""
    return f"{_local(value):%d/%m/%Y %H:%M:%S}" if value else ""


def clock_time(value: datetime) -> str:
    """14:05:06 in the company's zone."""
    return f"{_local(value):%H:%M:%S}"


def _local(value: datetime) -> datetime:
    return value.replace(tzinfo=value.tzinfo or UTC).astimezone(zone())


def size(value: int) -> str:
    """48 kB or 1,2 MB."""
    return f"{max(1, value // 1000)} kB" if value < 1_000_000 else f"{value / 1_000_000:.1f} MB".replace(".", ",")


def seconds(value: float) -> str:
    """1:05 or 1:02:05; below a minute with one decimal and a unit."""
    if value < 60:
        return f"{value:.1f} s".replace(".", ",")
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(value: int) -> str:
    """A duration in whole seconds: 0:05, 1:05, 1:02:05."""
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


ACTIONS = {"created": _l("created"), "updated": _l("changed"), "deleted": _l("deleted"), "restored": _l("restored"),
           "shown": _l("password shown"), "listened": _l("listened"), "link made": _l("link made"), "acknowledged": _l("said to be known"),
           "test call": _l("test call"), "tried again": _l("tried again"), "forgotten": _l("removed from the list"), "hung_up": _l("ended the call"),
           "bundle": _l("bundle for support made"), "banned": _l("blocked for wrong passwords"), "unblocked": _l("unblocked"),
           "provision": _l("may be provisioned"), "reload": _l("told to reload")}


def action(word: str) -> str:
    """What was done to a row."""
    return str(ACTIONS.get(word, word))


OURS = {"system": _l("the system"), "first start": _l("first start")}


def ours(text: str) -> str:
    """A name or a reason; what the program itself wrote there is translated."""
    return str(OURS.get(text, text))


FILTERS = {"ours": ours, "thousands": format_decimal, "instant": instant, "seconds": seconds, "phone": pretty, "action": action,
           "instant_seconds": instant_seconds, "clock_time": clock_time, "duration": duration, "clock": clock, "size": size}


def prepare(environment: Environment) -> None:
    """What the templates of the pages expect of their environment."""
    environment.filters.update(FILTERS)
    environment.trim_blocks = environment.lstrip_blocks = True
