"""A test call through the live dialplan: dials a number as an extension would and wants its own tone to come back."""

import array
import math
import secrets
import time
from collections.abc import Mapping, Sequence

from appliance.errors import Busy
from appliance.settings import Settings
from appliance.telephony import ami
from appliance.telephony.findings import Finding, finding

ANSWER_SECONDS = 20.0
HEAR_SECONDS = 10.0                   # asterisk/dialplan/canary.conf takes 3
TONE_HZ, SAMPLES_PER_SECOND = 440, 8000
BLOCK = 320                           # samples, 40 ms
QUIET = 200                           # mean amplitude below which nothing is heard
RETURNED_BLOCKS = 12                  # about half a second of our tone


def call(settings: Settings, number: str, caller: str, variables: Mapping[str, str]) -> list[Finding]:
    """Nothing when the number answered and returned what it heard. `variables` are those of the extension it is dialled as.

    Raises Busy when Asterisk's manager cannot be reached.
    """
    mark = secrets.token_hex(4)
    file = settings.asterisk / "spool" / f"canary-{mark}.sln"
    connection = ami.actions(settings)
    try:
        told = [f"{name}={value}" for name, value in {**variables, "BENTEVI_MARK": mark, "BENTEVI_CANARY_FILE": str(file)}.items()]
        answer = connection.ask({
            "Action": "Originate", "Channel": f"Local/{number}@bentevi-from-extension/n", "Context": "bentevi-canary", "Exten": "s",
            "Priority": "1", "Timeout": str(int(ANSWER_SECONDS * 1000)), "CallerID": f"Bentevi <{caller}>", "Variable": told,
        }, timeout=ANSWER_SECONDS + 5)  # fmt: skip
        if not answer.succeeded:
            return [finding("", 0, "canary_not_answered", value=number)]
        _wait_over(connection, mark)
        code = heard(array.array("h", file.read_bytes()) if file.exists() else [])
    finally:
        connection.close()
        file.unlink(missing_ok=True)
    return [finding("", 0, code, value=number)] if code else []


def heard(samples: Sequence[int]) -> str:
    """What is wrong with 16-bit samples recorded while our tone played; "" when it came back."""
    blocks = [samples[at : at + BLOCK] for at in range(0, len(samples) - BLOCK + 1, BLOCK)]
    loud = [block for block in blocks if sum(map(abs, block)) > QUIET * BLOCK]
    if sum(_is_tone(block) for block in loud) >= RETURNED_BLOCKS:
        return ""
    return "canary_not_returned" if len(loud) >= RETURNED_BLOCKS else "canary_silent"


def _is_tone(block: Sequence[int]) -> bool:
    """Whether most of a block's energy is at the tone (Goertzel's algorithm)."""
    factor, one, two = 2 * math.cos(2 * math.pi * TONE_HZ / SAMPLES_PER_SECOND), 0.0, 0.0
    for sample in block:
        one, two = sample + factor * one - two, one
    at_tone = 2 * (one * one + two * two - factor * one * two) / len(block)
    return at_tone > 0.5 * sum(sample * sample for sample in block)


def _wait_over(connection: ami.Connection, mark: str) -> None:
    """Until the near end has recorded. Raises Busy when it never says so."""
    ends_at = time.monotonic() + HEAR_SECONDS
    while time.monotonic() < ends_at:
        if connection.ask({"Action": "Getvar", "Variable": "BENTEVI_CANARY"}, timeout=5).headers.get("Value", "") == mark:
            return
        time.sleep(0.1)
    raise Busy("The test call does not end")
