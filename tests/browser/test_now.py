"""The page “Agora” and the states in lists, as people use them, in a real browser (marked browser, pbx)."""

import re

import pytest
from playwright.sync_api import expect

from appliance import settings
from appliance.db import db
from tests.browser.conftest import PHONE
from tests.build import change, make_extension, make_inbound_route, make_trunk
from tests.carrier import REGISTERS, REGISTRAR, Carrier
from tests.homes import free_ports
from tests.player import everything_answers
from tests.story.conftest import carrier, pbx, phone, phones  # noqa: F401  the fixtures of a story

pytestmark = [pytest.mark.browser, pytest.mark.pbx]


def item(page, name):
    return page.locator("#trunks > .trunk").filter(has=page.locator(".trunk-name", has_text=re.compile(f"^{name}$")))


def test_a_carrier_that_stops_turns_red_with_the_check_list_and_green_when_it_is_back(logged_in, pbx, carrier):  # noqa: F811
    """TRK-06, TRK-11: within the qualify interval (30 s), which the test does not wait for but asks Asterisk for at once."""
    trunk = make_trunk("Operadora", carrier.port, call_limit=10)
    silent = make_trunk("Calada", free_ports(1)[0], qualify=False)
    pbx.apply()
    assert f"qualify_frequency={30}" in re.sub(r"\s*:\s*", "=", pbx.ask(f"pjsip show aor trunk-{trunk.id}"))
    page = logged_in()
    pbx.ask(f"pjsip qualify trunk-{trunk.id}")
    expect(item(page, "Operadora")).to_contain_text("alcançável")
    expect(item(page, "Operadora")).to_contain_text("ligações: 0, saindo 0 de 10")
    expect(item(page, "Calada")).to_contain_text("não monitorado")
    carrier.dead = True
    pbx.ask(f"pjsip qualify trunk-{trunk.id}")
    red = item(page, "Operadora")
    expect(red).to_contain_text("não responde", timeout=15_000)
    machine = settings.load()
    for line in ("Endereço: 127.0.0.1", "redirecionamento de portas", f"A porta SIP {machine.sip_port} está aberta para UDP?",
                 f"As portas RTP {machine.rtp_start} a {machine.rtp_end} estão abertas para UDP?"):
        expect(red.locator(".trunk-check")).to_contain_text(line)
    page.goto("/trunks")
    expect(page.locator(f"[data-follows=trunk-{trunk.id}]")).to_contain_text("não responde")
    expect(page.locator(f"[data-follows=trunk-{silent.id}]")).to_contain_text("não monitorado")
    carrier.dead = False
    pbx.ask(f"pjsip qualify trunk-{trunk.id}")
    expect(page.locator(f"[data-follows=trunk-{trunk.id}]")).to_contain_text("alcançável")


@pytest.mark.long
def test_registrations_in_both_directions_are_seen(logged_in, pbx, phones):  # noqa: F811
    """TRK-08, TRK-09: registered or not, with the carrier's last answer; a gateway that registers here too."""
    away = phones.keep(Carrier(pbx.address, free_ports(1)[0], REGISTRAR, "conta", "certa"))
    line = make_trunk("Linha", away.port, authentication="sends_registration", username="conta", password="errada")
    make_trunk("Gateway", 5060, authentication="receives_registration", username="gateway1", password="segredo-gw", host="")
    make_trunk("Sem nome", 5060, authentication="sends_registration", username="conta", password="x", host="nao-existe.invalid")
    pbx.apply()
    db.session.commit()
    page = logged_in()
    expect(item(page, "Linha")).to_contain_text("não registrado", timeout=30_000)
    expect(item(page, "Linha").locator(".trunk-check")).to_contain_text("Dados do registro")
    expect(item(page, "Sem nome")).to_contain_text("O nome nao-existe.invalid não é conhecido (DNS)", timeout=30_000)
    expect(item(page, "Gateway")).to_contain_text("não registrado")
    change(line, password="certa")
    pbx.apply()
    db.session.commit()
    expect(item(page, "Linha")).to_contain_text("registrado", timeout=45_000)
    expect(item(page, "Linha").locator(".trunk-check")).to_have_count(0, timeout=45_000)
    gateway = phones.keep(Carrier(pbx.address, free_ports(1)[0], REGISTERS, "gateway1", "segredo-gw"))
    assert gateway.register() == 200
    expect(item(page, "Gateway").locator(".state-registered")).to_be_visible()
    gateway.unregister()
    expect(item(page, "Gateway").locator(".state-unregistered")).to_be_visible()


def test_a_call_shows_codec_and_hold_ticks_and_is_ended_with_a_thumb(logged_in, pbx, phone):  # noqa: F811
    """EXT-28: two devices talk, the codec is on the page; EXT-04: the names of the extensions."""
    ana, bruno = make_extension("2001", name="Ana Souza"), make_extension("2002", name="Bruno")
    pbx.apply()
    db.session.commit()
    first, second = phone(ana), phone(bruno)
    page = logged_in(size=PHONE)
    expect(page.get_by_text("Nenhuma ligação neste momento.")).to_be_visible()
    call = first.call("2002")
    row = page.locator("#calls > .call")
    expect(row).to_contain_text("2001 Ana Souza → 2002 Bruno")
    expect(row.locator(".call-state")).to_contain_text("tocando")
    second.answer()
    expect(row.locator(".call-state")).to_contain_text("falando")
    row.locator("summary").click()
    expect(row.locator(".codec").first).to_have_text("alaw")
    call.hold()
    expect(row.locator(".call-state")).to_contain_text("em espera")
    expect(row.locator("details")).to_have_attribute("open", "")  # what the person opened stays open
    expect(row.locator("time")).to_have_text(re.compile(r"^\d+:\d\d$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = row.locator(".call-end").bounding_box()
    assert box["width"] >= 40 and box["height"] >= 40
    row.locator(".call-end").click()
    expect(page.get_by_text("A ligação foi encerrada.")).to_be_visible()
    expect(row).to_have_count(0)
    call.wait_ended()


def test_extensions_are_filtered_and_lists_show_their_state(logged_in, pbx, phone):  # noqa: F811
    """Number, name without accents, or state; what was typed stays while states change."""
    rows = [make_extension(str(2001 + one), name=name) for one, name in enumerate(("Ana", "José", "Recepção"))]
    pbx.apply()
    db.session.commit()
    page = logged_in()
    cells = page.locator("#extensions > .extension:visible")
    expect(cells).to_have_count(3)
    for typed, seen in (("jose", ["2002"]), ("recepcao", ["2003"]), ("2001", ["2001"]), ("desconectado", ["2001", "2002", "2003"])):
        page.get_by_label("Filtrar ramais").fill(typed)
        expect(cells).to_have_count(len(seen))
    phone(rows[0])
    expect(cells).to_have_count(2)  # the one that came leaves the filter “desconectado”
    make_extension("2004", name="Nova")
    expect(cells).to_have_count(2)
    page.get_by_label("Filtrar ramais").fill("")
    expect(page.locator("[data-extension='2004']")).to_contain_text("ainda não aplicado")
    page.goto("/extensions")
    expect(page.locator(f"[data-follows=extension-{rows[0].id}]")).to_contain_text("livre")
    expect(page.locator(f"[data-follows=extension-{rows[1].id}]")).to_contain_text("desconectado")
    page.locator("#q").fill("Ana")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page.locator(f"[data-follows=extension-{rows[0].id}]")).to_contain_text("livre")


def test_applying_shows_its_end_without_a_stream_too(logged_in, pbx):  # noqa: F811
    """SYS-17: the page asks by itself while its stream is down."""
    make_extension("2001", name="Ana")
    page = logged_in()
    page.route("**/live/**", lambda route: route.abort())
    page.goto("/pending")
    page.locator(".pending").get_by_role("button", name="Aplicar").click()
    expect(page.locator(".outcome")).to_contain_text("Em vigor (revisão", timeout=20_000)


def test_the_page_says_when_it_has_no_connection_and_comes_back(logged_in, app):
    db.session.commit()
    page = logged_in()
    page.goto("/")  # an empty exchange begins with the assistant
    page.wait_for_selector("#exchange", state="attached")
    expect(page.locator("#live-lost")).to_be_hidden()
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    from tests.player import Player

    Player(1, [], type("Nobody", (), {"treats": lambda *_: None})()).disturb("nginx")
    expect(page.locator("#live-lost")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#live-lost")).to_be_hidden(timeout=20_000)
    everything_answers()


def test_an_incoming_call_shows_number_name_and_trunk(logged_in, pbx, carrier, phone):  # noqa: F811
    ana = make_extension("2001", name="Ana")
    make_trunk("Operadora", carrier.port)
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
    pbx.apply()
    db.session.commit()
    handset = phone(ana)
    page = logged_in()
    carrier.call("4830139018", caller="48999991234", caller_name="<b>PADARIA</b>")
    handset.wait_ringing()
    row = page.locator("#calls > .call")
    expect(row.locator(".call-from")).to_have_text(re.compile(r"\(48\) 99999-1234\s+<b>PADARIA</b>"))
    expect(row).to_contain_text("→ 2001 Ana")
    expect(row.locator("summary")).to_contain_text("Operadora")
