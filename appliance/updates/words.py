"""What an update may be refused for, or end with: one code each, with its sentence. The root side keeps codes; pages say them in the person's language."""

from typing import Any

from appliance.errors import Refused


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


WORDS = {
    "nothing": N_("Nothing newer is there."),
    "not_update": N_("This is no update file of Bentevi. Its name ends in .update and it is sent as it is, not unpacked."),
    "truncated": N_("The file is not complete: %(has)s bytes, %(needs)s are needed. Copy or send it again."),
    "too_long": N_("The file holds more than the update it says it is. Copy or send it again."),
    "forged": N_("The signature of the file is not one this exchange trusts. It was changed on its way, or somebody else made it. Get it from where you got Bentevi."),
    "unknown_format": N_("This file was made for a newer way of updating. Install the ISO of that version and keep the data."),
    "other_product": N_("This file is for another product (%(product)s)."),
    "older": N_("%(version)s is older than the version that is installed (%(here)s). Going back needs --downgrade at the console."),
    "same": N_("%(version)s is installed already."),
    "too_far": N_("This update can follow version %(needs)s or newer; %(here)s is installed. Install an update in between first."),
    "damaged": N_("What the file holds is not what was signed: it was damaged on its way. Copy or send it again."),
    "no_file": N_("There is no update file: send one, or put a USB stick with it into the machine."),
    "no_address": N_("Say first at which address the newest update file is (Update policy)."),
    "no_answer": N_("The address does not answer, or broke off (%(why)s). What was fetched is kept; it goes on from there next time."),
    "not_there": N_("The address answers with status %(status)s instead of the file."),
    "no_second_root": N_("This disk has no second partition for the product (it is smaller than 20 GB). Update with the ISO: it offers to renew the product and "
                         "keep the data."),
    "not_default": N_("The machine runs on a partition it would not start by itself. Restart it first."),
    "no_room": N_("The data partition has %(free)s MB free, %(needed)s MB are needed. Remove old recordings or backups."),
    "busy": N_("An update is under way already."),
    "no_backup": N_("The backup before the update failed, so nothing was changed: %(why)s"),
    "not_written": N_("The new version could not be written beside the running one: %(why)s"),
    "not_appliance": N_("This installation runs from a checkout; it is updated with git pull and ./bentevi up."),
    "cut_off": N_("It was cut off before the restart; the version before runs, nothing was changed."),
    "cancelled": N_("It was cancelled before the restart; nothing was changed."),
    "never_up": N_("The new version did not come up; the machine went back by itself."),
    "silent": N_("These did not answer in the new version: %(names)s"),
    "not_applied": N_("The new version could not put the configuration into force: %(why)s"),
    "test_call": N_("The test call failed in the new version: %(why)s"),
    "wrong_version": N_("What started is version %(here)s, not %(version)s."),
    "by_hand": N_("Somebody asked for the version before."),
    "nothing_before": N_("There is no version before to return to."),
    "other_tables": N_("The version before has other tables. Returning brings its rows back as they were before the update; what was changed since is lost. "
                       "Say --rows-back at the console if that is wanted."),
}  # fmt: skip


class NotGood(Refused):
    """Refused, with a code that survives a restart. `values` are for the sentence; never secrets."""

    def __init__(self, code: str, **values: Any) -> None:
        self.code, self.values = code, values
        super().__init__(told(code, values))


def told(code: str, values: dict[str, Any]) -> str:
    """The sentence of a code, in the language of whoever reads. A code of a newer version is said as it is."""
    if code not in WORDS:
        return code
    # Large, and root's side reads this table at every start of the machine, long before anybody is told anything.
    from flask_babel import gettext

    try:
        return gettext(WORDS[code], **values) if values else gettext(WORDS[code])
    except KeyError:
        return code
