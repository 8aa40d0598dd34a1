"""Named points of an apply: before and after everything that changes what is in force.

A process may die at any of them, and one complete revision must be in force all the same. Tests listen, to die there.
"""

from collections.abc import Callable

POINTS = (
    "folder.before_rename", "folder.after_rename",      # the candidate's complete folder gets its name
    "warm.before_reload", "warm.after_reload",          # the warm shadow reads the candidate
    "mark.before_rename", "mark.after_rename",          # “this number is being tried”
    "switch.before_rename", "switch.after_rename",      # the link points at the candidate
    "reload.before", "reload.after",                    # Asterisk reads it
    "canary.before", "canary.after",                    # the test call
    "return.before_rename", "return.after_rename",      # back to the link before
    "return.before_reload", "return.after_reload",
    "unmark.before", "unmark.after",
    "commit.before", "commit.after",                    # rows say what is in force
)  # fmt: skip

listeners: list[Callable[[str], None]] = []


def reached(point: str) -> None:
    """The program is at this point. Raises LookupError for one that is not in the table."""
    if point not in POINTS:
        raise LookupError(point)
    for heard in listeners:
        heard(point)
