"""Numbers of a blacklist: read as people write them, one by one and by file, on screen, by API and in the site file."""

import io
import os
import random
import signal

import pytest
from sqlalchemy import delete, func, select

from appliance import changes, lanes, settings, sitefile, snapshots, supervisor
from appliance import db as ground
from appliance.blacklists import entries, imports
from appliance.blacklists.entries import BlacklistNumber
from appliance.blacklists.imports import CANCELLED, DONE, REFUSED, BlacklistImport
from appliance.db import db
from appliance.errors import Refused
from appliance.numbers import key, keys
from appliance.resource import TABLE
from jobs import blacklists as jobs
from tests.build import company, make
from tests.records import kill
from tests.visitor import person, text_of
from tests.wire import the_wire

pytestmark = pytest.mark.usefixtures("app")
HEAD = "number;note;blacklist_type\r\n"


@pytest.fixture
def trotes(app):
    company(area_code="48")
    return make("blacklists", name="Trotes")


def numbers(row_id):
    """What a list holds."""
    db.session.rollback()
    found = list(entries.lines(row_id))
    db.session.rollback()
    return found


def random_numbers(count, seed=7):
    dice = random.Random(seed)
    return [f"{dice.choice((11, 48, 51, 55, 85))}9{place:08d}" for place in dice.sample(range(10**8), count)]


def brought(carla, row, content, *, wait=True, **form):
    """Send a file as a browser does; the import once it is over."""
    content = content.encode() if isinstance(content, str) else content
    form = {"mode": "add", "wanted_type": ""} | form | {"file": (io.BytesIO(content), "numeros.csv")}
    assert carla.send(f"/blacklists/{row.id}/import", form).status_code == 302
    if wait:
        until(lambda: not newest(row.id).is_open, 120, lambda: newest(row.id).state)
    return newest(row.id)


def until(ready, seconds, said):
    """Wait for it, asking ten times a second."""
    assert the_wire().comes_true(ready, seconds), said()


def newest(row_id):
    """The newest import, read without a lock: this is asked again and again while the worker writes."""
    db.session.rollback()
    ground.read_only()
    found = imports.last(row_id)
    db.session.refresh(found)
    db.session.expunge(found)
    db.session.rollback()
    return found


# --------------------------------------------------------------------------------------------------------------- comparing


WAYS = ["4833334444", "04833334444", "554833334444", "+554833334444", "0154833334444", "00554833334444", "33334444", "033334444"]


@pytest.mark.parametrize("listed", WAYS)
@pytest.mark.parametrize("called", WAYS)
def test_every_way_of_writing_a_number_finds_every_other(listed, called):
    """CON-04."""
    assert key(listed) in keys(called, "55", "48")


@pytest.mark.parametrize("one,other", [
    ("4833334444", "4733334444"), ("33334444", "4733334444"), ("5533334444", "33334444"), ("190", "0190"), ("08001234567", "8001234567890"),
    ("+14155550100", "4155550100"), ("4833334444", "48933334444"),
])
def test_numbers_that_are_not_the_same_stay_apart(one, other):
    """55 is a country and an area: 10 digits that begin with it are Santa Maria."""
    assert key(one) not in keys(other, "55", "48")


def test_the_first_list_of_a_route_that_holds_a_number_is_named(trotes):
    other = make("blacklists", name="Outra", numbers=[{"number": "4833334444"}])
    assert entries.list_with([trotes.id], ["4833334444"]) is None
    entries.add(trotes.id, trotes.name, "4833334444")
    assert entries.list_with([other.id, trotes.id], ["33334444"]) == other.id
    assert entries.list_with([trotes.id, other.id], ["33334444"]) == trotes.id


# -------------------------------------------------------------------------------------------------------------- one by one


def test_a_number_is_added_found_and_taken_off_on_the_form(carla, trotes):
    """CON-03: note and number by hand; brackets and hyphens are cleaned."""
    path = f"/blacklists/{trotes.id}/_numbers"
    answer = carla.send(path, {"number": "(48) 3333-4444", "note": "trote da madrugada"})
    assert answer.status_code == 200 and "(48) 3333-4444" in answer.text and "bloqueado a partir de agora" in text_of(answer)
    assert numbers(trotes.id) == [("4833334444", "trote da madrugada")]
    for asked in ("madrugada", "3333-4444", "+55 48 3333-4444"):
        assert "(48) 3333-4444" in carla.get(path, query_string={"q": asked}).text, asked
    assert "(48) 3333-4444" not in carla.get(path, query_string={"q": "%"}).text
    assert "(48) 3333-4444" in carla.get(f"/blacklists/{trotes.id}").text
    row = db.session.scalar(select(BlacklistNumber.id))
    assert carla.send(f"{path}/{row}/delete").status_code == 200
    assert numbers(trotes.id) == []
    told = [str(change.before) + str(change.after) for change in db.session.scalars(select(changes.Change).where(changes.Change.word == "blacklists"))]
    assert any("+ 4833334444" in text for text in told) and any("− 4833334444" in text for text in told)
    assert not [change for change in changes.pending() if "numbers" in change.before | change.after], "numbers need no apply"


@pytest.mark.parametrize("typed", ["", "abc", "48 3333 444x", "12", "9" * 20, "190", "1,19E+10", "=48333", "٤٨٣٣٣٣٤٤٤٤"])
def test_a_number_that_is_none_is_refused_and_stays_typed(carla, trotes, typed):
    """CON-03."""
    answer = carla.send(f"/blacklists/{trotes.id}/_numbers", {"number": typed, "note": "trote"})
    assert answer.status_code == 422 and 'role="alert"' in answer.text and 'value="trote"' in answer.text
    assert numbers(trotes.id) == []


def test_a_number_written_another_way_is_in_the_list_already(carla, trotes):
    entries.add(trotes.id, trotes.name, "4833334444", "trote")
    db.session.commit()
    answer = carla.send(f"/blacklists/{trotes.id}/_numbers", {"number": "0 48 3333-4444"})
    assert answer.status_code == 422 and "já está nesta lista (trote)" in text_of(answer)


def test_numbers_are_paged_without_losing_one(carla, trotes):
    """CON-03: a list of any length, fifty at a time."""
    wanted = sorted(random_numbers(120))
    TABLE["blacklists"].update(trotes, {"numbers": [{"number": one} for one in wanted]})
    db.session.commit()
    seen, after = [], ""
    while True:
        page = carla.api("GET", f"/api/v1/blacklists/{trotes.id}/numbers?after={after}").json
        seen += [row["number"] for row in page["rows"]]
        assert page["count"] == 120
        if not (after := page["next"]):
            break
    assert seen == wanted


def test_the_api_adds_and_removes_numbers(carla, trotes):
    path = f"/api/v1/blacklists/{trotes.id}/numbers"
    made = carla.api("POST", path, {"number": "4833334444", "note": "trote"})
    assert made.status_code == 201
    for wrong in ({"number": "x"}, {"number": "4833334444"}, {"nummer": "1"}, [1], {"number": True}, {"number": {"a": 1}}):
        assert carla.api("POST", path, wrong).status_code == 422, wrong
    assert carla.api("DELETE", f"{path}/{made.json['id']}").status_code == 204
    assert carla.api("DELETE", f"{path}/{made.json['id']}").status_code == 404
    whole = carla.api("POST", "/api/v1/blacklists", {"name": "API", "numbers": [{"number": "4833334444"}, {"number": "x"}]})
    assert whole.status_code == 422 and "numbers-1-number" in whole.json["fields"]
    whole = carla.api("POST", "/api/v1/blacklists", {"name": "API", "numbers": [{"number": "4833334444", "note": "a"}]})
    assert whole.status_code == 201 and numbers(whole.json["id"]) == [("4833334444", "a")]
    assert "numbers" not in carla.api("GET", f"/api/v1/blacklists/{whole.json['id']}").json, "100,000 of them are asked for by pages"


def test_only_who_may_open_blacklists_sees_numbers(client, trotes):
    davi = person(client, "davi1", modules=["extensions"])
    entries.add(trotes.id, trotes.name, "4833334444")
    db.session.commit()
    for path in ("_numbers", "numbers.csv", "_import"):
        assert davi.get(f"/blacklists/{trotes.id}/{path}").status_code == 403, path
    assert davi.get(f"/api/v1/blacklists/{trotes.id}/numbers").status_code == 403
    assert davi.send(f"/blacklists/{trotes.id}/_numbers", {"number": "4833335555"}).status_code == 403
    assert davi.send(f"/blacklists/{trotes.id}/import", {"file": (io.BytesIO(b"x"), "x.csv")}).status_code == 403


# -------------------------------------------------------------------------------------------------------------- site file


def test_the_site_file_brings_and_gives_the_numbers():
    """CON-03: lists inside a row are replaced; what is left out stays."""
    sitefile.load('bentevi: 1\nblacklists:\n  - {name: Trotes, numbers: [{number: "4833334444", note: trote}, {number: "(48) 99111-2222"}]}\n')
    row = TABLE["blacklists"].find("Trotes")
    text = sitefile.dump(["blacklists"])
    assert '- {number: "4833334444", note: "trote"}' in text and '- {number: "48991112222"}' in text
    sitefile.load("bentevi: 1\nblacklists: [{name: Trotes, description: x}]\n")
    assert entries.count(row.id) == 2
    report = sitefile.load(text)
    assert not report.created and report.updated == ["blacklist Trotes"]  # the description
    assert not sitefile.load(text).updated
    sitefile.load("bentevi: 1\nblacklists: [{name: Trotes, numbers: []}]\n")
    assert entries.count(row.id) == 0


@pytest.mark.parametrize("note", ['Zé "Trote" da Silva; {x}', "emoji ☎️ : - #", "%s %(a)s ${X}", "\\n barra"])
def test_a_note_of_any_kind_survives_export_and_import(note):
    make("blacklists", name="Trotes", numbers=[{"number": "4833334444", "note": note}])
    text = sitefile.dump()
    sitefile.load(text.replace('"4833334444"', '"4833335555"'))
    assert sitefile.dump() == text.replace('"4833334444"', '"4833335555"')


def test_wrong_numbers_of_a_site_file_are_told_with_their_lines():
    text = 'bentevi: 1\nblacklists:\n  - name: Trotes\n    numbers:\n      - {number: "4833334444"}\n      - {number: "abc"}\n      - {nummer: "1"}\n'
    with pytest.raises(sitefile.Mistakes) as why:
        sitefile.load(text)
    assert len(why.value.found) == 2 and " 6, " in why.value.found[0] and " 7, " in why.value.found[1]
    db.session.rollback()


def test_numbers_of_a_deleted_list_come_back_with_it_and_go_after_a_month(trotes):
    """Going back to an older revision brings back a full list."""
    from datetime import timedelta

    from sqlalchemy import update

    from appliance import applying

    row_id = trotes.id
    entries.add(row_id, "Trotes", "4833334444")
    db.session.commit()
    number = applying.now("with").revision
    TABLE["blacklists"].delete(TABLE["blacklists"].get(row_id))
    db.session.commit()
    assert entries.list_with([], ["4833334444"]) is None
    jobs.forget_deleted()
    snapshots.restore_row("blacklists", row_id, number)
    db.session.commit()
    assert numbers(row_id) == [("4833334444", "")]
    TABLE["blacklists"].delete(TABLE["blacklists"].get(row_id))
    db.session.execute(update(changes.Change).values(at=ground.now() - timedelta(days=31)))
    db.session.commit()
    jobs.forget_deleted()
    assert numbers(row_id) == []


# -------------------------------------------------------------------------------------------------------------------- files


FILES = [  # content, what the list then holds
    (HEAD + "(48) 3333-4444;trote;1\r\n+55 48 99111-2222;;1\r\n", [("4833334444", "trote"), ("+5548991112222", "")]),
    (("\ufeff" + HEAD + "4833334444;São João;1\r\n"), [("4833334444", "São João")]),
    ((HEAD + "4833334444;São João;1\r\n").encode("cp1252"), [("4833334444", "São João")]),
    ("número,observação\n=\"04833334444\",a\n'4833335555,b\n", [("04833334444", "a"), ("4833335555", "b")]),
    ("4833334444\n4833335555\n", [("4833334444", ""), ("4833335555", "")]),
    ("4833334444;um\n4833335555;dois\n", [("4833334444", "um"), ("4833335555", "dois")]),
    (HEAD + "4833334444;a;2\r\n04833334444;b;2\r\n", [("4833334444", "a")]),
]


@pytest.mark.parametrize("content,holds", FILES)
def test_a_file_of_numbers_is_read_as_spreadsheets_write_it(carla, trotes, content, holds):
    """CON-03, CON-06: brackets cleaned; BOM, cp1252, commas, guarded cells, no head."""
    assert brought(carla, trotes, content).state == DONE
    assert sorted(numbers(trotes.id)) == sorted(holds)


def test_every_bad_line_is_listed_and_nothing_is_stored(carla, trotes):
    """CON-03: a file with mistakes changes nothing."""
    content = HEAD + "4833334444;boa;1\r\nabc;ruim;1\r\n1,19E+10;planilha;1\r\n=A1;fórmula;1\r\n190;emergência;1\r\n48 3333;curto;1;x\r\n"
    row = brought(carla, trotes, content)
    assert row.state == REFUSED and [line for line, _text in row.faults] == [3, 4, 5, 6, 7] and numbers(trotes.id) == []
    page = text_of(carla.get(f"/blacklists/{trotes.id}"))
    for text in ("linha 3:", "“abc” não é um número", "linha 4:", "a planilha encurtou", "linha 6:", "190 é um número de emergência"):
        assert text in page, text


def test_a_line_of_the_other_type_is_refused_with_its_line(carla, trotes):
    """CON-06: 1 is inbound, 2 outbound always."""
    content = HEAD + "4833334444;a;1\r\n4833335555;b;2\r\n4833336666;c;3\r\n"
    row = brought(carla, trotes, content, wanted_type="1")
    assert row.state == REFUSED and [line for line, _text in row.faults] == [3, 4]
    assert "só entra o tipo 1" in row.faults[0][1] and numbers(trotes.id) == []
    assert brought(carla, trotes, HEAD + "4833334444;a;1\r\n4833335555;b;2\r\n").added_count == 2
    model = carla.get("/blacklists/model.csv")
    assert model.text.startswith("\ufeffnumber;note;blacklist_type") and brought(carla, trotes, model.data, wanted_type="1").state == DONE


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"\x00\x01\x02" * 50, b"nome;idade\r\nAna;4\r\n", b"number;note\r\n"])
def test_what_is_no_file_of_numbers_is_refused_with_words(carla, trotes, content):
    answer = carla.send(f"/blacklists/{trotes.id}/import", {"mode": "add", "wanted_type": "", "file": (io.BytesIO(content), "x.csv")})
    if content:
        until(lambda: not newest(trotes.id).is_open, 60, lambda: newest(trotes.id).state)
        assert newest(trotes.id).state == REFUSED and newest(trotes.id).faults[0][1]
    else:
        assert "Escolha um arquivo" in text_of(carla.get(answer.location))
    assert numbers(trotes.id) == []


def test_adding_keeps_replacing_forgets_and_twice_is_once(carla, trotes):
    entries.add(trotes.id, trotes.name, "4833334444", "minha")
    db.session.commit()
    row = brought(carla, trotes, HEAD + "554833334444;outra;1\r\n4833335555;b;1\r\n4833335555;c;1\r\n")
    assert (row.added_count, row.known_count) == (1, 2)
    assert sorted(numbers(trotes.id)) == [("4833334444", "minha"), ("4833335555", "b")]
    brought(carla, trotes, HEAD + "4833336666;c;1\r\n", mode="replace")
    assert numbers(trotes.id) == [("4833336666", "c")]
    jobs.load(newest(trotes.id).id)
    assert numbers(trotes.id) == [("4833336666", "c")]


def test_an_export_comes_back_as_the_same_numbers(carla, trotes):
    TABLE["blacklists"].update(trotes, {"numbers": [{"number": "04833334444", "note": "=1+1"}, {"number": "+5548991112222", "note": "'x"}]})
    db.session.commit()
    before = numbers(trotes.id)
    file = carla.get(f"/blacklists/{trotes.id}/numbers.csv").data
    assert brought(carla, trotes, file, mode="replace").state == DONE and numbers(trotes.id) == before


def big_file(count):
    return HEAD + "".join(f"{one};n {place};1\r\n" for place, one in enumerate(random_numbers(count)))


def test_ten_thousand_numbers_come_in_by_file_and_slow_nothing_down(carla, trotes):
    """CON-03, CON-06."""
    assert brought_and_found(carla, trotes, 10_000) == 10_000


@pytest.mark.long
def test_a_hundred_thousand_numbers_come_in_by_file_and_slow_nothing_down(carla, trotes):
    """CON-03, CON-06."""
    assert brought_and_found(carla, trotes, 100_000) == 100_000


def brought_and_found(carla, trotes, count):
    """How many of so many numbers the list holds, found one by one, shown by pages and written out."""
    row = brought(carla, trotes, big_file(count))
    assert (row.state, row.added_count) == (DONE, count)
    listed = random_numbers(count)
    for one in (listed[0], listed[-1], listed[count // 2]):
        assert entries.list_with([trotes.id], [f"0{one}"]) == trotes.id
    assert entries.list_with([trotes.id], ["48912"]) is None
    db.session.rollback()
    assert len(carla.get(f"/blacklists/{trotes.id}").data) < 150_000, "the form shows fifty of them"
    assert len(carla.get("/blacklists").data) < 100_000
    assert carla.get(f"/blacklists/{trotes.id}/numbers.csv").data.count(b"\n") == count + 1
    assert len(str(snapshots.take())) < 100_000, "a revision holds the list, not its numbers"
    db.session.rollback()
    return sitefile.dump(["blacklists"]).count("{number:")


def test_a_cancelled_import_keeps_nothing(carla, trotes):
    """CON-03: at whatever point it is stopped."""
    worker = supervisor.read_state(settings.load())["worker"].pid
    os.killpg(worker, signal.SIGSTOP)  # a quick one would be done before we can change our mind
    try:
        row = brought(carla, trotes, big_file(10_000), wait=False)
        page = carla.get(f"/blacklists/{trotes.id}").text
        assert "numeros.csv" in page
        assert carla.send(f"/blacklists/{trotes.id}/import/{row.id}/cancel").status_code == 302
    finally:
        os.killpg(worker, signal.SIGCONT)
    until(lambda: not newest(trotes.id).is_open, 60, lambda: newest(trotes.id).state)
    assert newest(trotes.id).state == CANCELLED and numbers(trotes.id) == []


def test_stopped_while_the_numbers_are_written_nothing_is_kept(trotes, monkeypatch):
    """CON-03: the last moment at which it can be stopped."""
    token = io.BytesIO(big_file(12_000).encode())
    list_id = trotes.id
    row_id = imports.bring(list_id, token, "a.csv", imports.ADD, "").id
    db.session.execute(delete(lanes.Outgoing))
    db.session.commit()
    real, reached = imports.tell, []

    def late(row, done, total):
        if done > 12_000 and entries.count(-row):
            reached.append(done)
            raise imports.Stopped
        real(row, done, total)

    monkeypatch.setattr(imports, "tell", late)
    jobs.load(row_id)
    assert reached, "some numbers were written before it was stopped"
    assert db.session.get(BlacklistImport, row_id).state == CANCELLED
    assert not db.session.scalar(select(func.count()).select_from(BlacklistNumber)), "nothing is left lying"
    db.session.rollback()


def test_a_killed_worker_leaves_all_or_nothing_and_the_import_ends(carla, trotes):
    row = brought(carla, trotes, big_file(10_000), wait=False)
    until(lambda: newest(trotes.id).state != imports.WAITING, 30, lambda: newest(trotes.id).state)
    kill("worker")
    assert len(numbers(trotes.id)) in (0, 10_000)
    jobs.load(row.id)  # what the lane does again, half a minute later
    until(lambda: not newest(trotes.id).is_open, 60, lambda: newest(trotes.id).state)
    assert len(numbers(trotes.id)) == 10_000


def test_a_second_file_waits_for_the_first():
    company(area_code="48")
    row = make("blacklists", name="Trotes")
    imports.bring(row.id, io.BytesIO(b"number\n4833334444\n"), "a.csv", imports.ADD, "")
    with pytest.raises(Refused):
        imports.bring(row.id, io.BytesIO(b"number\n4833335555\n"), "b.csv", imports.ADD, "")
    db.session.rollback()
