"""The left bar: groups and pages, only what the person may open."""

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

from appliance.modules import model as modules
from appliance.resource import TABLE
from appliance.users.model import User

GROUPS = {
    "now": _l("Now"), "telephony": _l("Telephony"), "people": _l("People"), "reports": _l("Reports"), "system": _l("System"),
}


@dataclass(frozen=True)
class Page:
    """One line of the menu."""

    word: str
    label: Any
    path: str
    icon: str
    group: str
    also: str = ""


PAGES = [
    Page("now", _l("Now"), "/", "activity", "now", "Agora Painel início"),
    Page("map", _l("Map"), "/map", "git-branch", "telephony", "Mapa caminhos de um número desenho fluxo call flow"),
    Page("reports", _l("Calls"), "/calls", "phone-call", "reports", "Ligações relatório de ligações chamadas call report"),
    Page("missed_calls", _l("Missed calls"), "/missed_calls", "phone-off", "reports", "Perdidas ligações perdidas chamadas perdidas retorno"),
    Page("reports", _l("Queues"), "/queue_reports", "users-group", "reports",
         "Relatório de filas consolidado por fila distribuição por dia por hora SLA nível de serviço TMA TME TMAB queue report"),
    Page("reports", _l("IVRs"), "/ivr_reports", "keyboard", "reports", "Relatório de URAs IVR entrantes abandonadas ASA MSA MHT ivr report"),
    Page("reports", _l("Out of hours"), "/out_of_hours", "clock", "reports", "Detalhado Fora do Horário ligações fora do horário feriado"),
    Page("reports", _l("Ready reports"), "/reports", "file-text", "reports", "Relatórios prontos PDF XLSX planilha exportar"),
    Page("rating_scores", _l("Scores"), "/rating_scores", "star", "reports", "Notas avaliações de atendimento pesquisa de satisfação média"),
    Page("recordings", _l("Recordings"), "/recordings", "microphone", "reports", "Gravações ouvir selo verificar espaço"),
    Page("revisions", _l("Revisions"), "/revisions", "history", "system", "Revisões aplicar desfazer rollback"),
    Page("addresses", _l("Blocked addresses"), "/addresses", "ban", "system",
         "Endereços bloqueados bloqueio de intrusos desbloquear IP banido ataque Rede e segurança firewall"),
    Page("backups", _l("Backups"), "/backups", "device-floppy", "system", "Backup cópia de segurança restaurar restauração ensaio"),
    Page("jobs", _l("Jobs"), "/jobs", "list", "system", "Trabalhos tarefas fila de espera erros"),
    Page("assistant", _l("First steps"), "/assistant", "check", "system", "Primeiros passos assistente configuração inicial do zero wizard first run"),
    Page("updates", _l("Updates"), "/updates", "refresh", "system", "Atualizações atualização versão nova solicitar atualização melhorias correções update"),
    Page("about", _l("About"), "/about", "info-circle", "system", "Sobre versão número de série serial licença módulos compilação chave do software"),
    Page("audit", _l("Audit trail"), "/audit", "clock", "system", "Auditoria histórico alterações"),
]


def pages() -> list[Page]:
    """Every page of the menu, resources in the order of their table; without those of modules that are switched off (SYS-14)."""
    found = [
        Page(r.permission or r.word, r.label, f"/{r.word}", r.icon, r.group, f"{r.also} {r.word}") for r in TABLE.values()
    ]
    hidden = modules.hidden()
    return [page for page in [PAGES[0], *found, *PAGES[1:]] if page.path.strip("/") not in hidden]


def menu_of(user: User) -> list[tuple[Any, list[Page]]]:
    """(heading, pages) the person may open."""
    allowed = [page for page in pages() if user.may(page.word)]
    groups = [(label, [page for page in allowed if page.group == group]) for group, label in GROUPS.items()]
    return [(label, found) for label, found in groups if found]
