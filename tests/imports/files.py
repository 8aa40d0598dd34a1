"""CSV files for tests: good ones of every kind of row, written as spreadsheets write them, and the way they take through the product."""

import json
import random
from typing import Any

from appliance import csv_files
from appliance.db import db
from appliance.imports import columns, model
from appliance.imports.model import Import
from appliance.resource import TABLE
from appliance.users.model import by_login
from jobs import imports as jobs
from tests.build import make_extension, make_outbound_route, make_trunk

ENCODINGS = ["utf-8", "utf-8-sig", "cp1252", "utf-16"]


def rule(**values: Any) -> str:
    return json.dumps([values], ensure_ascii=False)


def needs() -> None:
    """Rows the good files point at."""
    make_trunk("Operadora", 5099)
    make_extension("1999", name="Portaria")
    make_outbound_route("Local", {"mask": "[2-5]XXXXXXX", "trunk": "Operadora"})


# Word → one good line, by number. Every value is unlike the ones of other lines where it must be.
LINES = {
    "extensions": lambda n: {"number": f"{2000 + n}", "name": f"João Ação {n}", "class": "Padrão", "devices": str(1 + n % 5)},
    "extension_classes": lambda n: {"name": f"Categoria {n}", "ring_timeout_seconds": str(20 + n), "caller_id": f"'48{30139000 + n}",
                                    "recording": "todas as ligações", "nat": "sim" if n % 2 else "não"},
    "cost_centres": lambda n: {"name": f"Centro {n}", "description": f"Descrição; com ponto e vírgula {n}"},
    "pickup_groups": lambda n: {"name": f"Grupo {n}", "description": f"Balcão {n}"},
    "dialing_profiles": lambda n: {"name": f"Perfil {n}", "premium_calls": "não", "outbound_routes": "Local"},
    "trunks": lambda n: {"name": f"Tronco {n}", "host": "127.0.0.1", "port": str(5100 + n), "authentication": "Por IP", "codecs": "alaw | g722",
                         "qualify": "sim"},
    "inbound_routes": lambda n: {"name": f"Entrada {n}", "trunks": "Operadora",
                                 "rules": rule(mask=f"48{30139000 + n}", destination={"extension": "1999"})},
    "outbound_routes": lambda n: {"name": f"Saída {n}", "rules": rule(mask="9XXXXXXXX", trunk="Operadora", restrict_to=["1999"])},
    "internal_routes": lambda n: {"name": f"Interna {n}", "rules": rule(mask=f"{7100 + n}", destination={"hangup": True})},
    "users": lambda n: {"login": f"pessoa{n}", "name": f"Pessoa {n}", "email": f"pessoa{n}@padaria.example", "access_level": "Gestor",
                        "password": f"Padaria@7{chr(97 + n)}", "birth_on": f"{1 + n % 28:02}/02/1990", "active": "sim"},
}


def good(word: str, count: int) -> list[dict[str, str]]:
    return [LINES[word](n) for n in range(1, count + 1)]


def written(lines: list[dict[str, str]], encoding: str = "utf-8-sig", separator: str = ";") -> bytes:
    """The file, with the names of the fields as headings."""
    text = [quoted(list(lines[0]), separator), *(quoted(list(line.values()), separator) for line in lines)]
    return "\r\n".join([*text, ""]).encode(encoding)


def quoted(cells: list[str], separator: str) -> str:
    return separator.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if set(cell) & {separator, '"', "\n", "\r"} else cell for cell in cells)


def as_written(dice: random.Random) -> dict[str, str]:
    """One of the ways programs write files."""
    return {"encoding": dice.choice(ENCODINGS), "separator": dice.choice(";,\t")}


def uploaded(word: str, data: bytes, login: str = "carla", mapping: dict[str, int] | None = None) -> int:
    """The id of an import whose check is asked for; the columns as they are guessed."""
    sheet, user = csv_files.read(data), by_login(login)
    row = model.bring(TABLE[word], user.id, "127.0.0.1", "arquivo.csv", data, sheet.head, len(sheet.rows) + len(sheet.faults))
    model.ask_check(row, columns.check(TABLE[word], sheet.head, columns.guess(TABLE[word], sheet.head) if mapping is None else mapping))
    db.session.commit()
    return row.id


def checked(word: str, data: bytes, **more: Any) -> Import:
    """The import after its check, here and now."""
    import_id = uploaded(word, data, **more)
    jobs.check(import_id)
    return db.session.get_one(Import, import_id, populate_existing=True)


def stored(word: str, data: bytes, leave_out: bool = False, **more: Any) -> Import:
    """The import after it was stored, here and now."""
    row = checked(word, data, **more)
    if row.good_count:
        model.ask_store(row, leave_out)
        db.session.commit()
        jobs.store_rows(row.id)
    return db.session.get_one(Import, row.id, populate_existing=True)
