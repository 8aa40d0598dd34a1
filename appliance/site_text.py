"""Rows → site file. The same rows give the same bytes; secrets stay where they are."""

import json
import re
import secrets
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from appliance.resource import Resource
from appliance.snapshots import in_dependency_order

VERSION = 1
_MARK = f"long-list-{secrets.token_hex(8)}-"
Long = dict[str, list[dict[str, str]]]


def dump(words: list[str] | None = None) -> str:
    """The rows as a site file, without secrets; the same rows give the same bytes."""
    data: dict[str, Any] = {"bentevi": VERSION}
    long: Long = {}
    for resource in in_dependency_order():
        if words and resource.word not in words:
            continue
        shown = [_yaml(resource.show(row)) | _long_lists(resource, row, long) for row in resource.rows()]
        if shown:
            data[resource.word] = shown[0] if resource.single else shown
    yaml, out = YAML(), StringIO()
    yaml.width, yaml.allow_unicode = 4096, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(data, out)
    return re.sub(rf'^( +)([a-z_]+): "({_MARK}\d+)"\n', lambda place: _written(place, long), out.getvalue(), flags=re.M) if long else out.getvalue()


def _long_lists(resource: Resource, row: Any, long: Long) -> dict[str, Any]:
    """A mark in place of each long list, so that the YAML writer, which takes a millisecond per line, does not see it."""
    marks = {}
    for name, one in resource.long_lists.items():
        mark = f"{_MARK}{len(long)}"
        long[mark] = one.show(row)
        marks[name] = DoubleQuotedScalarString(mark)
    return marks


def _written(place: re.Match[str], long: Long) -> str:
    """The lines of a long list in place of its mark; text in JSON's quotation marks is YAML too."""
    indent, name, lines = place[1], place[2], long[place[3]]
    if not lines:
        return f"{indent}{name}: []\n"
    texts = [", ".join(f"{key}: {json.dumps(text, ensure_ascii=False)}" for key, text in line.items()) for line in lines]
    return f"{indent}{name}:\n" + "".join(f"{indent}  - {{{text}}}\n" for text in texts)


def _yaml(value: Any) -> Any:
    """Text that could be read as anything else is quoted."""
    if isinstance(value, dict):
        return {key: _yaml(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_yaml(item) for item in value]
    if isinstance(value, str) and (not re.fullmatch(r"[A-Za-zÀ-ÿ][\wÀ-ÿ ./@+-]*", value) or
                                   value.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")):
        return DoubleQuotedScalarString(value)
    return value
