"""The pictures of the README: `PYTHONPATH=$PWD python -m tests.pictures` starts a home of its own, fills it with a bakery and
writes docs/pictures/*.png. No test; run it after the look has changed."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.carrier import BY_IP, Carrier
from tests.homes import environment
from tests.phones import Phones

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSWORD, SECRET = "Ana@Padaria4", "Ramal@4fotos"
SITE = f"""
bentevi: 1
company: {{name: Padaria Estrela, cnpj: 11.222.333/0001-81, area_code: "48"}}
cost_centres: [{{name: Loja}}, {{name: Escritório}}]
pickup_groups: [{{name: Loja}}, {{name: Escritório}}]
trunks:
  - {{name: Operadora, host: 127.0.0.1, port: 5070, caller_id: "4830139018", call_limit: 10}}
  - {{name: Reserva, host: 127.0.0.1, port: 5071}}
outbound_routes:
  - name: Celular e DDD
    description: Celulares da cidade e interurbanos
    rules:
      - mask: 9XXXXXXXX
        external_line: true
        prepend: "48"
        trunk: Operadora
        overflow: [{{conditions: [busy, failure], prepend: "48", trunk: Reserva}}]
      - {{mask: "0ZZ9XXXXXXXX", external_line: true, strip: 1, trunk: Operadora}}
  - {{name: Local, description: Fixos da cidade, rules: [{{mask: "[2-5]XXXXXXX", external_line: true, trunk: Operadora}}]}}
dialing_profiles:
  - {{name: Completo, outbound_routes: [Local, Celular e DDD]}}
  - {{name: Só cidade, outbound_routes: [Local]}}
extensions:
  - {{number: "1000", name: Ana, password: {SECRET}, dialing_profile: Completo, pickup_group: Escritório, cost_centre: Escritório}}
  - {{number: "1001", name: Bruno, password: {SECRET}, dialing_profile: Completo, pickup_group: Loja, cost_centre: Loja}}
  - {{number: "1002", name: Carla, password: {SECRET}, dialing_profile: Só cidade, pickup_group: Loja, cost_centre: Loja}}
  - {{number: "1003", name: Balcão, password: {SECRET}, pickup_group: Loja, cost_centre: Loja}}
  - {{number: "1004", name: Cozinha, password: {SECRET}, pickup_group: Loja, cost_centre: Loja}}
  - {{number: "1005", name: Entregas, password: {SECRET}, dialing_profile: Completo, pickup_group: Loja, cost_centre: Loja}}
audio_prompts:
  - {{name: Jardim, text: "Música do jardim."}}
  - {{name: Manhã, text: "Música da manhã."}}
  - {{name: Bem-vindo, text: "Padaria Estrela. Um: encomendas. Dois: entregas. Três: falar com a Ana.", voice: female}}
  - {{name: Fechado, text: "A padaria está fechada. Abrimos às seis horas.", voice: female}}
  - {{name: Nota, text: "De um a cinco, que nota você dá ao nosso atendimento?", voice: female}}
moh_classes:
  - {{name: Calma, description: Para quem espera na fila, files: [Jardim, Manhã]}}
ratings:
  - {{name: Atendimento, prompt: Nota, description: Depois das encomendas}}
business_hours:
  - name: Comercial
    periods: [{{weekdays: [mon, tue, wed, thu, fri], start: "06:00", end: "20:00"}}, {{weekdays: [sat], start: "06:00", end: "13:00"}}]
    closed_prompt: Fechado
    closed_destination: {{hangup: true}}
calendar_events:
  - {{name: Natal, start: "2026-12-25 00:00", end: "2026-12-26 00:00", prompt: Fechado, destination: {{hangup: true}}, queues: [Encomendas], ivrs: [Principal]}}
conference_rooms: [{{number: "4000", name: Sala da diretoria, pin: "4821"}}]
scheduled_conferences: [{{subject: Reunião de segunda, opens_at: "2026-11-30 09:00", closes_at: "2026-11-30 10:00"}}]
ivrs:
  - name: Principal
    number: "3000"
    prompt: Bem-vindo
    business_hours: Comercial
    dial_extension: true
    rating: Atendimento
    options: {{"1": {{queue: Encomendas}}, "2": {{queue: Entregas}}, "3": {{extension: "1000"}}}}
    default_destination: {{option: "1"}}
queues:
  - name: Encomendas
    number: "2000"
    ratings: [Atendimento]
    overflow_queues: [Entregas]
    description: Pedidos por telefone
    strategy: rotate
    moh_class: Calma
    wrap_up_seconds: 5
    recording: true
    members: [{{extension: "1001"}}, {{extension: "1003"}}, {{extension: "1004", paused: true}}]
    overflow: {{on_timeout: {{extension: "1000"}}, on_full: {{max_waiting: 10, destination: {{extension: "1000"}}}}}}
  - name: Entregas
    number: "2001"
    strategy: ring_all
    members: [{{extension: "1005"}}]
inbound_routes:
  - name: Entrada
    trunks: [Operadora]
    rules: [{{mask: "4830139018", destination: {{ivr: Principal}}}}, {{mask: "4830139019", destination: {{extension: "1003"}}}}, {{default: true, destination: {{extension: "1000"}}}}]
internal_routes:
  - {{name: Atalho do caixa, rules: [{{mask: "77", destination: {{extension: "1001"}}}}]}}
users:
  - {{name: Ana Souza, login: ana.souza, password: {PASSWORD}, administrator: true, extension: "1000"}}
"""


def main() -> None:
    """Everything, in about half a minute."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bt-"))
    os.environ.update(environment(folder / "home"))
    from appliance import front_door, settings

    machine = settings.load()
    front_door.up(machine, print)
    try:
        fill()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
            address = f"http://127.0.0.1:{machine.http_port}"
            take(browser.new_page(base_url=address, viewport=DESK), browser.new_page(base_url=address, viewport=PHONE))
            browser.close()
    finally:
        front_door.down(machine)
        shutil.rmtree(folder, ignore_errors=True)


def fill() -> None:
    """The bakery, by the hand of Ana."""
    from appliance import app, changes, sitefile
    from appliance.db import db

    with app.bare_app().app_context():
        changes.actor.set(changes.Actor(name="Ana Souza"))
        sitefile.load(SITE)
        db.session.commit()
        fill_calls()


def fill_calls() -> None:
    """Four weeks of calls of the bakery."""
    from appliance import db as ground
    from appliance.resource import TABLE
    from tests.build import make_call, make_internal_call

    dice, extensions, trunk = random.Random(4), list(TABLE["extensions"].rows()), TABLE["trunks"].find("Operadora")
    names = ["João Pereira", "Mercado São José", "", "Dona Lúcia", "", "Hotel Ilha"]
    for _number in range(600):
        day = ground.now() - timedelta(days=dice.randrange(28))
        at = day.replace(hour=11 + dice.randrange(10), minute=dice.randrange(60), second=dice.randrange(60))
        if at > ground.now():
            continue
        outside, one, other = f"55489{dice.choice((9123, 8812, 9645))}{dice.randrange(1000, 1040)}", *dice.sample(extensions, 2)
        facts = {"state": dice.choice(["answered"] * 7 + ["no_answer"] * 2 + ["busy"]), "wait": dice.randrange(3, 60), "talk": dice.randrange(10, 600),
                 "steps": True}
        line = {"trunk_id": trunk.id, "trunk": trunk.name}
        kind = dice.random()
        if kind < 0.6:
            fill_visits(make_call(at, from_=outside, from_name=dice.choice(names), to="554830139018", reached=one, **facts, **line), dice)
        elif kind < 0.85:
            make_call(at, from_=one, to=outside, direction="outbound", **facts, **line)
        else:
            make_internal_call(one, other, at, **facts)


def fill_visits(call: Any, dice: random.Random) -> None:
    """What a call from outside met: the menu, mostly a queue, now and then a score; and a line among the missed calls."""
    from appliance.calls import visit_totals
    from appliance.calls.model import ABANDONED, ANSWERED, TIMEOUT, WENT_ON, IvrVisit, QueueVisit
    from appliance.db import db
    from appliance.missed_calls.model import MissedCall
    from appliance.numbers import key
    from appliance.ratings.model import RatingScore
    from appliance.resource import TABLE

    queue, ivr = TABLE["queues"].find(dice.choice(["Encomendas", "Encomendas", "Entregas"])), TABLE["ivrs"].find("Principal")
    rating, is_answered, wait = TABLE["ratings"].find("Atendimento"), call.state == ANSWERED, call.wait_seconds * 700 + dice.randrange(1000)
    common = {"call_id": call.id, "position": 1, "started_at": call.started_at, "direction": call.direction, "number": call.from_number,
              "from_cost_centre_id": None, "to_cost_centre_id": call.to_cost_centre_id, "entered_at": call.started_at, "left_at": call.ended_at,
              "ivr_id": ivr.id, "queue_id": queue.id}
    outcome = ANSWERED if is_answered else dice.choice([ABANDONED, ABANDONED, TIMEOUT])
    who = {"extension_id": call.reached_extension_id, "member_number": call.reached_number, "member_name": call.reached_name} if is_answered else {}
    visit = QueueVisit(**common, **who, queue=queue.name, outcome=outcome, next_word="extensions" if outcome == TIMEOUT else "", wait_ms=wait,
                       talk_ms=call.talk_seconds * 1000, is_within=is_answered and wait <= 20_000, is_short=outcome == ABANDONED and wait < 3000)
    stay = IvrVisit(**common, ivr=ivr.name, outcome=WENT_ON, extension_id=call.reached_extension_id if is_answered else None)
    db.session.add_all([visit, stay])
    db.session.flush()
    visit_totals.change([], [visit_totals.contribution([visit], [stay])])
    if is_answered and dice.random() < 0.4:
        db.session.add(RatingScore(
            call_id=call.id, at=call.ended_at, protocol=call.protocol, customer=call.from_number, rating_id=rating.id, rating=rating.name, queue_id=queue.id,
            queue=queue.name, extension_id=call.reached_extension_id, extension=call.reached_number, extension_name=call.reached_name,
            score=dice.choice([5, 5, 5, 4, 4, 3, 1, None])))
    elif not is_answered:
        db.session.add(MissedCall(
            call_id=call.id, at=call.started_at, ended_at=call.ended_at, number=call.from_number, number_key=key(call.from_number), name=call.from_name,
            reason="timeout" if outcome == TIMEOUT else "abandoned", queue_id=queue.id, queue=queue.name, wait_seconds=call.wait_seconds, state="open"))
    db.session.commit()


def take(desk: Page, phone: Page) -> None:
    """Each picture as a person comes to it."""
    for page in (desk, phone):
        page.goto("/login")
        page.get_by_label("Login ou e-mail").fill("ana.souza")
        page.get_by_label("Senha").fill(PASSWORD)
        page.get_by_role("button", name="Entrar").click()
        expect(page.get_by_role("heading", name="Padaria Estrela")).to_be_visible()
    picture(phone, "/extensions", "phone")
    picture(desk, "/pending", "difference")
    desk.get_by_role("button", name="Aplicar").click()
    expect(desk.locator(".outcome")).to_be_visible(timeout=30_000)
    desk.screenshot(path=PICTURES / "apply.png")
    with calls_in_progress():
        desk.goto("/")
        expect(desk.locator("#calls > .call")).to_have_count(4)
        expect(desk.locator(".state-reachable")).to_have_count(1)
        expect(desk.locator(".state-unreachable")).to_have_count(1)
        desk.wait_for_timeout(1500)  # durations tick
        desk.screenshot(path=PICTURES / "now.png")
        picture(desk, "/extensions", "extensions")
    desk.goto("/calls")
    desk.get_by_role("link", name="Últimos 7 dias").click()
    desk.locator("#rows").evaluate("rows => window.scrollTo(0, rows.offsetTop - 380)")
    desk.screenshot(path=PICTURES / "calls.png")
    desk.goto("/map")
    desk.screenshot(path=PICTURES / "map.png")
    desk.goto("/queue_reports")
    desk.get_by_role("button", name="Gerar relatório").click()
    expect(desk.locator(".figures tbody tr")).to_have_count(2)
    desk.locator(".figures").evaluate("table => window.scrollTo(0, table.offsetTop - 300)")
    desk.screenshot(path=PICTURES / "queue_report.png")
    desk.goto("/outbound_routes")
    desk.get_by_role("link", name="Celular e DDD").click()
    expect(desk.get_by_text("Onde é usado")).to_be_visible()
    desk.screenshot(path=PICTURES / "outbound_route.png")
    desk.emulate_media(color_scheme="dark")
    desk.reload()
    desk.wait_for_timeout(300)  # colours fade into each other
    desk.screenshot(path=PICTURES / "dark.png")


@contextmanager
def calls_in_progress() -> Iterator[None]:
    """Five phones and a carrier, which talk, hold and ring; the second trunk is silent."""
    from appliance import settings
    from appliance.telephony import runtime

    machine = settings.load()
    exchange = ("127.0.0.1", machine.sip_port)
    with Phones(exchange=exchange) as phones:
        carrier = phones.keep(Carrier(exchange, 5070, BY_IP))
        ana, bruno, carla, counter, kitchen = (phones.phone(str(number), SECRET) for number in range(1000, 1005))
        for trunk in ("trunk-1", "trunk-2"):
            runtime.command(runtime.control(machine), f"pjsip qualify {trunk}")
        carrier.treats("48988887777", "ring")
        ana.call("0999991234").wait_answered()
        carrier.call("4830139019", caller="4833334444", caller_name="Restaurante Sol")
        counter.answer().hold()
        carla.call("1004")
        kitchen.wait_ringing()
        bruno.call("0988887777")
        yield


def picture(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
