"""What holds for the whole exchange → emergency numbers, overflow rules, number formats."""

from appliance.company import protocol
from appliance.company.model import Company
from appliance.db import db
from appliance.dialing_profiles.config import context
from appliance.resource import SINGLE_ID
from appliance.telephony.render import render
from appliance.trunks.config import trunks


def current() -> Company:
    """The one row."""
    return db.session.get_one(Company, SINGLE_ID)


def extensions_conf() -> str:
    """Emergency, overflow and number formats."""
    company = current()
    return render(
        "company.extensions.conf.j2", company=company, emergency_numbers=company.emergency_numbers, prefix=company.external_line_prefix,
        trunks=[{"id": trunk.id} for trunk in trunks() if trunk.enabled], overflow_routes=context(company.overflow_profile_id),
        overflow_international="yes" if company.overflow_international else "no",
        overflow_calls_per_day=company.overflow_calls_per_day, timezone=company.timezone, country_code=company.country_code,
        area_code=company.area_code, protocol_parts=[protocol.MARKS.get(part, part) for part in company.protocol_format or ()],
        protocol_digits=company.protocol_digits, protocol_keys=protocol.keys(company),
    )
