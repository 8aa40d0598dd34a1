"""From the first login to calls that are heard, as somebody new goes through the assistant (marked browser)."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from appliance import db as ground
from appliance import ports, settings
from appliance.assistant.model import shown
from appliance.db import db
from appliance.resource import TABLE
from appliance.telephony import runtime
from appliance.users import password
from tests.browser.conftest import DESK, PHONE, log_in
from tests.build import make_extension, make_user
from tests.carrier import REGISTRAR, Carrier
from tests.homes import free_ports
from tests.media import level_dbfs
from tests.phones import Phones
from tests.player import until
from tests.visitor import person

pytestmark = pytest.mark.browser


class Newcomer:
    """Somebody at a browser; every click and every field filled in is counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.fields = page, 0, 0

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()
        self.clicks += 1

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()
        self.clicks += 1

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).first.fill(text)
        self.fields += 1

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).first.select_option(value)
        self.fields += 1

    def at(self, step: str) -> None:
        expect(self.page).to_have_url(re.compile(f"/assistant/{step}"))


@pytest.fixture
def exchange(app) -> tuple[str, int]:
    return "127.0.0.1", settings.load().sip_port


@pytest.fixture
def phones(exchange) -> Iterator[Phones]:
    with Phones(exchange=exchange) as found:
        yield found
        print(found.ladder())


@pytest.fixture
def registrar(phones, exchange) -> Carrier:
    """A carrier that wants a user and a password."""
    return phones.keep(Carrier(exchange, free_ports(1)[0], REGISTRAR, "4830139018", "Certa#2026"))


@pytest.fixture
def first_login(app, open_browser) -> Callable[..., Page]:
    """A browser where the first administrator has just chosen a password."""

    def entered(size: dict[str, int] = DESK) -> Page:
        first = ground.secret_file(settings.load().secrets / "first_password", password.generate)
        make_user("admin", password=first, administrator=True, must_change_password=True)
        page = open_browser(size)
        log_in(page, "admin", first)
        page.get_by_label("Senha atual").fill(first)
        page.get_by_label("Nova senha", exact=True).fill("Estrela@2026x")
        page.get_by_label("Nova senha outra vez").fill("Estrela@2026x")
        page.get_by_role("button", name="Trocar senha").click()
        return page

    return entered


def rows(word: str) -> list:
    """As they are now; read whole, because an open transaction of ours would keep the product from writing."""
    db.session.rollback()
    found = list(TABLE[word].rows())
    db.session.expunge_all()
    db.session.rollback()
    return found


def password_shown(page: Page, number: str, me: Newcomer) -> str:
    """The password of an extension, as the page shows it once asked."""
    page.locator(f"#phone-{number}").get_by_role("button").click()
    me.clicks += 1
    shown_ = page.locator(f"#password-{number}")
    expect(shown_).to_be_visible()
    return shown_.inner_text()


def test_a_newcomer_comes_from_the_first_login_to_a_heard_call_inside_and_one_through_the_trunk(first_login, phones, registrar, exchange, record_property):
    """SYS-15: company, extensions, trunk with a wrong password first, numbers, apply, phones, calls that are heard."""
    page = first_login()
    me = Newcomer(page)
    me.at("company")
    me.fill("Nome da empresa", "Padaria do Zé")
    me.choose("DDD", "48")
    me.click("Salvar e continuar")

    me.at("extensions")
    for line, name in enumerate(("Ana", "Bruno", "Balcão"), 1):
        me.fill(f"Nome {line}", name)
    me.click("Salvar e continuar")
    assert [(row.number, row.name) for row in rows("extensions")] == [("1001", "Ana"), ("1002", "Bruno"), ("1003", "Balcão")]

    me.at("trunk")
    me.fill("Endereço (host)", "127.0.0.1")
    me.fill("Porta", str(registrar.port))
    me.fill("Usuário", "4830139018")
    me.fill("Senha", "Errada#2026")
    me.fill("Seu número principal opcional", "4830139018")
    me.click("Salvar e conferir")
    expect(page.locator("#probe [data-state=bad]")).to_contain_text("A operadora responde, mas recusa o usuário ou a senha (401).")
    assert len(rows("trunks")) == 1  # saved all the same
    me.fill("Senha", "Certa#2026")
    me.click("Salvar e conferir")
    expect(page.locator("#probe")).to_contain_text("Usuário e senha estão certos")
    page.locator("#probe").get_by_role("link", name="Continuar").click()
    me.clicks += 1

    me.at("numbers")
    expect(page.locator("main")).to_contain_text("locais desde 29/03/2026")
    me.click("Salvar e continuar")

    me.at("phones")
    me.click("Aplicar o que foi salvo")
    expect(page.locator(".outcome")).to_contain_text("Em vigor (revisão", timeout=20_000)
    ana = phones.phone("1001", password_shown(page, "1001", me))
    expect(page.locator("#phone-1001 [data-state=free]")).to_be_visible()
    phones.phone("1002", password_shown(page, "1002", me))
    expect(page.locator("#phone-1002 [data-state=free]")).to_be_visible()
    me.click("Continuar para as ligações de teste")

    me.at("calls")
    me.click("Ligar para este telefone")
    test = page.locator("[data-test^=echo]")
    expect(test).to_contain_text("O telefone está tocando. Atenda.")
    call = ana.answer()
    call.media.frequency = 900
    expect(test).to_contain_text("Chega som do telefone.")
    call.media.press("1")
    expect(test).to_contain_text("O telefone ouve a central")
    until(lambda: holds(call, 900), 20)  # its own voice comes back
    expect(test).to_have_attribute("data-heard", "yes")
    call.hang_up()
    expect(test).to_have_attribute("data-over", "yes")

    me.fill("Seu celular, com DDD", "(48) 99999-1234")
    me.click("Ligar para o meu celular")
    call = ana.answer()
    far = registrar.wait_call("48999991234")
    assert far.caller_number == "4830139018"
    call.media.frequency, far.media.frequency = 900, 1400
    outside = page.locator("[data-test^=outside]")
    expect(outside).to_contain_text("O outro lado atendeu.")
    expect(outside).to_contain_text("Chega som do outro lado.")
    expect(outside).to_have_attribute("data-heard", "yes")
    until(lambda: holds(call, 1400) and holds(far, 900), 10)
    call.hang_up()
    me.click("Concluir")
    expect(page.get_by_text("Sua central está pronta.")).to_be_visible()
    record_property("clicks", me.clicks)
    print(f"clicks {me.clicks}, fields {me.fields}")
    assert me.clicks <= 20
    assert me.fields <= 15
    db.session.rollback()
    assert set(shown().steps.values()) == {"done"}
    db.session.rollback()
    registrar.call("4830139018", caller="48988887777")
    assert ana.rings(5)


def holds(call, frequency: int) -> bool:
    from tests.media import RATE, holds_tone

    return holds_tone(call.media.samples()[-2 * RATE:], frequency)


def test_a_carrier_that_is_dead_unknown_or_at_another_port_is_told_apart_and_never_keeps_from_saving(logged_in):
    page = logged_in()
    me = Newcomer(page)
    page.goto("/assistant/trunk")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    try:
        for host, port, said in [
            ("127.0.0.1", silent.getsockname()[1], "Nenhuma resposta de 127.0.0.1"),
            ("127.0.0.1", free_ports(1)[0], "mas ninguém responde na porta"),
            ("nao-existe.invalid", 5060, "não é conhecido (DNS)"),
        ]:
            me.fill("Endereço (host)", host)
            me.fill("Porta", str(port))
            me.fill("Usuário", "4830139018")
            me.fill("Senha", "Certa#2026")
            me.click("Salvar e conferir")
            expect(page.locator("#probe [data-state=bad]")).to_contain_text(said, timeout=15_000)
            assert [(row.host, row.port) for row in rows("trunks")] == [(host, port)]
    finally:
        silent.close()


def test_a_second_press_the_back_button_and_a_reload_make_nothing_twice(logged_in, registrar):
    page = logged_in()
    me = Newcomer(page)
    page.goto("/assistant")
    me.fill("Nome da empresa", "Padaria do Zé")
    me.click("Salvar e continuar")
    me.at("extensions")
    me.fill("Nome 1", "Ana")
    twice(page)
    me.at("trunk")
    page.go_back()
    me.at("extensions")
    me.click("Salvar e continuar")
    me.at("trunk")
    for label, text in (("Endereço (host)", "127.0.0.1"), ("Porta", str(registrar.port)), ("Usuário", "4830139018"), ("Senha", "Certa#2026")):
        me.fill(label, text)
    twice(page)
    expect(page.locator("#probe")).to_contain_text("Usuário e senha estão certos")
    page.go_back()
    me.fill("Senha", "Certa#2026")
    me.click("Salvar e conferir")
    expect(page.locator("#probe")).to_contain_text("Usuário e senha estão certos")
    page.reload()
    page.goto("/assistant/numbers")
    twice(page)
    me.at("phones")
    page.go_back()
    me.click("Salvar e continuar")
    me.at("phones")
    twice(page, "/assistant/phones/apply")
    expect(page.locator(".outcome")).to_contain_text("Em vigor (revisão", timeout=20_000)
    page.reload()
    counts = {word: len(rows(word)) for word in ("extensions", "trunks", "outbound_routes", "dialing_profiles", "inbound_routes")}
    assert counts == {"extensions": 1, "trunks": 1, "outbound_routes": 3, "dialing_profiles": 1, "inbound_routes": 1}


def twice(page: Page, action: str = "") -> None:
    """Two presses before the first is answered: the second request is sent by a page that does not know of the first."""
    form = f'form[action="{action}"]' if action else "main form.card"
    page.evaluate("""async form => {
        const it = document.querySelector(form), body = new URLSearchParams(new FormData(it));
        await Promise.all([0, 1].map(() => fetch(it.action, {method: 'POST', body})));
        it.submit();
    }""", form)


def test_a_phone_that_sends_no_sound_is_told_as_one_way_audio(logged_in, phones):
    page, ana = ready(logged_in, phones)
    page.get_by_role("button", name="Ligar para este telefone").click()
    page_test = page.locator("[data-test^=echo]")
    call = ana.wait_ringing()
    call._reconsider_sending = lambda: setattr(call.media, "sending", False)  # as a firewall does that drops what the phone sends
    call.answer()
    expect(page_test.locator("[data-state=bad]")).to_contain_text("Áudio em um só sentido: nenhum pacote de som veio do telefone", timeout=15_000)
    expect(page_test).to_have_attribute("data-heard", "no")
    assert level_dbfs(call.media.samples()) > -60  # while the prompt was heard
    page.get_by_role("button", name="Desligar").click()
    call.wait_ended()


def test_a_second_press_rings_the_phone_once(logged_in, phones):
    page, ana = ready(logged_in, phones)
    page.evaluate("""async () => {
        const it = document.querySelector("form[action='/assistant/calls/echo']"), body = new URLSearchParams(new FormData(it));
        await Promise.all([0, 1, 2].map(() => fetch(it.action, {method: 'POST', body})));
    }""")
    call = ana.answer()
    until(lambda: holds_sound(call), 10)
    page.evaluate("document.querySelector(\"form[action='/assistant/calls/echo']\").submit()")  # while the first is up
    expect(page.locator("[data-test^=echo]")).to_contain_text("Chega som do telefone.")
    assert len(ana.incoming) == 1
    call.hang_up()


def holds_sound(call) -> bool:
    return level_dbfs(call.media.samples()) > -60


def test_a_gateways_password_is_made_and_shown_once(logged_in):
    page = logged_in()
    page.goto("/assistant/trunk")
    page.get_by_text("Um gateway se registra aqui").click()
    expect(page.get_by_label("Endereço (host)")).to_be_hidden()
    page.get_by_label("Usuário", exact=True).fill("gateway")
    page.get_by_role("button", name="Salvar e conferir").click()
    shown_ = page.locator("#trunk-password").inner_text()
    assert len(shown_) == 16
    expect(page.locator("#probe")).to_contain_text("Nada a consultar")
    page.reload()
    expect(page.locator("#trunk-password")).to_have_count(0)


def test_a_phone_that_refuses_is_told_so(logged_in, phones):
    page, ana = ready(logged_in, phones)
    page.get_by_role("button", name="Ligar para este telefone").click()
    ana.reject(486)
    expect(page.locator("[data-test^=echo] [data-state=bad]")).to_contain_text("recusou a ligação ou está ocupado")


def test_the_echo_test_answers_its_number_from_any_phone(logged_in, phones):
    page, ana = ready(logged_in, phones)
    call = ana.call("*43").wait_answered()
    call.media.frequency = 900
    expect(page.locator("[data-test^=echo]")).to_contain_text("Chega som do telefone.")
    call.hang_up()


def ready(logged_in, phones):
    """The page of test calls, one extension in force and its phone."""
    from appliance import applying, live

    make_extension("1001", name="Ana")
    assert applying.now("test").state == "done"
    db.session.commit()
    ana = phones.phone("1001", "secret-1001")
    until(lambda: live.now().rows("extensions").get("1001", {}).get("contacts"), 10)
    page = logged_in()
    page.goto("/assistant/calls")
    return page, ana


def test_a_sip_port_taken_by_another_program_is_named_with_what_to_do(logged_in, phones):
    """Somebody takes the port while Asterisk is away; the page says which port and who has it, and gets it back."""
    machine = settings.load()
    make_extension("1001", name="Ana")
    db.session.commit()
    page = logged_in()
    with taken_sip_port(machine):
        page.goto("/assistant/phones")
        told = page.locator("#port")
        expect(told).to_contain_text(f"A porta SIP {machine.sip_port} (UDP) está ocupada por outro programa")
        expect(told).to_contain_text(f"processo {os.getpid()}")
        expect(told).to_contain_text("página SIP")
        from jobs import upkeep

        upkeep.look_at_ports()
        page.goto("/")
        expect(page.locator("#alarms")).to_contain_text(f"A porta SIP {machine.sip_port}")
    page.goto("/assistant/phones")
    expect(page.locator("#port")).to_contain_text("A porta está livre agora")
    before = ports.asterisk_pid(machine)
    page.locator("#port").get_by_role("button", name="Tentar de novo").click()
    until(lambda: ports.asterisk_pid(machine) not in (0, before) and ports.sip_trouble(machine) is None, 60)
    runtime.wait_booted(runtime.control(machine), 30)
    page.goto("/assistant/phones")
    expect(page.locator("#port")).to_have_count(0)


class taken_sip_port:
    """Asterisk ends (its supervisor starts it again) and its SIP port is ours before it comes back."""

    def __init__(self, machine) -> None:
        self.machine = machine

    def __enter__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        old = ports.asterisk_pid(self.machine)
        os.kill(old, signal.SIGSTOP)  # the supervisor must not be quicker than we
        os.kill(old, signal.SIGKILL)
        until(self._bound, 10)
        until(lambda: ports.asterisk_pid(self.machine) not in (0, old), 60)
        runtime.wait_booted(runtime.control(self.machine), 30)

    def _bound(self) -> bool:
        try:
            self.socket.bind((self.machine.bind, self.machine.sip_port))
        except OSError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_who_is_no_administrator_is_refused_by_page_api_and_stream(logged_in, client):
    make_extension("1001", name="Ana")
    make_user("davi.lima", access_level="admin")
    davi = person(client, "davi.reis", access_level="admin", modules=["now", "reports"])
    for path in ("/assistant", "/assistant/company", "/assistant/extensions", "/assistant/trunk", "/assistant/numbers", "/assistant/phones", "/assistant/calls"):
        assert davi.get(path).status_code == 403, path
    for path in ("/assistant/company", "/assistant/extensions", "/assistant/extensions/_rows", "/assistant/trunk", "/assistant/trunk/_check",
                 "/assistant/trunk/skip", "/assistant/numbers", "/assistant/phones", "/assistant/phones/apply", "/assistant/phones/1/_data",
                 "/assistant/restart", "/assistant/calls", "/assistant/calls/echo", "/assistant/calls/outside", "/assistant/calls/echo/1/end", "/assistant/leave"):
        assert davi.send(path).status_code == 403, path
    assert davi.api("POST", "/api/v1/extensions", {"number": "1002", "name": "B"}).status_code == 403
    page = logged_in("davi.lima")
    expect(page).not_to_have_url(re.compile("assistant"))
    assert page.request.get("/live/tests").status == 403
    expect(page.locator("#menu a[href='/assistant']")).to_have_count(0)


def test_the_assistant_is_left_resumed_and_not_shown_again(first_login):
    page = first_login(PHONE)
    me = Newcomer(page)
    me.at("company")
    me.fill("Nome da empresa", "Padaria do Zé")
    me.click("Salvar e continuar")
    me.at("extensions")
    me.click("Sair por enquanto")
    expect(page).to_have_url(re.compile("/$"))
    page.goto("/assistant")
    me.at("extensions")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_wrong_cells_are_told_at_the_cell_and_a_spreadsheet_is_pasted(logged_in):
    make_extension("1001", name="Ana")
    page = logged_in()
    page.goto("/assistant/extensions")
    page.get_by_text("Colar de uma planilha").click()
    page.locator("#pasted").fill("1001\tBruno\n19\tCarla\n\tBalcão\n7\tCozinha\n")
    page.get_by_role("button", name="Colocar na tabela").click()
    expect(page.get_by_label("Nome 4")).to_have_value("Cozinha")
    page.get_by_role("button", name="Salvar e continuar").click()
    expect(page.locator("#wrong-number-0")).to_contain_text("“1001” já é usado por ramal 1001 Ana")
    expect(page.locator("#wrong-number-3")).to_contain_text("de 2 a 6 dígitos")
    expect(page.get_by_label("Nome 2")).to_have_value("Carla")
    assert len(rows("extensions")) == 1
    page.get_by_label("Número 1", exact=True).fill("1050")
    page.get_by_label("Número 4", exact=True).fill("1051")
    page.get_by_role("button", name="Mais 10 linhas").click()
    expect(page.get_by_label("Nome 14")).to_be_visible()
    page.get_by_role("button", name="Salvar e continuar").click()
    expect(page).to_have_url(re.compile("/assistant/trunk"))
    assert {row.number: row.name for row in rows("extensions")} == {"1001": "Ana", "1050": "Bruno", "19": "Carla", "1002": "Balcão", "1051": "Cozinha"}
