"""Faults of CSV files: every bad line is named with its number and column, and nothing is stored."""

import io
import json
import random

import pytest

from appliance import csv_files, sitefile
from appliance.db import db
from appliance.errors import Refused
from appliance.imports import model
from appliance.resource import TABLE
from tests.build import make_internal_route
from tests.imports import files
from tests.visitor import text_of

pytestmark = pytest.mark.usefixtures("app")
ROWS = 12
EVERYWHERE = ["extensions", "extension_classes", "cost_centres", "trunks", "users"]
ROUTES = ["inbound_routes", "outbound_routes", "internal_routes"]


# kind → (resource, field, cell) of each way to do it; each is tried in several files, at several lines.
CELLS = {
    "shortened by the spreadsheet": [
        ("extensions", "number", "1,19E+10"), ("extensions", "number", "4,83013E+09"), ("extension_classes", "caller_id", "4.83013E+09"),
        ("extension_classes", "caller_id", "1,19E+10"), ("users", "name", "5,5489E+12"), ("trunks", "port", "5,06E+03")],
    "an error of the spreadsheet": [
        ("extensions", "name", "#N/D"), ("cost_centres", "description", "#NOME?"), ("trunks", "host", "#REF!"), ("users", "email", "#VALOR!"),
        ("extension_classes", "caller_id", "########")],
    "a formula": [
        ("extensions", "name", "=A1"), ("cost_centres", "description", "=SOMA(A1:A9)"), ("users", "name", "=cmd|' /C calc'!A0"),
        ("trunks", "host", "=HYPERLINK(1)"), ("extension_classes", "caller_id", "=48&3013")],
    "a row that does not exist": [
        ("extensions", "class", "Diretoria"), ("extensions", "class", "padrão "), ("dialing_profiles", "outbound_routes", "Local | Nenhuma"),
        ("inbound_routes", "trunks", "Outra"), ("outbound_routes", "rules", files.rule(mask="9XXXXXXXX", trunk="Outra"))],
    "no key": [("extensions", "number", ""), ("cost_centres", "name", ""), ("users", "login", ""), ("trunks", "name", "  "), ("pickup_groups", "name", "")],
    "no value where one must stand": [("extensions", "name", ""), ("users", "name", ""), ("inbound_routes", "trunks", ""), ("extensions", "name", " "),
                                      ("inbound_routes", "trunks", " | ")],
    "out of bounds": [("extensions", "devices", "9"), ("extensions", "devices", "0"), ("extension_classes", "ring_timeout_seconds", "4"),
                      ("trunks", "port", "70000"), ("extension_classes", "ring_timeout_seconds", "-30")],
    "no whole number": [("extensions", "devices", "2,5"), ("trunks", "port", "5.060"), ("extension_classes", "ring_timeout_seconds", "30s"),
                        ("extensions", "devices", "dois"), ("trunks", "port", "½")],
    "letters in a number": [("extensions", "number", "20A1"), ("extensions", "number", "2 001"), ("extension_classes", "caller_id", "48 3013"),
                            ("extension_classes", "caller_id", "ramal"), ("extensions", "number", "2001.0")],
    "a reserved number": [("extensions", "number", text) for text in ("190", "192", "193", "197", "199")],
    "too long": [("extensions", "name", "x" * 81), ("cost_centres", "name", "y" * 41), ("users", "name", "z" * 200),
                 ("pickup_groups", "description", "w" * 201), ("extension_classes", "caller_id", "1" * 21)],
    "an unknown word": [("trunks", "authentication", "por pombo"), ("users", "access_level", "chefe"), ("extension_classes", "recording", "algumas"),
                        ("trunks", "codecs", "alaw | mp3"), ("trunks", "codecs", "opus|opus")],
    "neither yes nor no": [("extension_classes", "nat", "talvez"), ("users", "active", "2"), ("trunks", "qualify", "sim!não"),
                           ("dialing_profiles", "premium_calls", "ok"), ("users", "active", "-1")],
    "a broken list of rules": [(word, "rules", text) for word in ROUTES for text in ('[{"mask": "9"', "9XXXXXXXX")],
    "an unknown field in a rule": [(word, "rules", files.rule(mask="9", truck="Operadora")) for word in ROUTES] + [
        ("internal_routes", "rules", files.rule(mask="77", destination={"hangup": True}, x=1)), ("outbound_routes", "rules", '["9"]')],
    "a bad mask": [(word, "rules", files.rule(mask=mask, trunk="Operadora", destination={"hangup": True}) if word == "outbound_routes" else
                    files.rule(mask=mask, destination={"hangup": True})) for word in ROUTES for mask in ("A1", "[2-")],
    "a bad destination": [(word, "rules", files.rule(mask="7712", destination=to)) for word in ("internal_routes", "inbound_routes")
                          for to in ({"extension": "7777"}, {"queue": "x"}, {}, {"telephone": "abc"})],
    "control characters": [("extensions", "name", "An\x07a"), ("cost_centres", "name", "a\nb"), ("users", "name", "Ana\r\nSouza"),
                           ("trunks", "name", "x\x1by"), ("pickup_groups", "description", "tab\x0bvertical")],
    "a bad password": [("users", "password", text) for text in ("curta", "semmaiuscula@1", "Aabbcc1@", "SemSinal1", "Com espaço@1")],
    "a day there is not": [("users", "birth_on", text) for text in ("30/02/1990", "1990-13-01", "32/01/1990", "ontem", "01/02/90")],
    "no e-mail": [("users", "email", text) for text in ("pessoa", "a@b", "a b@c.d", "@x.y", "x@")],
    "not allowed in generated files": [("extensions", "name", "${EXTEN}"), ("trunks", "name", "$[1+1]"), ("cost_centres", "name", "${X}"),
                                       ("extension_classes", "name", "a$[b"), ("users", "name", "${CALLERID}")],
    "unlike a host": [("trunks", "host", text) for text in ("a b", "x_y", "host/1", "ação", "")],
}


def cases():
    for kind, places in CELLS.items():
        assert len(places) >= 5, kind
        for number, (word, field, cell) in enumerate(places):
            yield pytest.param(word, field, cell, number, id=f"{kind}-{word}-{number}")


@pytest.mark.parametrize("word,field,cell,seed", list(cases()))
def test_a_bad_cell_is_named_with_line_and_column_and_nothing_is_stored(word, field, cell, seed):
    """EXT-01, TRK-01, USR-01: all bad lines of a file are told together, before anything is stored."""
    dice = random.Random(f"{word}{field}{cell}{seed}")
    files.needs()
    lines = files.good(word, ROWS)
    bad = sorted(dice.sample(range(ROWS), dice.choice((1, 2, 4))))
    for place in bad:
        lines[place] = lines[place] | {field: cell}
    is_key = field == TABLE[word].key and cell.strip()
    style = files.as_written(dice)
    if "½" in cell or "\x1b" in cell:
        style["encoding"] = "utf-16"
    before = sitefile.dump()
    row = files.checked(word, files.written(lines, **style))
    # a line break inside a cell moves the lines below it
    lines_of, line = [], 2
    for one in lines:
        lines_of.append(line)
        line += 1 + "".join(one.values()).replace("\r\n", "\n").count("\n")
    assert {number for number, _column, _text in row.faults} == {lines_of[place] for place in bad}, row.faults
    assert {column for _line, column, _text in row.faults} == {field} and all(text for _line, _column, text in row.faults)
    assert row.state == model.CHECKED and row.bad_count == len(bad) and row.created_count == ROWS - len(bad)
    assert not is_key or len(row.faults) == len(bad)
    assert "E+" not in cell or all("a planilha encurtou" in text for _line, _column, text in row.faults)
    with pytest.raises(Refused):
        model.ask_store(row, leave_out=False)
    db.session.rollback()
    assert sitefile.dump() == before


def whole(word, seed, spoil):
    """A file of which one line is spoilt as text: the line's number and what the import says."""
    dice = random.Random(f"{word}{seed}{spoil.__name__}")
    files.needs()
    style = files.as_written(dice)
    encoding, separator = style["encoding"], style["separator"]
    text = files.written(files.good(word, ROWS), encoding, separator).decode(encoding).split("\r\n")
    place = dice.randrange(1, ROWS)
    text[place] = spoil(text[place], separator)
    before = sitefile.dump()
    row = files.checked(word, "\r\n".join(text).encode(encoding))
    assert sitefile.dump() == before
    return place + 1, row


def too_many(line, separator):
    return f"{line}{separator}mais"


def too_few(line, separator):
    return line.split(separator)[0]


def half_a_quotation(line, separator):
    return f'"{line.split(separator)[0]}"x{separator}{separator.join(line.split(separator)[1:])}'


@pytest.mark.parametrize("spoil", [too_many, too_few, half_a_quotation])
@pytest.mark.parametrize("word", EVERYWHERE)
def test_a_line_with_other_cells_than_the_head_is_named(word, spoil):
    line, row = whole(word, 1, spoil)
    assert [one[0] for one in row.faults] == [line] and row.created_count == ROWS - 1, row.faults


@pytest.mark.parametrize("word", EVERYWHERE)
def test_a_quotation_that_is_never_closed_is_named_where_it_begins(word):
    files.needs()
    text = files.written(files.good(word, ROWS)).decode("utf-8-sig").split("\r\n")
    text[5] = '"' + text[5].replace('"', "")
    row = files.checked(word, "\r\n".join(text).encode())
    assert row.faults[0][0] == 6 and row.state == model.CHECKED


@pytest.mark.parametrize("word", [*EVERYWHERE, *ROUTES])
def test_a_row_that_stands_twice_is_named_in_both_lines(word):
    """Neither of the two is stored: nobody knows which is meant."""
    dice = random.Random(word)
    files.needs()
    lines = files.good(word, ROWS)
    one, other = sorted(dice.sample(range(ROWS), 2))
    lines[other] = lines[other] | {TABLE[word].key: lines[one][TABLE[word].key]}
    row = files.checked(word, files.written(lines, **files.as_written(dice)))
    assert [fault[:2] for fault in row.faults] == [[one + 2, TABLE[word].key], [other + 2, TABLE[word].key]]
    assert str(other + 2) in row.faults[0][2] and str(one + 2) in row.faults[1][2]
    assert row.created_count == ROWS - 2


@pytest.mark.parametrize("number", ["2001", "2003", "2005", "2007", "2011"])
def test_a_number_somebody_else_has_is_named_with_who_has_it(number):
    make_internal_route("Atalho", {"mask": number, "destination": {"hangup": True}})
    row = files.checked("extensions", files.written(files.good("extensions", ROWS)))
    assert [fault[:2] for fault in row.faults] == [[int(number) - 2000 + 1, "number"]]
    assert "Atalho" in row.faults[0][2]


@pytest.mark.parametrize("place", range(1, 6))
def test_numbers_of_two_lines_that_clash_are_named(place):
    """Rules of different rows in one file: the second one is refused by the numbering, as on the form."""
    lines = files.good("internal_routes", ROWS)
    lines[place] = lines[place] | {"rules": lines[0]["rules"]}
    row = files.checked("internal_routes", files.written(lines))
    assert [fault[:2] for fault in row.faults] == [[place + 2, "rules"]] and "Interna 1" in row.faults[0][2]


@pytest.mark.parametrize("place", range(1, 6))
def test_rules_between_rows_hold_inside_a_file(place):
    """Two people with one e-mail; two routes for one number of one trunk."""
    files.needs()
    lines = files.good("users", ROWS)
    lines[place]["email"] = lines[0]["email"].upper()
    row = files.checked("users", files.written(lines))
    assert [fault[:2] for fault in row.faults] == [[place + 2, "email"]]
    lines = files.good("inbound_routes", ROWS)
    lines[place]["rules"] = lines[0]["rules"]
    row = files.checked("inbound_routes", files.written(lines))
    assert [fault[:2] for fault in row.faults] == [[place + 2, "rules"]]


def test_every_fault_of_a_line_is_told_at_once():
    lines = files.good("extensions", 2)
    lines[1] |= {"number": "2", "class": "Nenhuma", "devices": "9", "name": ""}
    row = files.checked("extensions", files.written(lines))
    assert {(line, column) for line, column, _text in row.faults} == {(3, "number"), (3, "class"), (3, "devices"), (3, "name")}


def test_a_rule_inside_a_cell_says_which_one_and_which_part():
    files.needs()
    rules = json.dumps([{"mask": "9XXXXXXXX", "trunk": "Operadora"}, {"mask": "8X", "trunk": "Nenhum"}])
    row = files.checked("outbound_routes", files.written([{"name": "Saída", "rules": rules}]))
    assert row.faults == [[2, "rules", "regra 2, Tronco: Não existe tronco “Nenhum”."]]


WHOLE_FILES = {
    "empty": [b"", b"\r\n", b"\n\n\n", b";;;\r\n;;\r\n", b"\xef\xbb\xbf"],
    "only a head": [b"number;name\r\n", b"number,name", "Número\tNome\r\n".encode("utf-16"), b"number\n\n\n", b"\xef\xbb\xbfRamal;Nome\r\n;;\r\n"],
    "another kind of file": [b"PK\x03\x04abc", b"\xd0\xcf\x11\xe0\xa1", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n\0\0", b"GIF89a\0\1"],
    "two encodings": ["number;name\r\n2001;Ação\r\n".encode() + "2002;Ação\r\n".encode("cp1252") for _n in range(3)] + [
        "name\r\nÉ\r\n".encode() + b"\xe9\r\n", "name\r\nção\r\n".encode() + b"\xff\r\n"],
    "signs that cannot be read": [b"name\r\n\x81\r\n", b"name\r\n\x8d\r\n", b"name\r\n\x8f\r\n", b"name\r\n\x90\r\n", b"name\r\n\x9d\r\n"],
    "too many columns": [(";".join(f"c{n}" for n in range(count)) + "\r\n1\r\n").encode() for count in (201, 250, 300, 500, 999)],
    "too large": [b"number\r\n" + b"2" * (csv_files.LARGEST_BYTES + extra) for extra in (0, 1, 2, 3, 4)],
    "too many rows": [b"number\r\n" + b"2001\r\n" * (csv_files.MOST_ROWS + extra) for extra in (1, 2, 3, 10, 100)],
}


@pytest.mark.parametrize("kind", WHOLE_FILES)
def test_a_file_that_cannot_be_used_is_refused_when_it_is_uploaded(carla, kind):
    before = sitefile.dump()
    for data in WHOLE_FILES[kind]:
        answer = carla.send("/extensions/_import", {"file": (io.BytesIO(data), "ramais.csv")})
        assert answer.status_code == 422 and 'class="alert alert-danger"' in answer.text, data[:40]
        assert "tell support" not in text_of(answer)
    assert not list(model.folder().iterdir()), "nothing stays on the disk"
    assert sitefile.dump() == before


def test_no_file_at_all_is_said(carla):
    assert "Escolha um arquivo" in text_of(carla.send("/extensions/_import"))
