"""The steps of an attempt to apply, for the page and for the stream: the same for everybody who may see them."""

from typing import Any

from flask_babel import lazy_gettext as _l

from appliance import db as ground
from appliance.db import db
from appliance.revisions.model import Attempt
from web.panel import Item

STEPS = {  # step of the pipeline → what the person reads
    "render": _l("Generate"), "write": _l("Write"), "check": _l("Check"), "shadow": _l("Try out"), "switch": _l("Switch"),
    "reload": _l("Load"), "look": _l("Confirm"), "canary": _l("Test call"), "prove": _l("Try a cold start"), "return": _l("Go back"),
}
SOMETIMES = ("canary", "prove", "return")  # shown when they happened; `write` is too short to show


def steps(attempt: Attempt) -> list[tuple[str, dict[str, Any]]]:
    """(name, step) in their order; those that did not begin wait."""
    by_name = {step["name"]: step for step in attempt.steps}
    names = [name for name in STEPS if name != "write" and (name not in SOMETIMES or name in by_name)]
    return [(name, by_name.get(name, {"state": "waiting", "seconds": 0})) for name in names]


def items(attempt_id: int) -> list[Item]:
    """The steps, and whether they are over: then the page asks for the outcome, which holds what only this person may see."""
    db.session.rollback()
    ground.read_only()
    attempt = db.session.get(Attempt, attempt_id)
    if attempt is None:
        return []
    facts = {"steps": [(STEPS[name], step) for name, step in steps(attempt)], "is_over": attempt.is_over}
    return [Item("apply-progress", "apply/_progress.html", facts)]
