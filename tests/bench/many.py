"""Calls by the million, with their roll-ups: written past the ORM, in the shape the records process writes them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from appliance.calls import totals
from appliance.calls.model import Call
from appliance.db import db

PIECE = 20_000
CENTRES, EXTENSIONS, CUSTOMERS, TRUNKS, MAIN = 12, 200, 150_000, 3, "554830139018"
HOURS = [hour for hour, weight in enumerate((1, 1, 1, 1, 1, 1, 2, 5, 12, 20, 22, 20, 12, 15, 22, 22, 20, 14, 6, 3, 2, 1, 1, 1)) for _n in range(weight)]


def many_calls(count: int, start: datetime, days: int, seed: int = 1) -> None:
    """So many calls from `start` on, in the order of time, most of them in working hours; committed piece by piece.

    For a million and more the indexes are made afterwards, which takes a third of the time.
    """
    dice = random.Random(seed)
    indexes = list(Call.__table__.indexes) if count >= 1_000_000 else []
    for index in indexes:
        index.drop(db.session.connection())
    columns = [column.name for column in Call.__table__.columns if column.name != "id"]
    sums: totals.Sums = {}
    for piece in _pieces(count, start, days, dice):
        for row in piece:
            hour = row["started_at"].replace(minute=0, second=0, microsecond=0)
            key = (hour, row["direction"], row["state"], row["from_cost_centre_id"] or 0, row["to_cost_centre_id"] or 0)
            one = sums.setdefault(key, [0] * 5)
            for place, value in enumerate((1, row["wait_seconds"], row["ring_seconds"], row["talk_seconds"], row["hold_seconds"])):
                one[place] += value
        write(Call.__table__, columns, piece)
        db.session.commit()
    hours: dict[tuple[Any, ...], list[int]] = {}
    for key, values in sums.items():
        hours[key[:3]] = [one + more for one, more in zip(hours.get(key[:3], [0] * 5), values, strict=True)]
    for table, kept in ((totals.CallTotal.__table__, sums), (totals.CallHour.__table__, hours)):
        names = [column.name for column in table.columns]
        rolled = [dict(zip(names, (*key, *values), strict=True)) for key, values in kept.items()]
        for place in range(0, len(rolled), PIECE):
            write(table, names, rolled[place:place + PIECE])
        db.session.commit()
    for index in indexes:
        index.create(db.session.connection())
        db.session.commit()


def write(table: Any, names: list[str], rows: list[dict[str, Any]]) -> None:
    """PostgreSQL by COPY; SQLite by its own executemany: both several times faster than through SQLAlchemy."""
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        with connection.connection.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
        return
    def stored(value: Any) -> Any:
        return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value

    driver = connection.connection.driver_connection
    marks = ", ".join("?" * len(names))
    driver.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", [[stored(row[name]) for name in names] for row in rows])


def _pieces(count: int, start: datetime, days: int, dice: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Rows of a few hours at a time, in the order of time."""
    first = db.session.scalar(select(func.count()).select_from(Call)) or 0
    made, piece = 0, []
    for day in range(days):
        share = count * (day + 1) // days - made
        moments = sorted(dice.choice(HOURS) * 3600 + dice.random() * 3600 for _n in range(share))
        for moment in moments:
            made += 1
            piece.append(_call(first + made, start + timedelta(days=day, seconds=round(moment, 3)), dice))
            if len(piece) == PIECE:
                yield piece
                piece = []
    if piece:
        yield piece


def _call(number: int, at: datetime, dice: random.Random) -> dict[str, Any]:
    """One conversation as a bakery with 200 extensions might have it."""
    fate = dice.random()
    direction = "inbound" if fate < 0.55 else "outbound" if fate < 0.85 else "internal"
    fate = dice.random()
    state = "answered" if fate < 0.72 else "no_answer" if fate < 0.92 else "busy" if fate < 0.97 else "failed"
    wait, talk = dice.randrange(2, 60), dice.randrange(5, 900) if state == "answered" else 0
    outside = f"55{dice.choice((48, 11, 21, 51))}9{int(dice.random() ** 2 * CUSTOMERS) + 80_000_000}"
    one, other = dice.randrange(EXTENSIONS), dice.randrange(EXTENSIONS)
    from_extension = one if direction != "inbound" else None
    to_extension = other if direction != "outbound" else None
    answered = at + timedelta(seconds=wait)
    return {
        "node": "bt", "linkedid": f"{at.timestamp():.0f}.{number}", "protocol": f"{at:%Y%m%d}{number:09}", "state": state, "is_cut": False,
        "direction": direction, "started_at": at, "answered_at": answered if talk else None, "ended_at": answered + timedelta(seconds=talk),
        **_side("from", from_extension, outside), "to_number": MAIN if direction == "inbound" else _number(to_extension, outside), "to_name": "",
        **_side("reached", to_extension, outside), "trunk_id": None if direction == "internal" else 1 + number % TRUNKS,
        "trunk": "" if direction == "internal" else f"Operadora {1 + number % TRUNKS}", "wait_seconds": wait, "ring_seconds": wait,
        "talk_seconds": talk, "hold_seconds": 0, "hang_up_side": "caller", "cause": 16 if talk else 19, "recording_count": 0, "is_forgotten": False,
    }


def _number(extension: int | None, outside: str) -> str:
    return outside if extension is None else str(2000 + extension)


def _side(side: str, extension: int | None, outside: str) -> dict[str, Any]:
    cost = "to" if side == "reached" else side
    centre = None if extension is None else 1 + extension % CENTRES
    return {
        f"{side}_number": _number(extension, outside), f"{side}_name": "" if extension is None else f"Pessoa {extension}",
        f"{side}_extension_id": None if extension is None else 1 + extension, f"{cost}_cost_centre_id": centre,
        f"{cost}_cost_centre": "" if centre is None else f"Centro {centre}",
    }
