"""Every resource of the table through all its faces: pages, API, site file, audit trail, permissions."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Boolean as SqlBoolean
from sqlalchemy import Integer, inspect, select

from appliance import changes, config_files, sitefile
from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE, Resource
from appliance.resources import RESOURCES
from appliance.settings import CHECKOUT
from tests.build import make, make_class, make_extension, make_queue, make_trunk
from tests.rows import first_start_rows
from tests.visitor import form_of, person, text_of
from web.crud import sortable

pytestmark = pytest.mark.usefixtures("app")


@dataclass
class Example:
    """One good row, one change of it, and one value that is refused (field, value)."""

    values: dict[str, Any]
    change: dict[str, Any]
    wrong: tuple[str, Any]
    needs: Callable[[], Any] = lambda: None
    secrets: dict[str, str] = field(default_factory=dict)  # field → clear text that may appear nowhere


EXAMPLES = {
    "extensions": Example(
        {"number": "2001", "name": "Ana", "class": "Padrão", "devices": 2, "provisioning": True, "hide_in_phonebook": True}, {"name": "Ana Maria"}, ("number", "1"),
        secrets={"password": "segredo-da-Ana-1"}),
    "desk_phones": Example(
        {"mac": "00:0b:82:12:34:56", "extension": "2001", "brand": "grandstream", "model": "GXP1625"}, {"model": "GXP1630"}, ("mac", "00:0b:82"),
        needs=lambda: make_extension("2001", devices=5), secrets={"admin_password": "paginaDoAparelho9"}),
    "extension_classes": Example(
        {"name": "Loja", "caller_id": "4830139018", "ring_timeout_seconds": 25,
         "call_time_window": [{"weekdays": ["mon", "tue"], "start": "08:00", "end": "24:00"}]}, {"ring_timeout_seconds": 40}, ("ring_timeout_seconds", 4)),
    "pickup_groups": Example({"name": "Loja", "description": "Balcão"}, {"description": "Caixa"}, ("name", "x" * 41)),
    "dialing_profiles": Example({"name": "Cidade", "premium_calls": True}, {"description": "Só local"}, ("name", "${X}")),
    "trunks": Example(
        {"name": "Operadora", "authentication": "sends_registration", "host": "127.0.0.1", "port": 5099, "username": "padaria",
         "codecs": ["alaw", "gsm"], "extra": {"insecure": "port,invite"}},
        {"caller_id": "4830139018"}, ("port", 70000), secrets={"password": "segredo-do-tronco"}),
    "khomp_boards": Example({"index": 0, "model": "EBS-FXO", "channels": 4, "serial": "2352"}, {"channels": 8}, ("channels", 0)),
    "inbound_routes": Example(
        {"name": "Entrada", "trunks": ["Operadora"],
         "rules": [{"mask": "4830139018", "strip": 1, "destination": {"extension": "2001"}},
                   {"default": True, "destination": {"hangup": True}}]},
        {"description": "Todos os números"}, ("rules", [{"mask": "A1", "destination": {"hangup": True}}]),
        needs=lambda: (make_trunk("Operadora", 5099), make_extension("2001"))),
    "outbound_routes": Example(
        {"name": "Local", "rules": [{"mask": "[2-5]XXXXXXX", "external_line": True, "strip": 0, "prepend": "48", "trunk": "Operadora",
                                     "restrict_to": ["2001"], "overflow": [{"conditions": ["busy"], "trunk": "Operadora"}]}]},
        {"description": "Fixos"}, ("rules", [{"mask": "9", "trunk": "Ninguém"}]),
        needs=lambda: (make_trunk("Operadora", 5099), make_extension("2001"))),
    "internal_routes": Example(
        {"name": "Caixa", "rules": [{"mask": "77", "destination": {"extension": "2001"}}]}, {"description": "Atalho"},
        ("rules", [{"mask": "190", "destination": {"hangup": True}}]), needs=lambda: make_extension("2001")),
    "queues": Example(
        {"name": "Suporte", "number": "2500", "business_hours": "Comercial", "strategy": "rotate", "moh_class": "Calma",
         "members": [{"extension": "2001", "penalty": 1, "paused": False}], "overflow": {"on_full": {"max_waiting": 3, "destination": {"extension": "2001"}}},
         "overflow_queues": ["Outra"], "queue_weight": 5, "service_level_seconds": 15},
        {"description": "Dúvidas", "overflow": {"on_timeout": {"hangup": True}}}, ("number", "25a"),
        needs=lambda: (make("business_hours", name="Comercial"), make("moh_classes", name="Calma"), make_extension("2001"), make_queue("2600", name="Outra"))),
    "moh_classes": Example({"name": "Calma", "description": "Piano"}, {"description": "Violão"}, ("name", "x" * 41)),
    "ivrs": Example(
        {"name": "Principal", "number": "3500", "business_hours": "Comercial", "prompt": "Menu", "dial_extension": True, "attempts": 2,
         "options": {"1": {"extension": "2001"}, "*": {"hangup": True}}, "default_destination": {"option": "1"}},
        {"description": "Entrada"}, ("options", {"a": {"hangup": True}}),
        needs=lambda: (make("business_hours", name="Comercial"), make("audio_prompts", name="Menu", text="Digite um."), make_extension("2001"))),
    "announcements": Example(
        {"name": "Fechado", "prompts": ["Menu"], "destination": {"extension": "2001"}}, {"description": "De noite"}, ("prompts", []),
        needs=lambda: (make("audio_prompts", name="Menu", text="Digite um."), make_extension("2001"))),
    "ratings": Example(
        {"name": "Atendente", "prompt": "Menu", "min_score": 1, "max_score": 10, "on_finish": {"hangup": True}}, {"max_score": 5},
        ("attempts", 0), needs=lambda: make("audio_prompts", name="Menu", text="Dê uma nota.")),
    "business_hours": Example(
        {"name": "Comercial", "periods": [{"weekdays": ["mon", "sat"], "start": "08:00", "end": "12:00"}, {"weekdays": ["fri"], "start": "22:00", "end": "06:00"}],
         "closed_prompt": "Fechado", "closed_destination": {"extension": "2001"}},
        {"closed_destination": {"hangup": True}}, ("periods", [{"weekdays": ["mon"], "start": "10:00", "end": "09:00"}]),
        needs=lambda: (make("audio_prompts", name="Fechado", text="Estamos fechados."), make_extension("2001"))),
    "calendar_events": Example(
        {"name": "Natal 2026", "start": "2026-12-24 12:00", "end": "2026-12-26 08:00", "prompt": "Fechado", "destination": {"hangup": True},
         "queues": ["Suporte"], "ivrs": []}, {"end": "2026-12-26 09:00"}, ("end", "2026-12-24 12:00"),
        needs=lambda: (make("audio_prompts", name="Fechado", text="Estamos fechados."), make("queues", name="Suporte", number="2500"))),
    "time_conditions": Example(
        {"name": "Almoço", "periods": [{"weekdays": ["mon"], "first_day": 1, "last_day": 5, "months": ["jan"], "start": "09:00", "end": "17:00"}],
         "inside_destination": {"extension": "2001"}, "outside_destination": {"hangup": True}}, {"outside_destination": {"extension": "2001"}},
        ("periods", [{"weekdays": [], "months": [], "first_day": 5, "last_day": 1, "start": "09:00", "end": "17:00"}]), needs=lambda: make_extension("2001")),
    "work_shifts": Example(
        {"name": "Manhã", "periods": [{"weekdays": ["mon"], "start": "06:00", "end": "14:00"}], "tolerance_minutes": 10}, {"tolerance_minutes": 15},
        ("tolerance_minutes", 721)),
    "audio_prompts": Example(
        {"name": "Fechado", "text": "Estamos fechados.", "voice": "female", "voice_speed": 160}, {"description": "Fora do horário"}, ("voice_speed", 20)),
    "blacklists": Example(
        {"name": "Trotes", "block_withheld": True, "inbound_prompt": "Fechado"}, {"description": "Não param de ligar"}, ("name", "x" * 41),
        needs=lambda: make("audio_prompts", name="Fechado", text="Estamos fechados.")),
    "feature_codes": Example({}, {"blind_transfer": "#1", "parking_seconds": 60}, ("lock", "54")),
    "conference_rooms": Example({"number": "4000", "name": "Diretoria", "recording": "all"}, {"name": "Sala"}, ("number", "4"), secrets={"pin": "48217"}),
    "scheduled_conferences": Example(
        {"subject": "Reunião", "opens_at": "2026-11-23 09:00", "closes_at": "2026-11-23 10:00"}, {"closes_at": "2026-11-23 11:00"},
        ("opens_at", "segunda"), secrets={"pin": "936275"}),
    "follow_me": Example(
        {"number": "2001", "always_from": "external", "always_to": "2002"}, {"always_from": "any"}, ("always_to", "ramal"),
        needs=lambda: (make_class("Com siga-me", follow_me=True), make_extension("2001", **{"class": "Com siga-me"}), make_extension("2002"))),
    "voicemail_boxes": Example(
        {"number": "2001", "email": "ana@padaria.example", "offered": "busy"}, {"max_messages": 20}, ("max_seconds", 5), needs=lambda: _mailbox_to_make()),
    "address_rules": Example(
        {"address": "192.0.2.0/24", "action": "block", "description": "Varredura"}, {"description": "Ninguém nosso"}, ("address", "192.0.2.0/33")),
    "address_policy": Example({}, {"users_count": 5, "include_local": True}, ("ban_minutes", 0)),
    "email": Example({}, {"server": "smtp.padaria.example", "sender": "pabx@padaria.example"}, ("port", 0)),
    "users": Example(
        {"name": "Bruno", "login": "bruno", "email": "bruno@padaria.example", "access_level": "manager", "modules": ["extensions"],
         "extension": "2001", "cpf": "529.982.247-25", "birth_on": "1990-02-28"},
        {"phone": "48999991234"}, ("login", "bru"), needs=lambda: make_extension("2001"), secrets={"password": "Bruno@Pada7"}),
    "cost_centres": Example({"name": "Loja", "description": "Balcão"}, {"description": "Caixa"}, ("name", "")),
    "company": Example({}, {"cnpj": "11.222.333/0001-81", "area_code": "48"}, ("cnpj", "11.222.333/0001-82")),
    "sip": Example({}, {"nat": True, "external_ip": "200.1.2.3"}, ("external_ip", "200.1.2.300")),
    "certificate": Example({}, {"domain": "pabx.padaria.example"}, ("domain", "sem ponto")),
    "backup_policy": Example({}, {"kind": "disk", "address": "/srv/backup"}, ("keep_count", 0)),
    "modules": Example({}, {"khomp": False}, ("ivr", "talvez")),
    "retention_policy": Example({}, {"call_days": 1825, "voicemail_days": 90}, ("call_days", 29)),
    "update_policy": Example({}, {"address": "https://bentevi.example/bentevi.update", "download": True}, ("address", "ftp://bentevi.example/x")),
    "recording_policy": Example({}, {"retention_days": 90}, ("quota_gb", 0)),
}


def _mailbox_to_make() -> None:
    """An extension whose class has voicemail and that has lost its mailbox."""
    make_class("Com correio", voicemail=True)
    make_extension("2001", **{"class": "Com correio"})
    TABLE["voicemail_boxes"].delete(TABLE["voicemail_boxes"].find("2001"))
    db.session.commit()


EVERY = pytest.mark.parametrize("word", [resource.word for resource in RESOURCES])
# A form of nothing but boxes to tick cannot be filled in wrongly; the API can be asked wrongly of each.
REFUSING = pytest.mark.parametrize("word", [resource.word for resource in RESOURCES if {spec.kind.widget for spec in resource.fields.values()} != {"checkbox"}])
LISTED = pytest.mark.parametrize("word", [resource.word for resource in RESOURCES if not resource.single])


def given(word: str) -> tuple[Resource, Example, dict[str, Any]]:
    """The resource, its example, and all values of a good row, with what it needs made."""
    example = EXAMPLES[word]
    example.needs()
    return TABLE[word], example, example.values | example.secrets


def made(word: str) -> tuple[Resource, Example, Any]:
    """The resource, its example and a stored row."""
    resource, example, values = given(word)
    row = resource.get(SINGLE_ID) if resource.single else make(word, **values)
    return resource, example, row


def whole_form(resource: Resource, row: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A form as a browser sends it: everything the row shows, with some values changed."""
    return form_of(resource.fields, (resource.show(row) if row else {}) | values)


def parts_of(resource: Resource, row: Any) -> list[str]:
    """Every address of a resource that is opened by GET."""
    places = [name for name, spec in resource.fields.items() if spec.kind.widget == "rows"]
    lines = [f"/{resource.word}/_line/{place}-0" for place in places]
    if resource.single:
        return [f"/{resource.word}", f"/api/v1/{resource.word}", *lines]
    path = f"/{resource.word}"
    return [path, f"{path}/_rows", f"{path}/_options?q=a", f"{path}/new", f"{path}/{row.id}", *lines, f"/api/v1{path}",
            f"/api/v1{path}/{row.id}"]


def posts_of(resource: Resource, row: Any) -> list[str]:
    """Every address of a resource that changes something, as a browser posts to it."""
    path = f"/{resource.word}"
    own = [path] if resource.single else [f"{path}/new", f"{path}/_delete", f"{path}/{row.id}", f"{path}/{row.id}/delete",
                                          f"{path}/{row.id}/_secret/password"]
    return [*own, f"{path}/_try"]


def api_writes_of(resource: Resource, row: Any) -> list[tuple[str, str]]:
    path = f"/api/v1/{resource.word}"
    return [("PATCH", path)] if resource.single else [("POST", path), ("PATCH", f"{path}/{row.id}"), ("DELETE", f"{path}/{row.id}")]


def test_every_resource_has_an_example():
    assert set(EXAMPLES) == set(TABLE)


# ---------------------------------------------------------------------------------------------------------------- pages


@LISTED
def test_a_row_made_on_the_form_is_in_the_list_and_opens_as_it_was_typed(carla, word):
    """USR-01, EXT-13, TRK-01, RTE-09: every register has a list, a form and a row that opens again."""
    resource, _example, values = given(word)
    saved = carla.send(f"/{word}/new", form_of(resource.fields, values))
    assert saved.status_code == 302, text_of(saved)
    row = resource.find(values[resource.key])
    assert saved.location == f"/{word}/{row.id}"
    shown = resource.show(row)
    assert {name: value for name, value in shown.items() if name in values and name != "rules"} == {
        name: value for name, value in values.items() if name in shown and name != "rules"}
    for mine, stored in zip(values.get("rules", []), shown.get("rules", []), strict=True):
        assert mine.items() <= stored.items() or mine.keys() & {"overflow"}
    page = carla.get(f"/{word}").text
    assert f'href="/{word}/{row.id}"' in page and str(values[resource.key]) in page
    assert resource.title(row) in text_of(carla.get(f"/{word}/{row.id}"))


@EVERY
def test_a_row_is_changed_on_the_form(carla, word):
    resource, example, row = made(word)
    saved = carla.send(resource.path(row.id), whole_form(resource, row, example.change))
    assert saved.status_code == 302, text_of(saved)
    db.session.refresh(row)
    assert example.change.items() <= resource.show(row).items()
    for name, secret in example.secrets.items():
        assert resource.fields[name].kind.unchanged(getattr(row, resource.fields[name].attr), secret), "an empty box keeps it"


@REFUSING
def test_a_refused_form_says_where_and_keeps_what_was_typed(carla, word):
    resource, example, row = made(word)
    name, value = example.wrong
    before = sitefile.dump()
    typed = next((n for n in example.change if isinstance(example.change[n], str) and n != name), "")
    answer = carla.send(resource.path(row.id), whole_form(resource, row, example.change | {name: value}))
    assert answer.status_code == 422
    assert f'href="#field-{name}' in answer.text, text_of(answer)
    if typed:
        shown = example.change[typed].replace(" ", "T") if resource.fields[typed].kind.widget == "datetime" else example.change[typed]
        assert f'value="{shown}"' in answer.text
    if isinstance(value, str | int) and value != "":
        assert f'value="{value}"' in answer.text
    assert sitefile.dump() == before


@LISTED
@pytest.mark.database
def test_a_list_is_searched_filtered_and_sorted(carla, word):
    resource, _example, row = made(word)
    key = resource.key
    other = twins(resource, row, 1)[0]
    found = carla.get(f"/{word}/_rows", query_string={"q": str(getattr(row, resource.fields[key].attr)).upper()}).text
    assert f'/{word}/{row.id}"' in found
    for nothing in ("zzzzzz", "%", "_"):
        assert 'name="row"' not in carla.get(f"/{word}/_rows", query_string={"q": nothing}).text
    for name in resource.filters:
        spec = resource.fields[name]
        value = getattr(row, spec.attr)
        asked = ("true" if value else "false") if isinstance(value, bool) else "-" if value is None else spec.kind.show(value)
        page = carla.get(f"/{word}/_rows", query_string={name: asked}).text
        assert f'/{word}/{row.id}"' in page, name
    for name in sortable(resource):
        column = getattr(resource.model, resource.fields[name].attr)
        for sort, order in ((name, (column.asc(), resource.model.id)), (f"-{name}", (column.desc(), resource.model.id.desc()))):
            wanted = [str(i) for i in db.session.scalars(select(resource.model.id).order_by(*order))]
            text = carla.get(f"/{word}/_rows?sort={sort}").text
            assert re.findall(r'name="row" value="(\d+)"', text) == wanted, sort
    assert other


@LISTED
@pytest.mark.database
def test_a_long_list_is_paged_forward_and_back_without_losing_a_row(carla, word):
    resource, _example, row = made(word)
    twins(resource, row, 119)
    every = set(db.session.scalars(select(resource.model.id)))
    for sort in ["", *(f"{sign}{name}" for name in sortable(resource) for sign in ("", "-"))][:12]:
        path, pages = f"/{word}?sort={sort}", []
        while path:
            text = carla.get(path).text
            pages.append([int(found) for found in re.findall(r'name="row" value="(\d+)"', text)])
            path = link(text, "after")
            assert len(pages) <= 4, f"{sort}: the pages do not end"
        assert [len(page) for page in pages[:2]] == [50, 50]
        assert {row_id for page in pages for row_id in page} == every, sort
        assert sum(map(len, pages)) == len(every), sort
        back = link(text, "before")
        while back:
            text = carla.get(back).text
            pages.pop()
            assert [int(found) for found in re.findall(r'name="row" value="(\d+)"', text)] == pages[-1], sort
            back = link(text, "before")
        assert len(pages) == 1


def link(page: str, direction: str) -> str:
    """The address of the next or previous page, "" at the end."""
    found = re.search(rf'href="(/[a-z_]+\?[^"]*{direction}=[^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else ""


def twins(resource: Resource, row: Any, count: int) -> list[int]:
    """More rows like this one, put into the table at once; every third leaves what may be empty empty."""
    raw = {attr.key: getattr(row, attr.key) for attr in inspect(resource.model).column_attrs}
    extensions = [make_extension(str(5000 + index)).id for index in range(count)] if "extension_id" in raw and resource.key == "number" else []
    mapper = inspect(resource.model)
    rows = []
    for index in range(count):
        values = {key: value for key, value in raw.items() if key != "id"}
        for column in mapper.columns:
            if column.unique:
                numbered = 5000 + index if column.type.python_type is int else f"{str(values[column.key])[:30]} {index:03d}"
                values[column.key] = f"{5000 + index}" if column.key == "number" else numbered
            elif column.nullable and index % 3 and column.key in values:
                values[column.key] = None if index % 3 == 1 or not isinstance(column.type, Integer) or column.foreign_keys else index
            elif isinstance(column.type, SqlBoolean):
                values[column.key] = bool(index % 2)
        rows.append(values)
    for values, extension_id in zip(rows, extensions, strict=False):
        values["extension_id"] = extension_id
    db.session.execute(resource.model.__table__.insert(), rows)
    db.session.commit()
    return list(db.session.scalars(select(resource.model.id).order_by(resource.model.id.desc()).limit(count)))


@LISTED
def test_rows_are_deleted_one_by_one_and_several_at_once(carla, word):
    resource, _example, row = made(word)
    many, mine = twins(resource, row, 2), row.id
    assert carla.send(f"/{word}/{mine}/delete").location == f"/{word}"
    assert carla.send(f"/{word}/_delete", {"row": [str(one) for one in many]}).location == f"/{word}"
    left = set(db.session.scalars(select(resource.model.id)))
    assert not left & {mine, *many}


@EVERY
def test_every_page_of_a_resource_opens(carla, word):
    resource, example, row = made(word)
    carla.send(resource.path(row.id), whole_form(resource, row, example.change))
    odd = "&".join(f"{name}=x" for name in resource.fields)
    paths = parts_of(resource, row)
    for path in [*paths, *(f"{path}?{odd}&sort=-x&after=%00&before=x&limit=x" for path in paths if "?" not in path)]:
        assert carla.get(path).status_code == 200, path


@EVERY
def test_a_number_no_row_can_have_is_not_found_and_no_mistake_of_ours(carla, word):
    if not TABLE[word].single:
        for row_id in ("0", "9" * 12, "9" * 30):
            assert carla.get(f"/{word}/{row_id}").status_code == 404
            assert carla.get(f"/api/v1/{word}/{row_id}").status_code == 404
        assert carla.send(f"/{word}/_delete", {"row": ["²"]}).status_code in (302, 404)


# ------------------------------------------------------------------------------------------------------------------ API


@LISTED
def test_the_api_makes_shows_changes_and_removes_a_row(carla, word):
    resource, example, values = given(word)
    path = f"/api/v1/{word}"
    answer = carla.api("POST", path, values)
    assert answer.status_code == 201, answer.json
    row_id = answer.json["id"]
    shown = carla.get(f"{path}/{row_id}").json
    assert shown["id"] == row_id and shown[resource.key] == values[resource.key]
    assert not set(example.secrets) & set(shown)
    assert carla.api("PATCH", f"{path}/{row_id}", example.change).status_code == 200
    assert example.change.items() <= carla.get(f"{path}/{row_id}").json.items()
    listed = carla.get(path, query_string={resource.key: values[resource.key]}).json
    assert [row["id"] for row in listed["rows"]] == [row_id] and listed["count"] == 1
    assert carla.api("DELETE", f"{path}/{row_id}").status_code == 204
    assert carla.get(f"{path}/{row_id}").status_code == 404


@EVERY
def test_the_api_refuses_with_a_message_per_field_and_stores_nothing(carla, word):
    resource, example, row = made(word)
    name, value = example.wrong
    path = f"/api/v1{resource.path(row.id)}"
    before = sitefile.dump()
    answer = carla.api("PATCH", path, example.change | {name: value})
    assert answer.status_code == 422 and [key.split("-")[0] for key in answer.json["fields"]] == [name]
    answer = carla.api("PATCH", path, {"no_such_field": 1, **({"name": None} if "name" in resource.fields else {})})
    assert answer.status_code == 422 and "no_such_field" in answer.json["fields"]
    assert ("name" in answer.json["fields"]) is ("name" in resource.fields)
    assert sitefile.dump() == before


ODD = [[], {}, [[]], [{}], {"a": 1}, 1.5, True, -1, "\ud800", "a\nb", "\0", "x" * 5000, "١٢٣", [1], ["x", None], {"extension": ["\0"]}]


@EVERY
def test_a_value_of_another_type_is_refused_and_no_mistake_of_ours(carla, word):
    resource, _example, row = made(word)
    path = f"/api/v1{resource.path(row.id)}"
    token = {"X-CSRFToken": carla.csrf()}
    broken = [
        (name, odd) for name in resource.fields for odd in ODD
        if carla.open(path, method="PATCH", json={name: odd}, headers=token).status_code not in (200, 422)
    ]
    assert not broken
    db.session.expire_all()
    sitefile.dump()


@pytest.mark.parametrize("body", ["", "x", "[]", "1", "null", "{", "[" * 50_000], ids=lambda body: body[:5])
def test_a_body_that_is_no_object_is_refused(carla, body):
    answer = carla.post("/api/v1/extensions", data=body, headers={"X-CSRFToken": carla.csrf()}, content_type="application/json")
    assert answer.status_code == 422 and answer.json["error"]


def test_the_api_describes_itself(carla):
    found = carla.get("/api/v1/openapi.json").json
    assert found["openapi"].startswith("3.1")
    for resource in TABLE.values():
        path = found["paths"][f"/api/v1/{resource.word}"]
        assert {"get", "patch" if resource.single else "post"} <= set(path)


# --------------------------------------------------------------------------------------------------- site file and trail


@EVERY
def test_an_exported_row_is_imported_into_an_empty_home_as_the_same_bytes(word):
    resource, example, row = made(word)
    resource.update(row, example.change)
    if word == "trunks":  # a carrier's password cannot be made up: see tests/test_sitefile.py
        resource.update(row, {"authentication": "by_ip"})
    db.session.commit()
    text = sitefile.dump()
    first_start_rows()
    sitefile.load(text)
    db.session.commit()
    assert sitefile.dump() == text
    for secret in example.secrets.values():
        assert secret not in text


@EVERY
@pytest.mark.database
def test_every_write_is_in_the_trail_with_both_values_and_no_secret(carla, word):
    """USR-34: what the trail keeps is enough to put the row back as it was."""
    resource, example, row = made(word)
    db.session.rollback()
    before = resource.show(row)
    secret = {name: text[:-1] + ("90" if text.isdigit() else "9x") for name, text in example.secrets.items()}
    assert carla.api("PATCH", f"/api/v1{resource.path(row.id)}", example.change | secret).status_code == 200
    last = db.session.scalar(select(changes.Change).order_by(changes.Change.id.desc()))
    assert (last.word, last.row_id, last.action, last.user_name) == (word, row.id, "updated", "Carla")
    assert last.pending is resource.applies
    for name in example.change:
        assert last.before[name] == before[name] and last.after[name] == resource.show(row)[name]
    for name, text in secret.items():
        assert last.after[name] == "changed" and text not in str((last.before, last.after))
    db.session.refresh(row)
    resource.update(row, last.before)
    assert resource.show(row) == before
    db.session.rollback()
    if not resource.single:
        carla.api("DELETE", f"/api/v1{resource.path(row.id)}")
        last = db.session.scalar(select(changes.Change).order_by(changes.Change.id.desc()))
        assert last.action == "deleted" and last.before[resource.key] == before[resource.key]
    for one in db.session.scalars(select(changes.Change)):
        for text in [*secret.values(), *example.secrets.values()]:
            assert text not in str((one.before, one.after, one.sealed, one.row_title))


# ---------------------------------------------------------------------------------------------------------- permissions


@EVERY
def test_davi_is_refused_at_every_address(client, word):
    """USR-01: a person without the menu gets 403 at every page, post and API address of it."""
    resource, example, row = made(word)
    davi = person(client, "davi.souza", modules=["audit"])
    token = {"X-CSRFToken": davi.csrf()}
    before = sitefile.dump()
    for path in parts_of(resource, row):
        assert davi.get(path).status_code == 403, path
    for path in posts_of(resource, row):
        assert davi.post(path, data=form_of(resource.fields, example.values), headers=token).status_code in (403, 404), path
    for method, path in api_writes_of(resource, row):
        assert davi.open(path, method=method, json=example.change, headers=token).status_code == 403, path
    assert sitefile.dump() == before


@EVERY
def test_nobody_gets_in_without_logging_in(client, word):
    resource, example, row = made(word)
    for path in parts_of(resource, row):
        answer = client.get(path)
        if path.startswith("/api/"):
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 302 and answer.location.startswith("/login?next="), path
    for path in posts_of(resource, row):
        assert client.post(path).location.startswith("/login"), path
    for method, path in api_writes_of(resource, row):
        assert client.open(path, method=method, json=example.change).status_code == 401, path


def test_every_address_asks_for_a_permission_or_is_open_on_purpose(whole_app: Flask):
    open_to_all = {"static", "healthz", "addresses.may_call", "login.log_in", "login.check_login", "login.choose_language", "recovery.form", "recovery.ask", "recovery.code",
                   "recordings.listen",  # opened by its signature
                   "provisioning.file"}  # opened by a phone's secret
    known = {resource.permission or resource.word for resource in TABLE.values()} | {"", "revisions", "audit", "now", "reports", "recordings", "backups", "addresses", "about", "updates", "jobs", "assistant", "map", "missed_calls", "rating_scores"}
    for rule in whole_app.url_map.iter_rules():
        view = whole_app.view_functions[rule.endpoint]
        if rule.endpoint in open_to_all:
            assert rule.endpoint == "static" or view.is_public
        else:
            assert not getattr(view, "is_public", False), rule
            assert getattr(view, "permission", None) in known, rule


def test_every_page_that_is_no_resource_opens_for_carla_and_for_davi_only_what_he_may(carla, client, whole_app: Flask):
    davi = person(client, "davi.souza", modules=["extensions"])
    shared = {"/", "/password", "/search", "/pending", "/help", "/own"}
    paths = {rule.rule for rule in whole_app.url_map.iter_rules() if "GET" in rule.methods and "<" not in rule.rule}
    own = {path for path in paths if path.split("/")[1] not in {"static", "api", "login", "recovery", "_may_call", *TABLE}}
    assert own >= shared | {"/audit", "/revisions"}
    for path in sorted(own):
        assert carla.get(path, follow_redirects=path == "/assistant").status_code == 200, path  # it leads to its first open step
        assert davi.get(path).status_code == (200 if path in shared | {"/healthz"} else 403), path


# ------------------------------------------------------------------------------------------------------------ the tables


def test_every_function_a_lane_is_asked_for_exists():
    """web and jobs meet by name only."""
    names = set()
    for file in [*(CHECKOUT / "appliance").rglob("*.py"), *(CHECKOUT / "web").rglob("*.py")]:
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) == "lanes.put":
                names.add(ast.literal_eval(call.args[1]))
    assert names
    for name in names:
        module, _dot, function = name.rpartition(".")
        assert module.startswith("jobs.") and callable(getattr(import_module(module), function))


def test_every_generated_template_is_in_the_table_and_the_other_way_round():
    parts = {"destination.j2", "periods.j2", "closed.j2"}
    templates = {path.name for folder in ("asterisk", "khomp") for path in (CHECKOUT / folder / "generated").iterdir()}
    assert templates - parts == {f"{name}.j2" for name in config_files.FILES}
    used = "".join(path.read_text() for path in (CHECKOUT / "asterisk" / "generated").iterdir())
    assert all(part in used for part in parts)
    assert set(config_files.FILES) >= config_files.SECRET


def test_there_is_no_python_beside_the_templates_and_pyst2_is_the_borrowed_one():
    for folder in ("asterisk", "khomp"):
        assert not list((CHECKOUT / folder).rglob("*.py"))
    found = Path(import_module("asterisk.manager").__file__ or "")
    assert "site-packages" in found.parts and CHECKOUT not in found.parents


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in (CHECKOUT / "tests").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


