"""Rows → CSV as Brazilian spreadsheets read it; brought back with the same columns it changes nothing. No secrets."""

import logging
import secrets
from collections.abc import Iterator
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select

from appliance import cells, csv_files, links
from appliance.db import db
from appliance.fields import Field
from appliance.resource import Resource

log = logging.getLogger("bentevi.imports")
PIECE = 500


def fields(resource: Resource) -> dict[str, Field]:
    """What a file holds of a row: everything it shows, secrets and short forms left out."""
    return {name: spec for name, spec in resource.fields.items() if not spec.input_only and not spec.kind.secret}


def pieces(resource: Resource, query: Select[Any], *, by_label: bool = True) -> Iterator[bytes]:
    """The rows of a query as pieces of a file: `;`, UTF-8 with BOM, CRLF; headings are labels or the names of the fields.

    An error in the middle ends the file with a line `#ERRO` and a code, because the answer has long begun.
    """
    shown = fields(resource)
    head = [str(spec.label) if by_label else name for name, spec in shown.items()]
    yield (csv_files.START + csv_files.line_of(map(csv_files.guarded, head))).encode()
    code = secrets.token_hex(3).upper()
    broken = _("#ERRO;The file is not complete. Ask for it again, or tell support this code: %(code)s", code=code)
    try:
        for piece in db.session.scalars(query.execution_options(yield_per=PIECE)).partitions(PIECE):
            yield _lines(resource, shown, piece).encode()
    except Exception:  # the edge: the answer has begun, so the file itself must say it
        log.exception("%s: %s", resource.word, broken)
        yield (broken + "\r\n").encode()


def _lines(resource: Resource, shown: dict[str, Field], rows: Any) -> str:
    with links.remembering(""):  # nobody writes: each key is asked for once
        return "".join(
            csv_files.line_of(csv_files.guarded(_cell(resource, name, spec, row)) for name, spec in shown.items()) for row in rows
        )


def _cell(resource: Resource, name: str, spec: Field, row: Any) -> str:
    """Empty where the field has no meaning beside the row's others (what belongs to another protocol)."""
    if spec.show_if and not resource.has_meaning(row, name):
        return ""
    return cells.text_of(spec.kind, spec.kind.show(getattr(row, spec.attr)))
