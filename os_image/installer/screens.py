"""The questions of an installation, in Portuguese, by whiptail. Esc or Cancelar goes back to the question before."""

import subprocess
from collections.abc import Callable

from os_image.installer import answers as rules
from os_image.installer.answers import Answers
from os_image.installer.disks import Disk

SHORTEST_PASSWORD = 10


class Back(Exception):
    """The person went back."""


def whiptail(*words: str) -> str:
    """One box; what was chosen or typed. Raises Back."""
    run = subprocess.run(["whiptail", "--backtitle", "Instalação do Bentevi", "--ok-button", "Continuar", "--cancel-button", "Voltar",
                          "--yes-button", "Sim", "--no-button", "Não", *words], stderr=subprocess.PIPE, text=True, check=False)  # fmt: skip
    if run.returncode:
        raise Back
    return run.stderr.strip()


def message(title: str, text: str) -> None:
    """A text and one button."""
    whiptail("--title", title, "--msgbox", text, "16", "74")


def menu(title: str, text: str, lines: list[tuple[str, str]]) -> str:
    """One of several; its first word."""
    rows = [word for line in lines for word in line]
    return whiptail("--title", title, "--notags", "--menu", text, "18", "76", str(min(8, len(lines))), *rows)


def asked(title: str, text: str, check: Callable[[str], str], given: str = "", *, optional: bool = False, secret: bool = False) -> str:
    """A line, asked again until it is right."""
    while True:
        value = whiptail("--title", title, "--passwordbox" if secret else "--inputbox", text, "11", "74", *([] if secret else [given])).strip()
        if optional and not value:
            return ""
        try:
            return check(value)
        except ValueError as why:
            message(title, f"Não serve: {why}")
            given = value


def ask(disks: list[Disk]) -> tuple[Disk, Answers]:
    """Every question; what to install where. Raises Back only from the first one."""
    steps: list[Callable[[Answers, dict[str, Disk]], None]] = [_disk, _keep, _name, _network, _password]
    known, by_path, at = Answers(after="reboot"), {disk.path: disk for disk in disks}, 0
    while True:
        try:
            if at == len(steps):
                _confirm(known, by_path)
                return by_path[known.target], known
            steps[at](known, by_path)
            at += 1
        except Back:
            if at == 0:
                raise
            at -= 1


def _disk(known: Answers, disks: dict[str, Disk]) -> None:
    known.target = menu("Disco", "Em que disco instalar? O pendrive da instalação não está na lista.",
                        [(path, f"{path}  {disk.title}") for path, disk in disks.items()])


def _keep(known: Answers, disks: dict[str, Disk]) -> None:
    known.keep_data = ""
    if disks[known.target].has_data:
        known.keep_data = menu("Dados", "Este disco já tem um Bentevi.", [
            ("yes", "Renovar o programa e manter meus dados"), ("no", "Apagar tudo e começar do zero")])


def _name(known: Answers, disks: dict[str, Disk]) -> None:
    if known.keep_data != "yes":
        known.hostname = asked("Nome", "Nome desta máquina na rede (letras minúsculas, números e hífen):", rules.hostname, known.hostname or "bentevi")


def _network(known: Answers, disks: dict[str, Disk]) -> None:
    if known.keep_data == "yes":
        return
    known.ip = known.gw = known.dns = ""
    if menu("Rede", "Como esta máquina recebe o endereço?", [("dhcp", "Automático (DHCP)"), ("fixed", "Endereço fixo")]) == "fixed":
        known.ip = asked("Rede", "Endereço e prefixo, por exemplo 192.168.0.10/24:", rules.interface)
        known.gw = asked("Rede", "Roteador (gateway):", rules.address)
        known.dns = asked("Rede", "Servidores de nomes (DNS), até três, com espaço entre eles:", rules.addresses, known.gw)


def _password(known: Answers, disks: dict[str, Disk]) -> None:
    if known.keep_data == "yes":
        return
    while True:
        first = asked("Administrador", f"Senha do usuário admin desta máquina (console e SSH), pelo menos {SHORTEST_PASSWORD} letras:", long_enough, secret=True)
        if asked("Administrador", "A mesma senha mais uma vez:", str, secret=True) == first:
            break
        message("Administrador", "As duas senhas não são iguais.")
    known.passhash = hashed(first)


def long_enough(value: str) -> str:
    """A password one may choose. Raises ValueError."""
    if len(value) < SHORTEST_PASSWORD:
        raise ValueError(f"menos de {SHORTEST_PASSWORD} letras")
    return value


def hashed(password: str) -> str:
    """As /etc/shadow keeps it; the password goes by stdin, where no other process sees it."""
    run = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password + "\n", capture_output=True, text=True, check=True)
    return run.stdout.strip()


def _confirm(known: Answers, disks: dict[str, Disk]) -> None:
    disk = disks[known.target]
    if known.keep_data == "yes":
        text = f"O programa em {disk.path} será renovado. Os dados ficam como estão."
    else:
        text = f"TUDO o que está em {disk.path} será apagado:\n{disk.title}"

    def same(value: str) -> str:
        if value != disk.path:
            raise ValueError(f"escreva {disk.path}, ou volte")
        return value

    asked("Confirmação", f"{text}\n\nPara continuar, escreva o nome do disco ({disk.path}):", same)


def failed(why: str) -> str:
    """What the person wants after a failure: again, shell, reboot or poweroff."""
    return menu("A instalação parou", why[:600], [("again", "Tentar de novo"), ("shell", "Abrir um terminal"), ("reboot", "Reiniciar"), ("poweroff", "Desligar")])
