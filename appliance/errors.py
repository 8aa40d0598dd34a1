"""The two exceptions every edge understands; anything else is our mistake."""

from typing import Any


class Refused(Exception):
    """The person can put it right.

    The text is a translated message, shown as it is: what is wrong, in which field or row, and the way out.
    `field` names the form field, `link` a screen (path) where it is put right, `messages` several at once
    (field → text) when a whole form or file was read.
    """

    def __init__(self, text: Any, field: str = "", link: str = "", messages: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.field, self.link = field, link
        self.messages = messages or ({field: str(text)} if field else {})


class Busy(Exception):
    """Something outside is not ready: a job tries again, a screen says so and keeps what was typed."""
