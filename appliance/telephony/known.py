"""What the installed Asterisk knows: applications, functions, codecs, options; asked once, kept in a file."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Known:
    """The words a file may use. Applications in lower case, functions in upper case, as Asterisk compares them.

    `sound_folders` are language folders to look for prompts in, first the company's; none means prompts are not
    checked. `noise` are the complaints a good start makes anyway, normalised (shadow.py).
    """

    applications: frozenset[str]
    functions: frozenset[str]
    codecs: frozenset[str]
    pjsip: dict[str, frozenset[str]]
    noise: frozenset[str] = frozenset()
    sound_folders: tuple[Path, ...] = field(default=())


def learn(ask: Callable[[str], str], documentation: Path, noise: frozenset[str]) -> Known:
    """What a booted Asterisk says about itself; `ask` runs one CLI command. Takes about 0.4 s, most of it the XML."""
    return Known(
        applications=frozenset(word.lower() for word in _words(ask("core show applications"), ":")),
        functions=frozenset(word.upper() for word in _function_names(ask("core show functions"))),
        codecs=frozenset(_codec_names(ask("core show codecs"))),
        pjsip=pjsip_options(documentation),
        noise=noise,
    )


def pjsip_options(documentation: Path) -> dict[str, frozenset[str]]:
    """Type of a section in pjsip.conf → the options it takes, from the XML Asterisk itself validates with.

    Option names written as `^@.*` there are patterns for internal use and are left out.
    """
    options: dict[str, set[str]] = {}
    tree = ElementTree.parse(documentation / "core-en_US.xml")
    for config_file in tree.iterfind(".//configFile[@name='pjsip.conf']"):
        for section in config_file.iterfind("configObject"):
            names = options.setdefault(section.get("name", ""), {"type"})
            names.update(option.get("name", "").lower() for option in section.iterfind("configOption"))
    return {kind: frozenset(names) for kind, names in options.items() if kind}


def save(known: Known, path: Path) -> None:
    """Keeps what was learned. Written whole or not at all."""
    content = {
        "applications": sorted(known.applications),
        "functions": sorted(known.functions),
        "codecs": sorted(known.codecs),
        "pjsip": {kind: sorted(names) for kind, names in sorted(known.pjsip.items())},
        "noise": sorted(known.noise),
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def saved(path: Path) -> Known | None:
    """What was learned before, or None."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Known(
        applications=frozenset(found["applications"]),
        functions=frozenset(found["functions"]),
        codecs=frozenset(found["codecs"]),
        pjsip={kind: frozenset(names) for kind, names in found["pjsip"].items()},
        noise=frozenset(found["noise"]),
    )


def _words(text: str, end: str) -> list[str]:
    return [line.partition(end)[0].strip() for line in text.splitlines() if end in line and line[:1] == " "]


def _function_names(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if "(" in line and line.split()[0].replace("_", "").isalnum()]


def _codec_names(text: str) -> list[str]:
    """Rows of `core show codecs`: ID TYPE NAME FORMAT DESCRIPTION, of which the format is the word allow= takes."""
    rows = [line.split() for line in text.splitlines()]
    return [row[3] for row in rows if len(row) > 3 and row[0].isdigit()]
