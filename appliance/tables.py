"""Every table there is: importing this declares those that no resource brings. Migrations, moves and backups stand on it."""

from appliance import alarms, changes, lanes, numbering, resources
from appliance.address_policy import bans
from appliance.assistant import model as assistant
from appliance.backup_policy import attempts
from appliance.blacklists import imports as blacklist_imports
from appliance.calls import raw, totals, visit_totals
from appliance.imports import model as imports
from appliance.missed_calls import model as missed_calls
from appliance.recordings import check
from appliance.reports import model as reports
from appliance.revisions import model as revisions
from appliance.users import letters, token

__all__ = [
    "alarms", "assistant", "attempts", "bans", "blacklist_imports", "changes", "check", "imports", "lanes", "letters", "missed_calls", "numbering", "raw", "reports",
    "resources", "revisions", "token", "totals", "visit_totals",
]
