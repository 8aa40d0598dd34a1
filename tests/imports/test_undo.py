"""Undo: one change, what was touched since, secrets, whole batches, who may (CFG-08)."""

import pytest
from sqlalchemy import select

from appliance import changes, sitefile
from appliance.changes import Change
from appliance.db import db
from appliance.extensions.model import Extension
from appliance.imports.model import STORED
from appliance.resource import SINGLE_ID, TABLE
from tests.build import change, make, make_class, make_extension, make_internal_route, make_outbound_route, make_trunk
from tests.imports import files
from tests.test_resources import EVERY, LISTED, given, made
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")


def newest(action=None):
    query = select(Change).order_by(Change.id.desc())
    return db.session.scalars(query.where(Change.action == action) if action else query).first()


def rows():
    """The rows without the order in which they were made: a row that comes back may stand elsewhere."""
    return sorted(sitefile.dump().splitlines())


@EVERY
def test_a_change_is_taken_back_on_the_page_and_again(carla, word):
    """For every resource: undo gives the row back as it was; undoing the undo gives the change back."""
    resource, example, row = made(word)
    before = sitefile.dump()
    change(row, **example.change)
    after = sitefile.dump()
    first = newest("updated").id
    page = carla.get(f"/undo/{first}")
    assert page.status_code == 200 and "Estes campos voltam ao que tinham:" in text_of(page)
    assert f"/undo/{first}" in carla.get(resource.path(row.id)).text and f"/undo/{first}" in carla.get("/audit").text
    assert carla.send(f"/undo/{first}").status_code == 302
    assert sitefile.dump() == before
    undo = newest()
    assert (undo.action, undo.undoes, undo.user_name) == ("updated", first, "Carla")
    assert carla.api("POST", f"/api/v1/changes/{undo.id}/undo").status_code == 200
    assert sitefile.dump() == after
    assert "desfeita" in text_of(carla.get("/audit"))


@LISTED
def test_a_created_row_goes_and_a_deleted_one_comes_back_whole_with_its_secrets(carla, word):
    resource, example, row = made(word)
    secrets, row_id, before = resource.secrets_of(row), row.id, rows()
    created = db.session.scalar(select(Change.id).where(Change.word == word, Change.action == "created", Change.row_id == row_id))
    assert bool(secrets) == bool(example.secrets)
    assert carla.send(f"/undo/{created}").status_code == 302
    assert resource.get(row_id) is None
    deleted = newest("deleted").id
    assert carla.send(f"/undo/{deleted}").status_code == 302
    row = resource.get(row_id)
    assert rows() == before and resource.secrets_of(row) == secrets, "under the same id, with its passwords"
    refused = carla.send(f"/undo/{deleted}")
    assert refused.status_code == 422 and "já existe de novo" in text_of(refused)


def test_what_was_changed_since_is_named_field_by_field_and_only_the_rest_goes_back(carla):
    row = make_extension("2001", name="Ana", devices=1)
    change(row, name="Ana Souza", devices=3)
    first = newest().id
    change(row, name="Ana Lima")
    page = text_of(carla.get(f"/undo/{first}"))
    assert "Alterado de novo depois disso: Nome: Ana Souza → Ana Lima" in page and "Desfazer só os campos intocados" in page
    refused = carla.send(f"/undo/{first}")
    assert refused.status_code == 422
    db.session.refresh(row)
    assert (row.name, row.devices) == ("Ana Lima", 3)
    assert carla.send(f"/undo/{first}", {"untouched": "yes"}).status_code == 302
    db.session.refresh(row)
    assert (row.name, row.devices) == ("Ana Lima", 1)


def test_a_row_that_was_changed_since_it_was_made_is_not_deleted(carla):
    row = make_extension("2001", name="Ana")
    created = newest().id
    change(row, name="Ana Souza")
    assert carla.send(f"/undo/{created}", {"untouched": "yes"}).status_code == 422
    assert TABLE["extensions"].find("2001")


def test_numbers_and_references_keep_their_rules(carla):
    ana = make_extension("2001", name="Ana")
    carla.send(f"/extensions/{ana.id}/delete")
    deleted = newest("deleted").id
    make_internal_route("Atalho", {"mask": "2001", "destination": {"hangup": True}})
    refused = carla.send(f"/undo/{deleted}")
    assert refused.status_code == 422 and "2001" in text_of(refused) and "Atalho" in text_of(refused)
    trunk = make_trunk("Operadora", 5099)
    created = newest().id
    make_outbound_route("Local", {"mask": "9XXXXXXXX", "trunk": "Operadora"})
    refused = carla.send(f"/undo/{created}")
    assert refused.status_code == 422 and "Local" in text_of(refused) and TABLE["trunks"].get(trunk.id)
    loja = make_class("Loja")
    caio = make_extension("2002", **{"class": "Loja"})
    change(caio, **{"class": "Padrão"})
    moved = newest().id
    TABLE["extension_classes"].delete(loja)
    db.session.commit()
    refused = carla.send(f"/undo/{moved}")
    assert refused.status_code == 422 and "Loja" in text_of(refused)


def test_a_password_is_not_given_back_and_the_page_says_so(carla):
    row = make_extension("2001", name="Ana", password="primeira-senha")
    change(row, password="segunda-senha", name="Ana Souza")
    both = newest().id
    assert "Não fica guardado na auditoria, por isso continua como está: Senha SIP" in text_of(carla.get(f"/undo/{both}"))
    carla.send(f"/undo/{both}")
    db.session.refresh(row)
    assert (row.name, row.password) == ("Ana", "segunda-senha")
    change(row, password="terceira-senha")
    assert "Só uma senha foi alterada" in text_of(carla.get(f"/undo/{newest().id}"))
    assert carla.send(f"/undo/{newest().id}").status_code == 422


def test_only_who_may_change_the_row_may_undo(client, carla):
    """USR-14: the right to read the trail is not the right to undo; users are for administrators."""
    change(make_extension("2001", name="Ana"), name="Ana Souza")
    mine = newest().id
    davi = person(client, "davi.souza", modules=["audit"])
    manager = person(client, "gestora", modules=["audit", "extensions", "users"])
    users = newest().id
    assert davi.get("/audit").status_code == 200 and "/undo/" not in davi.get("/audit").text
    for path in (f"/undo/{mine}", f"/undo/{users}"):
        assert davi.get(path).status_code == davi.send(path).status_code == 403
    assert davi.api("POST", f"/api/v1/changes/{mine}/undo").status_code == 403
    assert manager.get(f"/undo/{users}").status_code == manager.send(f"/undo/{users}").status_code == 403
    assert manager.send(f"/undo/{mine}").status_code == 302
    assert TABLE["extensions"].find("2001").name == "Ana"


def test_a_whole_import_is_taken_back_at_once_or_not_at_all(carla):
    ana = make_extension("2001", name="Ana")
    before = rows()
    found = files.stored("extensions", b"number;name\r\n2001;Ana Souza\r\n2002;Bruno\r\n2003;Caio\r\n")
    assert found.state == STORED
    path = f"/undo/batch/{found.batch}"
    page = text_of(carla.get(path))
    assert "Desfazer todas as 3 alterações" in page and "2002 Bruno" in page
    change(TABLE["extensions"].find("2003"), name="Caio Lima")
    refused = carla.send(path)
    assert refused.status_code == 422 and "2003 Caio foi alterado de novo depois disso: Nome" in text_of(refused)
    assert db.session.query(Extension).count() == 3 and TABLE["extensions"].find("2001").name == "Ana Souza"
    change(TABLE["extensions"].find("2003"), name="Caio")
    assert carla.send(path).status_code == 302
    assert rows() == before and TABLE["extensions"].get(ana.id).name == "Ana"
    again = newest().batch
    assert carla.send(f"/undo/batch/{again}").status_code == 302, "the undo is a batch too"
    assert {one.number for one in db.session.scalars(select(Extension))} == {"2001", "2002", "2003"}
    davi = person(carla, "davi.souza", modules=["audit"])
    assert davi.get(path).status_code == davi.send(path).status_code == 403


def test_a_site_file_is_taken_back_as_a_whole(carla):
    """Rows of several resources that point at each other, in the order that undoes them."""
    before = rows()
    sitefile.load("""
bentevi: 1
extension_classes: [{name: Loja}]
trunks: [{name: Operadora, host: 127.0.0.1}]
extensions: [{number: "2001", name: Ana, class: Loja}]
outbound_routes: [{name: Local, rules: [{mask: 9XXXXXXXX, trunk: Operadora, restrict_to: ["2001"]}]}]
""")
    db.session.commit()
    batch = newest().batch
    assert batch.startswith("site-") and carla.send(f"/undo/batch/{batch}").status_code == 302
    assert rows() == before


def test_what_is_no_change_of_a_row_is_not_undone(carla):
    changes.record("jobs", 0, "x", "forgotten", {}, {}, pending=False)
    db.session.commit()
    assert carla.send(f"/undo/{newest().id}").status_code == 403 and carla.get("/undo/999999").status_code == 404
    assert carla.get("/undo/batch/").status_code == 404 and carla.get("/undo/batch/x").status_code == 404


# ------------------------------------------------------------------------------------------------------------- bulk edit


def test_many_rows_are_changed_after_a_look_and_undone_at_once(carla):
    make_class("Loja")
    ids = [str(make_extension(f"200{n}", name=f"Pessoa {n}").id) for n in range(5)]
    before = sitefile.dump()
    page = carla.send("/extensions/_edit", {"row": ids[:3]})
    assert page.status_code == 200 and "Editar 3 registros" in text_of(page)
    assert 'name="set" value="number"' not in page.text and 'value="password"' not in page.text
    form = {"row": ids[:3], "set": ["class", "devices"], "class": "Loja", "devices": "2", "step": "preview"}
    page = carla.send("/extensions/_edit", form)
    assert "Alterar 3 registros" in text_of(page) and "Classe: Padrão → Loja" in text_of(page).replace("Categoria:", "Classe:")
    assert sitefile.dump() == before, "nothing is stored yet"
    assert carla.send("/extensions/_edit", form | {"step": "store"}).status_code == 302
    assert [TABLE["extensions"].get(int(one)).devices for one in ids] == [2, 2, 2, 1, 1]
    batch = newest().batch
    assert f"/undo/batch/{batch}" in carla.get("/extensions").text
    carla.send(f"/undo/batch/{batch}")
    assert sitefile.dump() == before


def test_all_rows_of_a_search_are_changed_and_a_changed_search_is_noticed(carla):
    for n in range(60):
        make_extension(f"2{n:03}", name="Loja" if n % 2 else "Caixa")
    form = {"all": "yes", "search": "q=Loja", "count": "30", "set": "devices", "devices": "4", "step": "store"}
    make_extension("3000", name="Loja nova")
    assert carla.send("/extensions/_edit", form).status_code == 302
    assert "encontra outros registros" in text_of(carla.get("/extensions"))
    assert carla.send("/extensions/_edit", form | {"count": "31"}).status_code == 302
    assert {one.name for one in db.session.scalars(select(Extension).where(Extension.devices == 4))} == {"Loja", "Loja nova"}


def test_a_row_that_refuses_the_values_is_named_and_nothing_is_stored_unless_it_is_left_out(carla):
    one = make("trunks", name="Boa", host="127.0.0.1", authentication="by_ip")
    other = make("trunks", name="Com senha", host="127.0.0.1", authentication="sends_registration", username="u", password="senha-x")
    form = {"row": [str(one.id), str(other.id)], "set": ["authentication"], "authentication": "sends_registration", "step": "store"}
    form |= {"set": ["authentication", "call_limit"], "call_limit": "7"}
    before = sitefile.dump()
    refused = carla.send("/trunks/_edit", form)
    assert refused.status_code == 422 and "Boa: Escreva o usuário." in text_of(refused) and sitefile.dump() == before
    assert carla.send("/trunks/_edit", form | {"leave_out": "yes"}).status_code == 302
    assert [TABLE["trunks"].get(row.id).call_limit for row in (one, other)] == [None, 7]


@LISTED
def test_bulk_edit_and_bulk_delete_are_refused_to_davi_and_offer_every_field(carla, client, word):
    resource, _example, row = made(word)
    davi = person(client, "davi.souza", modules=["now"])
    for path in (f"/{word}/_edit", f"/{word}/_delete"):
        assert davi.send(path, {"row": str(row.id)}).status_code == 403
    assert carla.send(f"/{word}/_edit", {"row": str(row.id)}).status_code == 200
    assert carla.send(f"/{word}/_edit", {"row": str(row.id), "step": "preview"}).status_code == 422, "no field is ticked"
    assert carla.send(f"/{word}/_edit").status_code == 302, "no row is ticked"
    before, row_id = rows(), row.id
    assert carla.send(f"/{word}/_delete", {"row": str(row_id)}).status_code == 302 and resource.get(row_id) is None
    carla.send(f"/undo/batch/{newest().batch}")
    assert rows() == before


def test_managers_who_see_users_change_none_at_once(client):
    manager = person(client, "gestora", modules=["users"])
    assert manager.send("/users/_edit", {"all": "yes", "set": "active", "step": "store"}).status_code == 403
    assert given("users")


def test_the_one_row_of_a_page_is_never_taken_away(carla):
    """The making of the feature codes, the company … stands in the trail too; without the row nothing could be applied any more."""
    singles = [resource for resource in TABLE.values() if resource.single]
    assert len(singles) >= 5
    for resource in singles:
        db.session.delete(db.session.get_one(resource.model, SINGLE_ID))
        db.session.flush()
        resource.create({"name": "Padaria Estrela"} if resource.word == "company" else {})
        db.session.commit()
        made = db.session.scalars(select(Change).where(Change.word == resource.word, Change.action == "created").order_by(Change.id.desc())).first()
        assert made
        path = f"/undo/{made.id}"
        assert carla.get(path).status_code == 403 and carla.send(path).status_code == 403, resource.word
        assert carla.api("POST", f"/api/v1/changes/{made.id}/undo", {}).status_code in (403, 422), resource.word
        assert db.session.get(resource.model, SINGLE_ID), resource.word
    assert carla.get("/pending").status_code == 200
