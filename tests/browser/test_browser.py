"""What people do with the screens, in a real browser (marked browser)."""

import re

import pytest
from playwright.sync_api import expect

from appliance import applying, settings
from appliance.db import db
from tests.browser.conftest import PHONE, log_in
from tests.build import make_extension, make_inbound_route, make_outbound_route, make_trunk, make_user

pytestmark = pytest.mark.browser


def save(page):
    page.get_by_role("button", name="Salvar").click()


def test_the_first_login_asks_for_a_password_of_ones_own(app, open_browser):
    """USR-06: a generated password, shown once, must be changed."""
    from appliance import db as ground
    from appliance.users import password

    kept = settings.load().secrets / "first_password"
    first = ground.secret_file(kept, password.generate)
    make_user("admin", password=first, administrator=True, must_change_password=True)
    page = open_browser()
    log_in(page, "admin", first)
    expect(page).to_have_url(re.compile("/password$"))
    page.goto("/extensions")
    expect(page).to_have_url(re.compile("/password$"))
    page.get_by_label("Senha atual").fill(first)
    page.get_by_label("Nova senha", exact=True).fill("Estrela@2026x")
    page.get_by_label("Nova senha outra vez").fill("Estrela@2026x")
    page.get_by_role("button", name="Trocar senha").click()
    expect(page).to_have_url(re.compile("/assistant/company$"))  # nothing is configured yet (SYS-15)
    assert not kept.exists()


def test_an_extension_is_created_changed_and_deleted(page):
    """EXT-01 on the screen."""
    page.goto("/extensions")
    page.keyboard.press("n")
    page.get_by_label("Número").fill("2001")
    page.get_by_label("Nome").fill("Ana")
    save(page)
    expect(page.get_by_text("Salvo, por aplicar.")).to_be_visible()
    expect(page.get_by_text("Gerada e mostrada só agora:")).to_be_visible()
    expect(page.get_by_role("heading", name="2001 Ana")).to_be_visible()
    page.get_by_label("Nome").fill("Ana Souza")
    page.keyboard.press("Escape")
    page.get_by_label("Nome").blur()
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="2001 Ana Souza")).to_be_visible()
    page.get_by_role("button", name="Excluir").click()
    expect(page.get_by_text("Excluído: 2001 Ana Souza.")).to_be_visible()
    expect(page.get_by_text("bastam número, nome e senha")).to_be_visible()


def test_what_is_wrong_stands_in_portuguese_at_the_field_and_what_was_typed_stays(page):
    make_extension("2001", name="Ana")
    page.goto("/extensions/new")
    page.get_by_label("Número").fill("2001")
    page.get_by_label("Nome").fill("Bruno")
    save(page)
    told = "“2001” já é usado por ramal 2001 Ana. Escolha outro ou altere aquele."
    expect(page.locator("#wrong-number")).to_have_text(told)
    expect(page.get_by_role("alert").get_by_role("link", name="Número")).to_be_visible()
    expect(page.get_by_label("Nome")).to_have_value("Bruno")
    page.get_by_label("Número").fill("7")
    save(page)
    expect(page.locator("#wrong-number")).to_have_text("Um número discado internamente tem de 2 a 6 dígitos.")


def test_an_error_in_a_hidden_tab_opens_that_tab(page):
    page.goto("/company#tab-2")
    page.get_by_label("Transbordos por dia").fill("-1")
    save(page)
    expect(page.locator("#wrong-overflow_calls_per_day")).to_be_visible()


def test_the_tab_stays_open_after_saving_and_has_an_address(page):
    make_extension("2001", name="Ana")
    page.goto("/extensions")
    page.get_by_role("link", name="2001").click()
    page.get_by_role("tab", name="Grupos").click()
    expect(page).to_have_url(re.compile("#tab-2$"))
    page.get_by_label("Aparelhos").fill("2")
    save(page)
    expect(page.get_by_text("Salvo, por aplicar.")).to_be_visible()
    expect(page.get_by_label("Aparelhos")).to_be_visible()


def test_leaving_a_changed_form_is_asked_once(page):
    make_extension("2001", name="Ana")
    page.goto("/extensions/" + page_id(page, "/extensions"))
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    page.get_by_label("Nome").fill("Outra")
    page.get_by_role("link", name="Troncos").click()
    expect(page).to_have_url(re.compile("/trunks$"))
    assert asked == ["beforeunload"]


def page_id(page, address):
    """The number in the address of the first row."""
    page.goto(address)
    return page.locator("tbody a").first.get_attribute("href").rsplit("/", 1)[1]


def test_the_save_button_of_a_user_appears_when_everything_required_is_there(page):
    """USR-03: absent until the last required field is valid."""
    page.goto("/users/new")
    button = page.get_by_role("button", name="Salvar")
    expect(button).to_be_hidden()
    expect(page.get_by_text("Salvar aparece quando")).to_be_visible()
    page.get_by_label("Nome").fill("Ana")
    page.get_by_label("Login").fill("ana.souza")
    expect(button).to_be_visible()
    button.click()
    expect(page.get_by_text("Salvo.", exact=True)).to_be_visible()


def test_the_trunk_form_follows_the_kind_of_authentication(page):
    """TRK-04: the fields swap with the choice, what was typed stays."""
    page.goto("/trunks/new")
    host, user, line = page.get_by_label("Endereço (host)"), page.get_by_label("Usuário"), page.get_by_label("Linha", exact=False)
    kind = page.get_by_label("Autenticação")
    kind.select_option("by_ip")
    expect(host).to_be_visible()
    expect(user).to_be_hidden()
    kind.select_option("receives_registration")
    expect(host).to_be_hidden()
    expect(user).to_be_visible()
    kind.select_option("sends_registration")
    expect(host).to_be_visible()
    expect(user).to_be_visible()
    expect(line.first).to_be_visible()


def test_without_a_trunk_the_route_forms_say_so_and_lead_to_one(page):
    """RTE-02: the forms explain what is missing and link to the trunk form."""
    for address in ("/outbound_routes/new", "/inbound_routes/new"):
        page.goto(address)
        page.get_by_text("Antes de preencher este formulário, crie:").get_by_role("link", name="Novo tronco").click()
        expect(page.get_by_role("heading", name="Novo tronco")).to_be_visible()


def test_a_rule_and_its_overflow_are_added_saved_and_seen_again(page):
    """RTE-13, RTE-19, RTE-01: ready masks fill the mask, an overflow is added, a number is tried."""
    make_trunk("Operadora", 5070)
    make_trunk("Reserva", 5071)
    page.goto("/outbound_routes/new")
    page.get_by_label("Nome").fill("Celular")
    page.get_by_role("button", name="Adicionar regra").click()
    rule = page.locator("[data-line]").first
    rule.get_by_label("Modelos de máscara").select_option("9XXXXXXXX")
    expect(rule.get_by_label("Máscara", exact=True)).to_have_value("9XXXXXXXX")
    rule.get_by_label("Tronco").select_option("Operadora")
    rule.get_by_role("button", name="Adicionar transbordo").click()
    rule.get_by_label("Tronco de transbordo").select_option("Reserva")
    page.get_by_role("button", name="Adicionar regra").click()
    second = page.locator("[data-line]").last
    second.get_by_label("Máscara", exact=True).fill("1XX")
    second.get_by_label("Tronco", exact=True).select_option("Operadora")
    second.get_by_role("button", name="Subir").first.click()
    save(page)
    expect(page.get_by_text("Salvo, por aplicar.")).to_be_visible()
    expect(page.locator("#rules-0-mask")).to_have_value("1XX")
    expect(page.locator("#rules-1-mask")).to_have_value("9XXXXXXXX")
    expect(page.locator("#rules-1-overflow-0-trunk")).to_have_value("Reserva")
    page.locator("[name=try_number]").fill("999991234")
    page.get_by_role("button", name="Testar").click()
    expect(page.locator("#tried")).to_contain_text("atende a ligação")


def test_pending_changes_are_seen_applied_and_undone(page):
    """SYS-17: difference, apply with its steps, undo."""
    assert applying.now("before").state == "done"
    db.session.commit()  # an open transaction of ours would keep the product from writing
    page.goto("/extensions/new")
    page.get_by_label("Número").fill("2001")
    page.get_by_label("Nome").fill("Ana")
    save(page)
    make_extension("2002", name="Bruno")
    page.reload()
    bar = page.locator(".pending")
    expect(bar).to_contain_text("2 alterações por aplicar")
    expect(bar).to_contain_text("você: 1")
    expect(bar).to_contain_text("sistema: 1")
    bar.get_by_role("link", name="Ver diferença").click()
    expect(page.get_by_role("heading", name="Alterações por aplicar")).to_be_visible()
    expect(page.get_by_text("criou ramal 2001 Ana")).to_be_visible()
    expect(page.locator(".diff .plus").first).to_be_visible()
    bar.get_by_role("button", name="Aplicar").click()
    expect(page.locator(".outcome")).to_contain_text("Em vigor (revisão", timeout=15_000)
    for step in ("Gerar", "Verificar", "Testar", "Trocar", "Carregar", "Conferir"):
        expect(page.locator(".step-done", has_text=step)).to_be_visible()
    expect(bar).to_have_count(0)
    page.goto("/revisions")
    page.locator("tbody tr").nth(1).get_by_role("button", name="Voltar").click()
    expect(page.locator(".outcome")).to_contain_text("Em vigor (revisão", timeout=15_000)
    page.goto("/extensions")
    expect(page.get_by_text("bastam número, nome e senha")).to_be_visible()


def test_somebody_with_chosen_modules_sees_only_these(logged_in):
    """USR-18 in the menu."""
    make_user("davi.lima", modules=["extensions", "trunks"])
    page = logged_in("davi.lima")
    menu = page.locator("#menu nav a")
    assert {text.strip() for text in menu.all_inner_texts()} == {"Ramais", "Troncos"}
    refused = page.goto("/users")
    assert refused.status == 403
    expect(page.get_by_role("alert")).to_contain_text("Você não pode abrir esta página.")


def test_language_and_theme_are_switched_and_stay(page):
    """CFG-16: English is selectable and stays."""
    page.goto("/extensions")
    page.get_by_role("button", name="Carla").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Extensions")).to_be_visible()
    page.get_by_role("button", name="Carla").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto("/trunks")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_menu_can_be_put_away_and_stays_away(page):
    page.get_by_role("button", name="Mostrar ou esconder o menu").click()
    expect(page.locator("#menu")).to_be_hidden()
    page.goto("/trunks")
    expect(page.locator("#menu")).to_be_hidden()


def test_search_finds_pages_in_both_languages_fields_and_rows(page):
    """CFG-13: by Portuguese or English."""
    make_extension("2001", name="Ana Souza")
    found = page.locator("#found")
    page.goto("/")
    page.keyboard.press("Control+k")
    for typed, seen in [("Troncos", "Troncos"), ("trunk", "Troncos"), ("souza", "2001 Ana Souza"), ("2001", "2001 Ana Souza"),
                        ("zzyzx", "Nada encontrado.")]:
        page.locator("#search").fill(typed)
        expect(found).to_contain_text(seen)
    page.locator("#search").fill("souza")
    found.get_by_role("link", name="2001 Ana Souza").click()
    expect(page.get_by_role("heading", name="2001 Ana Souza")).to_be_visible()


def test_the_keyboard_list_opens_with_a_question_mark(page):
    page.goto("/extensions")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Teclado")).to_be_visible()


def test_a_phone_is_enough(logged_in):
    make_trunk("Operadora", 5070)
    make_extension("2001", name="Maria Aparecida do Nascimento e Silva de Albuquerque Cavalcanti Filha")
    make_outbound_route("Celular", {"mask": "9XXXXXXXX", "trunk": "Operadora"})
    make_inbound_route("Entrada", "Operadora", {"default": True, "destination": {"extension": "2001"}})
    page = logged_in(size=PHONE)
    row = {word: page_id(page, f"/{word}") for word in ("extensions", "outbound_routes", "inbound_routes")}
    for address in ("/", "/extensions", "/pending", "/revisions", "/audit", "/users/new", "/trunks/new",
                    *(f"/{word}/{number}" for word, number in row.items())):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
    page.get_by_role("button", name="Menu").click()
    page.locator("#menu").get_by_role("link", name="Ramais").click()
    expect(page.get_by_role("heading", name="Ramais")).to_be_visible()
