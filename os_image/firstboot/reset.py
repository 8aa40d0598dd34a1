"""Back to the first visit: the exchange of this machine is put aside, and an empty one begins. Name, network, SSH keys and the password of
the console stay, so that whoever may do this can still come in.

    bentevi-reset          asks for the machine's name first; puts aside what there is (one is kept, the one before it goes)
    bentevi-reset back     takes back what was put aside, and puts the present one in its place
    --dry-run before either: only says what would go where

Both end with a restart of the machine. Nothing is copied: folders of one partition change their names, and after a power cut the same
command goes on where it was.
"""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

DATA = Path("/data")
FOLDERS = ("bentevi", "redis")  # what is of the exchange on the data partition
KEPT, SWAP, OVER, BEGUN, MOVED = "before-reset", "before-reset.swap", "before-reset.over", ".reset-begun", ".moved"


def put_aside(data: Path) -> None:
    """The exchange's files go to before-reset; what was there before goes for good. May be killed anywhere and called again.

    Raises LookupError while the other command was cut off in the middle.
    """
    begun = data / BEGUN
    _need_no_other(data, [])
    if not begun.exists():
        shutil.rmtree(data / KEPT, ignore_errors=True)
        (data / KEPT).mkdir(mode=0o700)
        begun.touch()
    _move(data, data / KEPT)
    begun.unlink()


def take_back(data: Path) -> None:
    """What was put aside and what is there change places. May be killed anywhere and called again.

    Raises LookupError when nothing was put aside, or while the other command was cut off in the middle.
    """
    kept, swap, over = data / KEPT, data / SWAP, data / OVER
    shutil.rmtree(over, ignore_errors=True)
    _need_no_other(data, ["back"])
    if not swap.exists():
        if not kept.is_dir():
            raise LookupError("nada foi guardado por uma volta ao inicio")
        kept.rename(swap)
    kept.mkdir(mode=0o700, exist_ok=True)
    if not (swap / MOVED).exists():
        _move(data, kept)
        (swap / MOVED).touch()
    for name in FOLDERS:
        for entry in list((swap / name).iterdir()) if (swap / name).is_dir() else []:
            entry.rename(data / name / entry.name)
    swap.rename(over)
    shutil.rmtree(over)


def would(data: Path, words: list[str]) -> list[str]:
    """What either command would do, folder by folder. Raises LookupError where the command itself would."""
    _need_no_other(data, words)
    if words and not (data / KEPT).is_dir() and not (data / SWAP).is_dir():
        raise LookupError("nada foi guardado por uma volta ao inicio")
    there = data / (SWAP if (data / SWAP).is_dir() else KEPT)
    found = [f"{data / name}: {_megabytes(data / name)} MB iriam para {data / KEPT / name}" for name in FOLDERS]
    if words:
        return found + [f"{there / name}: {_megabytes(there / name)} MB voltariam para {data / name}" for name in FOLDERS]
    return found + ([f"{there}: {_megabytes(there)} MB de uma vez anterior seriam apagados"] if there.is_dir() and not (data / BEGUN).exists() else [])


def _need_no_other(data: Path, words: list[str]) -> None:
    """Raises LookupError while the other command was cut off in the middle."""
    if words and (data / BEGUN).exists():
        raise LookupError("primeiro termine `sudo bentevi-reset`, que foi interrompido")
    if not words and (data / SWAP).exists():
        raise LookupError("primeiro termine `sudo bentevi-reset back`, que foi interrompido")


def _megabytes(folder: Path) -> int:
    return round(sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) / 1_000_000)


def _move(data: Path, target: Path) -> None:
    """Every entry of the exchange's folders; the folders themselves stay, because they are mounted."""
    for name in FOLDERS:
        (target / name).mkdir(mode=0o700, exist_ok=True)
        for entry in list((data / name).iterdir()):
            entry.rename(target / name / entry.name)


def main(words: list[str]) -> int:
    """The two commands above; 2 when they make no sense or nobody confirms."""
    is_tried, words = words[:1] == ["--dry-run"], [word for word in words if word != "--dry-run"]
    if words not in ([], ["back"]):
        print(__doc__, file=sys.stderr)
        return 2
    if is_tried:
        try:
            print("\n".join([*would(DATA, words), "Nada mudou."]))
        except LookupError as why:
            print(why)
            return 2
        return 0
    print("As ligacoes em curso caem e a maquina reinicia." if words else
          "Tudo o que esta central sabe (ramais, registros, gravacoes, usuarios) e posto de lado, e uma central vazia comeca.\n"
          "Fica guardado em /data/before-reset ate a proxima vez: `sudo bentevi-reset back` traz de volta. Faca um backup antes.")
    if input(f"Escreva o nome desta maquina ({socket.gethostname()}) para confirmar: ").strip() != socket.gethostname():
        print("Nao confirmado: nada mudou.")
        return 2
    subprocess.run(["systemctl", "stop", "bentevi.target", "bentevi-first-start.service"], check=True)
    try:
        take_back(DATA) if words else put_aside(DATA)
    except LookupError as why:
        print(why)
        subprocess.run(["systemctl", "start", "bentevi.target"], check=True)
        return 2
    subprocess.run(["sync"], check=True)
    subprocess.run(["systemctl", "reboot"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
