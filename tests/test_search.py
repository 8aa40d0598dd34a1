"""The search over everything (CFG-13)."""

import pytest

from tests.build import make_cost_centre, make_extension
from tests.visitor import person, text_of

pytestmark = pytest.mark.usefixtures("app")

LABELS = {  # menu of the source documents and the English label → address
    "Ramais": "/extensions", "Extensions": "/extensions", "Troncos": "/trunks", "Trunks": "/trunks", "Usuários": "/users", "usuarios": "/users",
    "Users": "/users", "Centro de Custos": "/cost_centres", "Cost centres": "/cost_centres", "Rotas de Saída": "/outbound_routes",
    "rotas de saida": "/outbound_routes", "Outbound routes": "/outbound_routes", "Rotas de Entrada": "/inbound_routes",
    "Rotas Internas": "/internal_routes", "Perfis": "/dialing_profiles", "Categorias": "/extension_classes", "Grupos": "/pickup_groups",
    "Plano de Discagem": "/outbound_routes", "Configurações": "/company", "SipGeneralConfig": "/sip", "Auditoria": "/audit", "Audit trail": "/audit",
    "Revisões": "/revisions",
}


@pytest.mark.parametrize("text", LABELS)
def test_a_page_is_found_by_its_portuguese_and_its_english_label(carla, text):
    """CFG-13: accents and capitals do not matter."""
    assert f'href="{LABELS[text]}"' in carla.get("/search", query_string={"q": text}).text


@pytest.mark.database
def test_rows_and_fields_are_found_only_by_who_may_see_them(carla, client):
    ana = make_extension("2001", name="Ana Ótima")
    davi = person(client, "davi.souza", modules=["cost_centres"])
    make_cost_centre("Loja")
    for text in ("2001", "ótima", "ÓTIMA"):
        assert f"/extensions/{ana.id}" in carla.get("/search", query_string={"q": text}).text
        assert "/extensions" not in davi.get("/search", query_string={"q": text}).text
    assert "Loja" in text_of(davi.get("/search?q=loja"))
    assert "/trunks" in carla.get("/search?q=Qualify").text and "/trunks" not in davi.get("/search?q=Qualify").text


@pytest.mark.parametrize("text", ["", "%", "'", "<script>alert(1)</script>", "\\", "\0", "x" * 3000])
def test_any_text_may_be_searched_for(carla, text):
    answer = carla.get("/search", query_string={"q": text})
    assert answer.status_code == 200 and "<script>alert" not in answer.text
