"""FastAGI: one question of the dialplan, answered with variables. Knows no question; appliance/agi_scripts.py has the table.

Asterisk connects, tells about the call in `agi_…: value` lines, and then does what we write. Ours are short: ask for the token, set
the variables of the answer, close. pyst2 offers nothing that runs on this Python (asterisk.fastagi does not import).
"""

import asyncio
import hmac
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

log = logging.getLogger("bentevi.agi")

LARGEST_BYTES = 32_768      # what Asterisk says about a call is some 1,000
PATIENCE_SECONDS = 1.5      # for the whole conversation; the dialplan goes on without us after two
TYPED = "typed"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")

Variables = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """A question: its script, its arguments as the dialplan wrote them, and what Asterisk tells of the call (`agi_` left out).

    `typed` is the variable BENTEVI_TYPED of a question with the argument “typed”: a password, which as an argument would stand in the
    call records.
    """

    script: str
    arguments: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    typed: str = field(default="", repr=False)


class Stranger(Exception):
    """Whoever connected is not our Asterisk, or does not speak as one."""


async def serve(port: int, token: str, answer: Callable[[Asked], Awaitable[Variables]]) -> asyncio.Server:
    """Listen on loopback. Each connection is one question; who does not know the token is not answered."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(_converse(reader, writer, token, answer), PATIENCE_SECONDS)
        except TimeoutError:
            log.warning("a question took longer than %s s: the call goes on without us", PATIENCE_SECONDS)
        except Stranger as why:
            log.warning("refused: %s", why)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.info("the call was over before the answer")
        finally:
            writer.close()

    return await asyncio.start_server(met, "127.0.0.1", port, limit=LARGEST_BYTES, backlog=1000)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str,
                    answer: Callable[[Asked], Awaitable[Variables]]) -> None:  # fmt: skip
    asked = read((await reader.readuntil(b"\n\n")).decode("utf-8", "replace"))
    said = await _order(reader, writer, "GET VARIABLE BENTEVI_AGI_TOKEN")
    found = re.fullmatch(r"200 result=1 \((.*)\)", said)
    if not found or not hmac.compare_digest(found[1].encode(), token.encode()):
        raise Stranger("a question without the token of this exchange")
    if TYPED in asked.arguments:
        said = await _order(reader, writer, "GET VARIABLE BENTEVI_TYPED")
        keys = re.fullmatch(r"200 result=1 \(([0-9*#]*)\)", said)
        asked = replace(asked, typed=keys[1] if keys else "")
    variables = await answer(asked)
    for name, value in {**variables, "BENTEVI_ANSWERED": "yes"}.items():
        await _order(reader, writer, f"SET VARIABLE {name} {quoted(name, value)}")


async def _order(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> str:
    """One command and the line Asterisk answers with. A HANGUP in between means that the caller left."""
    writer.write(text.encode() + b"\n")
    await writer.drain()
    line = (await reader.readline()).decode("utf-8", "replace").strip()
    if not line or line == "HANGUP":
        raise ConnectionError("hung up")
    return line


def read(text: str) -> Asked:
    """The question in Asterisk's lines. Raises Stranger for anything else."""
    facts = {name: value for name, colon, value in (line.partition(": ") for line in text.splitlines()) if colon}
    script = facts.get("agi_network_script", "")
    if not script or "agi_channel" not in facts:
        raise Stranger("not Asterisk")
    arguments: list[str] = []
    while (name := f"agi_arg_{len(arguments) + 1}") in facts:
        arguments.append(facts[name])
    told = {name.removeprefix("agi_"): value for name, value in facts.items() if not name.startswith("agi_arg_")}
    return Asked(script, tuple(arguments), told)


def quoted(name: str, value: str) -> str:
    """A value as an argument of an AGI command. Raises ValueError when it could be a command of its own."""
    if not _VARIABLE.fullmatch(name) or any(sign in value for sign in "\r\n\0"):
        raise ValueError(f"not a variable of the dialplan: {name}")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ask(port: int, token: str, script: str, *arguments: str, typed: str = "", timeout: float = 2.0) -> Variables:
    """Put a question as Asterisk would; what was set. For `status`, and for tests. Raises OSError when nobody answers."""
    found: Variables = {}
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        lines = ["agi_network: yes", f"agi_network_script: {script}", "agi_channel: none"]
        lines += [f"agi_arg_{place}: {text}" for place, text in enumerate(arguments, 1)]
        link.sendall("\n".join([*lines, "", ""]).encode())
        with link.makefile("r", encoding="utf-8") as said:
            for line in said:
                setting = re.fullmatch(r'SET VARIABLE ([A-Z0-9_]+) "(.*)"', line.strip())
                if setting:
                    found[setting[1]] = setting[2].replace('\\"', '"').replace("\\\\", "\\")
                value = typed if "BENTEVI_TYPED" in line else token
                link.sendall(b"200 result=1\n" if setting else f"200 result=1 ({value})\n".encode())
    return found
