"""CSV imports and exports through the real pages, the real worker and the real database."""

import contextlib
import io
import json
import os
import signal
import time

import pytest
from sqlalchemy import func, select

from appliance import changes, lanes, settings, sitefile
from appliance import db as ground
from appliance.changes import Change
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.imports import columns, export, model
from appliance.imports.model import CANCELLED, CHECKED, FAILED, STORED, STORING, Import
from appliance.numbering import Number
from appliance.resource import TABLE
from appliance.resources import RESOURCES
from appliance.users.model import by_login
from jobs import imports as jobs
from tests.build import change, make, make_class, make_extension
from tests.imports import files
from tests.rows import first_start_rows
from tests.test_resources import EVERY, LISTED, made
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


def until(done, seconds=90):
    end = time.monotonic() + seconds
    while True:
        db.session.rollback()
        found = done()
        db.session.rollback()
        if found:
            return found
        assert time.monotonic() < end, [(one.id, one.state, one.reason) for one in db.session.scalars(select(Import))]
        time.sleep(0.05)


def state_of(import_id):
    return db.session.scalar(select(Import.state).where(Import.id == import_id))


def upload(browser, word, data, name="arquivo.csv"):
    answer = browser.send(f"/{word}/_import", {"file": (io.BytesIO(data), name)})
    assert answer.status_code == 302, text_of(answer)
    return int(answer.location.rpartition("/")[2])


def form_of(import_id):
    row = db.session.get_one(Import, import_id, populate_existing=True)
    return {f"column-{index}": name for name, index in row.mapping.items()}


def exported(browser, word, **asked):
    answer = browser.get(f"/{word}/_csv", query_string=asked)
    assert answer.status_code == 200 and answer.data.startswith("\ufeff".encode()) and answer.data.endswith(b"\r\n")
    return answer.data


# -------------------------------------------------------------------------------------------------------- there and back


@EVERY
def test_an_exported_file_brought_back_changes_nothing(carla, word):
    """For every resource: what a cell holds is what the import reads."""
    resource, _example, row = made(word)
    if not resource.single:
        resource.update(row, {name: "' =1;\"x\" | [y" for name, spec in resource.fields.items() if name == "description"})
    db.session.commit()
    trail = changes.newest_id()
    for language in ("pt_BR", "en"):
        carla.send(f"/language/{language}")
        before = sitefile.dump()
        data = exported(carla, word)
        found = files.stored(word, data)
        assert (found.state, found.created_count, found.changed_count, found.bad_count) == (CHECKED, 0, 0, 0), found.faults
        assert found.same_count == len(list(resource.rows())) and set(found.mapping) == set(export.fields(resource)), language
        assert sitefile.dump() == before and changes.newest_id() == trail


@LISTED
def test_a_file_makes_the_same_rows_again_in_an_empty_home(carla, word):
    """Delete everything, bring the file: the site file is the same, byte by byte."""
    resource, example, row = made(word)
    data, before = exported(carla, word), sitefile.dump()
    column, secret = next(iter(example.secrets.items()), ("", ""))
    if secret:  # passwords are not in the file; a column is added as a person would
        assert secret.encode() not in data
        head, *lines = data.decode("utf-8-sig").splitlines()
        lines = [f"{line};{secret if str(getattr(row, resource.fields[resource.key].attr)) in line.split(';') else ''}" for line in lines]
        data = "\r\n".join([f"{head};{column}", *lines, ""]).encode()
    if word == "users":
        db.session.delete(db.session.get_one(resource.model, row.id))
        db.session.execute(changes.Change.__table__.delete())
        db.session.commit()
    else:
        first_start_rows()
        example.needs()
    found = files.stored(word, data)
    assert found.state in (STORED, CHECKED) and not found.faults, found.faults
    assert sitefile.dump() == before
    again = files.stored(word, exported(carla.is_person(by_login("carla")), word))
    assert (again.created_count, again.changed_count) == (0, 0)


def test_labels_of_one_resource_are_told_apart():
    """A heading names one field, in both languages."""
    from flask_babel import force_locale

    for resource in RESOURCES:
        for language in ("pt_BR", "en"):
            with force_locale(language):
                head = [str(spec.label) for spec in export.fields(resource).values()]
            assert columns.guess(resource, head) == {name: index for index, name in enumerate(export.fields(resource))}, (resource.word, head)


@pytest.mark.parametrize("encoding", files.ENCODINGS)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_every_way_programs_write_files_is_read(encoding, separator):
    lines = [{"Ramal": "2001", "Nome": "João; o “velho”, chefe", "Categoria": "Padrão"}, {"Ramal": "2002", "Nome": "Ação", "Categoria": "Padrão"}]
    found = files.stored("extensions", files.written(lines, encoding, separator))
    assert found.state == STORED, found.faults
    names = list(db.session.scalars(select(Extension.name).order_by(Extension.number)))
    assert names == [lines[0]["Nome"], "Ação"]


def test_cells_as_spreadsheets_protect_them_keep_zeros_and_signs():
    text = "Nome;Forçar Caller ID;Tempo de toque;NAT\r\nLoja;=\"0482\";30,00;VERDADEIRO\r\nBalcão;'0483;25;x\r\nCaixa;0484;40.0;Não\r\n"
    found = files.stored("extension_classes", text.encode("cp1252"), mapping={"name": 0, "caller_id": 1, "ring_timeout_seconds": 2, "nat": 3})
    assert found.state == STORED, found.faults
    rows = [(TABLE["extension_classes"].find(name).caller_id, TABLE["extension_classes"].find(name).ring_timeout_seconds,
             TABLE["extension_classes"].find(name).nat) for name in ("Loja", "Balcão", "Caixa")]
    assert rows == [("0482", 30, True), ("0483", 25, True), ("0484", 40, False)]


def test_an_export_has_no_formula_and_no_number_a_spreadsheet_shortens(carla):
    make("cost_centres", name="=HYPERLINK(1)", description="@x")
    make_class("Loja", caller_id="04830139018")
    assert "'=HYPERLINK(1);'@x" in exported(carla, "cost_centres").decode()
    assert "'04830139018" in exported(carla, "extension_classes").decode()


def test_an_export_holds_what_the_list_is_filtered_by(carla):
    make_class("Loja")
    make_extension("2001", name="Ana", **{"class": "Loja"})
    make_extension("2002", name="Bruno")
    assert "Ana" in exported(carla, "extensions", q="ana").decode() and "Bruno" not in exported(carla, "extensions", q="ana").decode()
    assert "Bruno" not in exported(carla, "extensions", **{"class": "Loja"}).decode()
    assert carla.get("/api/v1/extensions?format=csv&q=ana").text.startswith("\ufeffnumber;name;class;")


# ------------------------------------------------------------------------------------------------------------- the pages


def test_a_file_goes_from_upload_to_rows(carla):
    """EXT-01: columns guessed from labels in Portuguese; the unknown one is said; preview; decision; the real worker."""
    make_extension("2001", name="Ana")
    text = "Ramal;Nome;Categoria;Andar\r\n2001;Ana Souza;Padrão;1\r\n2002;Bruno;Padrão;2\r\n2003;;Nenhuma;3\r\n"
    import_id = upload(carla, "extensions", text.encode("cp1252"))
    page = carla.get(f"/imports/{import_id}")
    assert page.text.count(" selected") == 3 + 0 and "Ana Souza · Bruno" in text_of(page)
    assert carla.send(f"/imports/{import_id}/check", form_of(import_id)).status_code == 302
    until(lambda: state_of(import_id) == CHECKED)
    page = text_of(carla.get(f"/imports/{import_id}"))
    assert "Colunas deixadas de fora: Andar" in page and "Ana → Ana Souza" in page and "1 novos 1 alterados 0 como estão 1 linhas com erro" in page
    assert "4 Nome Preencha este campo." in page and "4 Categoria Não existe categoria “Nenhuma”." in page
    assert db.session.scalar(select(func.count()).select_from(Extension)) == 1
    told = carla.get(f"/imports/{import_id}/faults.csv").text
    assert "4;Nome;" in told and "4;Categoria;" in told
    assert "linhas têm erro" in text_of(carla.send(f"/imports/{import_id}/store", follow_redirects=True))
    carla.send(f"/imports/{import_id}/store", {"leave_out": "yes"})
    until(lambda: state_of(import_id) == STORED)
    assert {one.number: one.name for one in db.session.scalars(select(Extension))} == {"2001": "Ana Souza", "2002": "Bruno"}
    assert db.session.scalar(select(Number.word).where(Number.number == "2002")) == "extensions"
    trail = [(one.user_name, one.action, one.batch) for one in db.session.scalars(select(Change).where(Change.batch != ""))]
    assert sorted(trail) == [("Carla", "created", f"import-{import_id}"), ("Carla", "updated", f"import-{import_id}")]
    assert not list(model.folder().iterdir()), "the file is gone"
    again = files.stored("extensions", text.replace("\r\n2003;;Nenhuma;3", "").encode("cp1252"))
    assert (again.created_count, again.changed_count, again.same_count) == (0, 0, 2)


def test_the_file_lies_untouched_for_its_owner_only_until_it_is_over(carla):
    data = files.written(files.good("extensions", 3), "cp1252")
    import_id = upload(carla, "extensions", data)
    file, = model.folder().iterdir()
    assert file.read_bytes() == data and file.stat().st_mode & 0o777 == 0o600 and model.folder().stat().st_mode & 0o777 == 0o700
    carla.send(f"/imports/{import_id}/cancel")
    assert state_of(import_id) == CANCELLED and not file.exists()


def test_columns_can_be_changed_and_must_name_the_key(carla):
    import_id = upload(carla, "extensions", b"a;b\r\n2001;Ana\r\n")
    refused = carla.send(f"/imports/{import_id}/check", {"column-1": "name"})
    assert refused.status_code == 422 and "Escolha a coluna que diz qual é o registro." in text_of(refused)
    assert carla.send(f"/imports/{import_id}/check", {"column-0": "name", "column-1": "name"}).status_code == 422
    assert carla.send(f"/imports/{import_id}/check", {"column-0": "number", "column-1": "name"}).status_code == 302
    until(lambda: state_of(import_id) == CHECKED)
    assert carla.get(f"/imports/{import_id}?columns=choose").text.count(" selected") == 2


# --------------------------------------------------------------------------------------------------------------- secrets


def test_no_password_of_a_file_is_seen_anywhere_and_an_empty_one_keeps_the_old(carla):
    """EXT-03."""
    make_extension("2001", name="Ana", password="velha-senha-1")
    text = "Ramal;Nome;Senha\r\n2001;Ana;\r\n2002;Bruno;segredo-do-Bruno-9\r\n2003;Caio;\r\n2004;Duda;curta\r\n"
    import_id = upload(carla, "extensions", text.encode())
    pages = carla.get(f"/imports/{import_id}").text
    carla.send(f"/imports/{import_id}/check", form_of(import_id))
    until(lambda: state_of(import_id) == CHECKED)
    pages += carla.get(f"/imports/{import_id}").text + carla.get(f"/imports/{import_id}/faults.csv").text + carla.get(f"/api/v1/imports/{import_id}").text
    assert "segredo-do-Bruno" not in pages and "curta" not in pages and "••••••" in pages
    carla.send(f"/imports/{import_id}/store", {"leave_out": "yes"})
    until(lambda: state_of(import_id) == STORED)
    passwords = {one.number: one.password for one in db.session.scalars(select(Extension))}
    assert passwords["2001"] == "velha-senha-1" and passwords["2002"] == "segredo-do-Bruno-9" and len(passwords["2003"]) == 16
    row = db.session.get_one(Import, import_id, populate_existing=True)
    assert passwords["2003"] in row.generated and row.generated_count == 1
    raw = db.session.scalar(select(Import.__table__.c.generated).where(Import.id == import_id).with_only_columns(
        func.cast(Import.__table__.c.generated, __import__("sqlalchemy").Text)))
    assert passwords["2003"] not in str(raw), "sealed at rest"
    listed = carla.send(f"/imports/{import_id}/passwords")
    assert f"2003;Caio;Senha SIP;{passwords['2003']}" in listed.text and "2002" not in listed.text
    assert carla.send(f"/imports/{import_id}/passwords").status_code == 302, "once"
    db.session.refresh(row)
    assert row.generated is None
    trail = json.dumps([[one.before, one.after] for one in db.session.scalars(select(Change))])
    logs = "".join(path.read_text(errors="replace") for path in settings.load().log.iterdir() if path.is_file())
    assert not any(secret in trail + logs for secret in ("segredo-do-Bruno-9", passwords["2003"]))
    assert not list(model.folder().iterdir())


# ----------------------------------------------------------------------------------------------------------- permissions


def test_only_the_owner_who_may_change_the_rows_sees_an_import(client, carla):
    """USR-11, USR-14: Davi, somebody without the right, another administrator, and an owner whose right is taken away."""
    eva = person(client, "eva.lima", modules=["extensions"])
    import_id = upload(eva, "extensions", files.written(files.good("extensions", 3)))
    davi = person(client, "davi.souza", modules=["now"])
    paths = [f"/imports/{import_id}", f"/imports/{import_id}/_state", f"/imports/{import_id}/faults.csv", f"/api/v1/imports/{import_id}"]
    posts = [f"/imports/{import_id}/{what}" for what in ("check", "store", "cancel", "passwords")]
    for other in (davi, carla):
        assert {other.get(path).status_code for path in paths} == {404}
        assert {other.send(path).status_code for path in posts} == {404}
        assert other.api("DELETE", f"/api/v1/imports/{import_id}").status_code == 404
    assert {eva.get(path).status_code for path in paths} == {200}
    for path in ("/extensions/_csv", "/extensions/_import", "/users/_import", "/users/_csv"):
        assert davi.get(path).status_code == 403
        assert davi.get(path.replace("/extensions", "/api/v1/extensions")).status_code in (403, 404, 405)
    assert davi.send("/extensions/_import", {"file": (io.BytesIO(b"number\r\n1\r\n"), "x")}).status_code == 403
    assert davi.post("/api/v1/extensions/imports", headers={"X-CSRFToken": davi.csrf()}).status_code == 403
    eva.send(f"/imports/{import_id}/check", form_of(import_id))
    until(lambda: state_of(import_id) == CHECKED)
    change(by_login("eva.lima"), modules=["cost_centres"])
    assert eva.get(f"/imports/{import_id}").status_code == 404
    row = db.session.get_one(Import, import_id)
    model.ask_store(row, False)
    db.session.commit()
    jobs.store_rows(import_id)
    assert state_of(import_id) == FAILED and not list(db.session.scalars(select(Extension)))


def test_people_who_see_users_but_make_none_import_none(client):
    manager = person(client, "gestora", modules=["users"])
    assert manager.get("/users").status_code == 200 and "_import" not in manager.get("/users").text
    assert manager.get("/users/_import").status_code == 403
    assert manager.send("/users/_import", {"file": (io.BytesIO(b"login\r\nabcde\r\n"), "x")}).status_code == 403


def test_a_person_may_have_so_many_open(carla):
    data = files.written(files.good("cost_centres", 2))
    for _n in range(model.MOST_OPEN):
        upload(carla, "cost_centres", data)
    refused = carla.send("/cost_centres/_import", {"file": (io.BytesIO(data), "x.csv")})
    assert refused.status_code == 422 and "ainda estão abertas" in text_of(refused)


# ------------------------------------------------------------------------------------------ cancelled, killed, left lying


def many(count=3000):
    return files.written([{"Ramal": f"{10000 + n}", "Nome": f"Pessoa {n}", "Senha": f"segredo-{n:06}"} for n in range(count)])


def test_cancelling_while_it_is_stored_keeps_nothing(carla):
    """The worker is in the middle of its transaction; on SQLite nobody else could write until it ends."""
    import_id = upload(carla, "extensions", many())
    carla.send(f"/imports/{import_id}/check", form_of(import_id))
    until(lambda: state_of(import_id) == CHECKED)
    before = sitefile.dump()
    carla.send(f"/imports/{import_id}/store")
    until(lambda: (model.progress_of(import_id) or (0, 0))[0] >= 250)
    assert carla.send(f"/imports/{import_id}/cancel").status_code == 302
    assert state_of(import_id) == CANCELLED
    until(lambda: not model.is_alive(import_id))
    assert sitefile.dump() == before and state_of(import_id) == CANCELLED
    assert not list(db.session.scalars(select(Number).where(Number.word == "extensions"))) and not list(model.folder().iterdir())


def test_a_worker_killed_in_the_middle_of_storing_leaves_nothing_half_and_the_work_is_done_in_the_end(carla, monkeypatch):
    """kill -9; the transaction is gone, another run takes the import up and stores each row once."""
    import_id = upload(carla, "extensions", many())
    carla.send(f"/imports/{import_id}/check", form_of(import_id))
    until(lambda: state_of(import_id) == CHECKED)
    carla.send(f"/imports/{import_id}/store")
    until(lambda: (model.progress_of(import_id) or (0, 0))[0] >= 500)
    kill_horses()
    until(lambda: state_of(import_id) == STORING, 5)
    assert db.session.scalar(select(func.count()).select_from(Extension)) == 0, "nothing is half stored"
    db.session.rollback()
    model.let_go(import_id)  # what LEASE_SECONDS without a sign of life do
    old = ground.now() - model.timedelta(seconds=model.LEASE_SECONDS + 1)
    db.session.execute(Import.__table__.update().values(beat_at=old))
    db.session.commit()
    jobs.tidy()
    lanes.relay()
    until(lambda: state_of(import_id) == STORED)
    assert db.session.scalar(select(func.count()).select_from(Extension)) == 3000
    assert db.session.scalar(select(func.count()).select_from(Change).where(Change.batch == f"import-{import_id}")) == 3000


def kill_horses():
    """Every job that runs now is killed, as by a machine that runs out of memory."""
    for worker in lanes.connection().smembers("rq:workers"):
        pid = int(worker.rpartition(b".")[2]) if worker.rpartition(b".")[2].isdigit() else 0
        for child in children_of(pid or worker_pid(worker)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def worker_pid(worker):
    return int(lanes.connection().hget(worker, "pid") or 0)


def children_of(pid):
    with contextlib.suppress(FileNotFoundError):
        return [int(one) for task in os.listdir(f"/proc/{pid}/task") for one in open(f"/proc/{pid}/task/{task}/children").read().split()]
    return []


def test_one_that_is_killed_again_and_again_fails_with_a_reason(app):
    import_id = files.uploaded("extensions", many(3))
    for _time in range(model.MOST_RUNS):
        assert model.take(import_id, model.WAITING)
        model.let_go(import_id)
        old = ground.now() - model.timedelta(seconds=model.LEASE_SECONDS + 1)
        db.session.execute(Import.__table__.update().values(beat_at=old))
        db.session.commit()
        model.tidy()
        db.session.commit()
    row = db.session.get_one(Import, import_id, populate_existing=True)
    assert row.state == FAILED and "interrompida" in row.reason
    model.tidy_files()


def test_a_job_delivered_twice_stores_once_and_an_older_run_cannot_finish(app):
    import_id = files.uploaded("extensions", many(3))
    jobs.check(import_id)
    jobs.check(import_id)
    assert state_of(import_id) == CHECKED
    model.ask_store(db.session.get_one(Import, import_id), False)
    db.session.commit()
    old = model.take(import_id, model.ASKED)
    db.session.commit()
    assert old and not model.take(import_id, model.ASKED), "somebody has it"
    db.session.rollback()
    model.let_go(import_id)
    jobs.store_rows(import_id)
    assert not model.finish(import_id, old, state=STORED)
    db.session.rollback()
    jobs.store_rows(import_id)
    assert db.session.scalar(select(func.count()).select_from(Change).where(Change.action == "created", Change.word == "extensions")) == 3


def test_what_changed_between_check_and_store_is_seen_again_and_nothing_is_stored(app):
    row = files.checked("extensions", many(5))
    make_extension("10002", name="Outra pessoa")
    from tests.build import make_internal_route

    db.session.delete(TABLE["extensions"].find("10002"))
    db.session.execute(Number.__table__.delete())
    db.session.commit()
    make_internal_route("Atalho", {"mask": "10002", "destination": {"hangup": True}})
    model.ask_store(row, False)
    db.session.commit()
    jobs.store_rows(row.id)
    db.session.refresh(row)
    assert row.state == CHECKED and "mudou desde a conferência" in row.reason and [fault[0] for fault in row.faults] == [4]
    assert not list(db.session.scalars(select(Extension)))


def test_files_and_imports_past_their_days_are_removed(carla):
    import_id = upload(carla, "extensions", many(3))
    db.session.execute(Import.__table__.update().values(expires_at=ground.now()))
    db.session.commit()
    assert carla.get(f"/imports/{import_id}").status_code == 404
    for path in model.folder().iterdir():
        os.utime(path, (0, 0))
    (model.folder() / "x.csv").touch()
    jobs.tidy()
    assert db.session.get(Import, import_id) is None
    assert [path.name for path in model.folder().iterdir()] == ["x.csv"], "one that may be being uploaded stays"


# ------------------------------------------------------------------------------------------------------------------- API


def test_the_api_uploads_shows_and_stores(carla):
    headers = {"X-CSRFToken": carla.csrf()}
    data = b"Ramal;Quem\r\n2001;Ana\r\n2002;\r\n"
    path = "/api/v1/extensions/imports"
    refused = carla.post(path, data={"file": (io.BytesIO(data), "x.csv"), "mapping": json.dumps({"number": "Nada"})}, headers=headers)
    assert refused.status_code == 422 and "number" in refused.json["fields"] and not list(model.folder().iterdir())
    answer = carla.post(path, data={"file": (io.BytesIO(data), "x.csv"), "mapping": json.dumps({"number": "Ramal", "name": "Quem"})}, headers=headers)
    assert answer.status_code == 202 and answer.json["mapping"] == {"number": "Ramal", "name": "Quem"}
    one = f"/api/v1/imports/{answer.json['id']}"
    until(lambda: carla.get(one).json["state"] == CHECKED)
    found = carla.get(one).json
    assert found["faults"] == [{"line": 3, "column": "Quem", "error": "Preencha este campo."}] and (found["created"], found["bad"]) == (1, 1)
    assert found["preview"][0]["after"]["name"] == "Ana" and found["preview"][0]["line"] == 2
    assert carla.api("POST", f"{one}/store").status_code == 422
    assert carla.api("POST", f"{one}/store", {"leave_out": True}).status_code == 202
    until(lambda: carla.get(one).json["state"] == STORED)
    assert carla.api("DELETE", one).status_code == 422
    described = carla.get("/api/v1/openapi.json").json["paths"]
    assert {path, "/api/v1/imports/{import_id}", "/api/v1/changes/{change_id}/undo"} <= set(described)


def test_a_row_of_every_fault_has_a_text_in_both_languages():
    """The words of the language of who asks, also in the worker."""
    row = files.checked("extensions", b"number;name\r\n1,19E+10;Ana\r\n")
    assert "planilha encurtou" in row.faults[0][2]


