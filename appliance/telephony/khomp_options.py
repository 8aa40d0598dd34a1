"""What khomp.conf may say: sections, options, their values and defaults (chan_khomp 4.3).

Source: the vendor's sample file of 4.3 as shipped with SNEP 3; ranges from the vendor's own sources of the sister module.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

YES_NO = ("yes", "no")


@dataclass(frozen=True)
class Option:
    """One option: its default, and the values it takes (words, a range of whole numbers, or a pattern)."""

    default: str
    words: tuple[str, ...] = ()
    least: int = 0
    most: int = -1
    pattern: str = ""
    is_list: bool = False

    def accepts(self, value: str) -> bool:
        """Whether the driver understands this value."""
        if self.words:
            values = [one.strip() for one in value.split(",")] if self.is_list else [value]
            return all(one in self.words for one in values)
        if self.most >= self.least:
            return bool(re.fullmatch(r"[+-]?\d{1,6}", value)) and self.least <= int(value) <= self.most
        return bool(re.fullmatch(self.pattern, value))

    def takes(self) -> str:
        """The values in words a person understands."""
        return ", ".join(self.words) if self.words else f"{self.least}–{self.most}" if self.most >= self.least else self.pattern


def _switch(default: str) -> Option:
    return Option(default, YES_NO)


def _whole(default: int, least: int, most: int) -> Option:
    return Option(str(default), least=least, most=most)


def _words(default: str, *words: str) -> Option:
    return Option(default, words)


def _list(default: str, *words: str) -> Option:
    return Option(default, ("", *words), is_list=True)


def _text(default: str, pattern: str) -> Option:
    return Option(default, pattern=pattern)


CONTEXT = r"[A-Za-z0-9_-]{1,79}"
_LOG = ("errors", "warnings", "messages", "events", "commands", "audio", "modem", "link", "standard", "all")
_NUMBERS = r"\d+(-\d+)?(,\d+(-\d+)?)*"
_CADENCE = r"[A-Za-z0-9_-]{1,40}"

GLOBALS: dict[str, Option] = {
    "dial-string-like-dahdi": _switch("no"),
    "load-error": _words("failure", "failure", "skip"),
    **{name: _text(default, CONTEXT) for name, default in {
        "context-digital": "khomp-DD-LL", "context-fxs": "khomp-DD-CC", "context-fxs-alt": "khomp-DD", "context-fxo": "khomp-DD-CC",
        "context-fxo-alt": "khomp-DD", "context-gsm-call": "khomp-DD-CC", "context-gsm-call-alt": "khomp-DD", "context-gsm-sms": "khomp-sms-DD-CC",
        "context-gsm-ussd": "khomp-ussd-DD-CC", "context-gsm-wait": "khomp-wait-DD-CC", "context-pr": "khomp-DD-CC",
    }.items()},
    "log-to-console": _list("standard", *_LOG),
    "log-to-disk": _list("standard", *_LOG, "functions", "threads", "locks", "stream-notice", "stream-debug", "debugging"),
    "fxs-global-orig": _text("00", r"\d{1,20}"),
    "audio-rx-sync": _words("auto", "softtimer-thread", "softtimer-multi-thread", "softtimer-kernel", "auto"),
    "audio-packet-length": _whole(128, 80, 240),
    "kommuter-activation": _words("auto", "auto", "manual"),
    "kommuter-timeout": _whole(10, 0, 255),
    "ccss-enable": _words("false", "true", "false", "yes", "no"),
    "freepbx-callerid": _switch("no"),
}

CHANNELS: dict[str, Option] = {
    "echo-canceller": _switch("yes"),
    "auto-gain-control": _switch("no"),
    "out-of-band-dtmfs": _switch("yes"),
    "dtmf-suppression": _switch("yes"),
    "auto-fax-adjustment": _switch("yes"),
    "fax-adjustment-timeout": _whole(30, 0, 9999),
    "pulse-forwarding": _switch("no"),
    "r2-strict-behaviour": _switch("no"),
    "r2-preconnect-wait": _whole(250, 25, 500),
    "r2-hangup-behaviour": _words("force-disconnect", "force-disconnect", "disconnect", "release"),
    "output-volume": _whole(0, -10, 10),
    "input-volume": _whole(0, -10, 10),
    "amaflags": _words("default", "default", "omit", "billing", "documentation"),
    "accountcode": _text("", r"[A-Za-z0-9_-]{1,79}"),
    "language": _text("", r"[a-z]{2}(_[A-Z]{2})?"),
    "mohclass": _text("default", r"[A-Za-z0-9_-]{1,79}"),
    "callgroup": _text("0", _NUMBERS),
    "pickupgroup": _text("0", _NUMBERS),
    "fxo-fsk-detection": _words("bell", "bell", "v23", "none"),
    "fxo-fsk-timeout": _whole(2000, 0, 60000),
    "fxo-user-xfer-delay": _whole(1000, 500, 5000),
    "fxo-send-pre-audio": _switch("yes"),
    "fxo-busy-disconnection": _whole(1250, 50, 90000),
    "fxs-send-bina-dtmf": _switch("no"),
    "fxs-send-fsk": _switch("no"),
    "immediate-sharp-dial": _switch("no"),
    "fxs-digit-timeout": _whole(7, 1, 30),
    "co-dialtone-digits": _text("", r"\d*(,\d+)*"),
    "dialtone-cadence": _text("pbx-dialtone", _CADENCE),
    "vm-dialtone-cadence": _text("vm-dialtone", _CADENCE),
    "co-dialtone-cadence": _text("co-dialtone", _CADENCE),
    "disconnect-delay": _whole(0, 0, 100000),
    "delay-ringback-co": _whole(1500, 0, 999000),
    "delay-ringback-pbx": _whole(2500, 0, 999000),
    "optimize-audio-path": _switch("no"),
    "ignore-letter-dtmfs": _switch("yes"),
    "drop-collect-call": _switch("no"),
    "drop-options": _list("", "message_box", "human_answer", "answering_machine", "carrier_message", "fax", "unknown"),
    "user-transfer-enable": _switch("yes"),
    "qsig-transfer-facility": _words("qsig-ct", "qsig-ct", "qsig-ct-rr", "qsig-ct-pr", "qsig-ssct", "any", "none"),
    "flash-behaviour": _words("xfer", "xfer", "pendulum", "auto"),
    "pendulum-digits": _text("", r"[0-9*#]*"),
    "pendulum-native": _words("fxs", "none", "fxs", "all"),
    "pendulum-incoming": _words("fxs", "none", "fxs", "all"),
    "pendulum-timeout": _whole(20000, 0, 999000),
    "callerid-inheritance": _switch("no"),
    "setvar": _text("", r"[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_.+-]*"),
    "enabled": _switch("yes"),
}

GROUP_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")  # + / : * and space separate in the driver's parser
_DIGITS = re.compile(r"\d{1,20}")

# Sections that hold no options of the tables above: what a key and a value may be.
PLAIN: dict[str, tuple[Callable[[str], bool], Callable[[str], bool]]] = {
    "cadences": (lambda key: bool(re.fullmatch(_CADENCE, key)), lambda value: bool(re.fullmatch(r"\d{1,6},\d{1,6}(,\d{1,6},\d{1,6})?", value))),
    "fxs-branches": (lambda key: bool(_DIGITS.fullmatch(key)), lambda value: bool(re.fullmatch(r"\d{1,6}(\s*,\s*\d{1,6})*", value))),
    "fxs-hotlines": (lambda key: bool(_DIGITS.fullmatch(key)), lambda value: bool(_DIGITS.fullmatch(value))),
    "fxs-options": (
        lambda key: bool(re.fullmatch(r"\d{1,20}(\s*,\s*\d{1,20})*", key)),
        lambda value: all(re.fullmatch(
            r"\s*(pickupgroup|callgroup|namedpickupgroup|namedcallgroup|context|input-volume|output-volume|language|mohclass|amaflags"
            r"|accountcode|calleridnum|calleridname|mailbox|setvar)\s*:[^|]+", one) for one in value.split("|")),
    ),
}
