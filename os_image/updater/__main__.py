"""Root's commands of updates.

    check FILE                                       is it one, and may it follow what runs?
    start [FILE] [--at HH:MM | --free] [--downgrade] put it in; without FILE the newest one on a USB stick
    return [--rows-back]                             the version before
    cancel                                           of an update that waits for its restart
    requested                                        by a unit: what a page or `start` asked for
    settle | at-start | proved                       by units: after a kill, before the exchange starts, when it runs
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from appliance import version
from appliance.updates import package, state
from appliance.updates.words import NotGood, told
from os_image.updater import sticks
from os_image.updater.home import Home
from os_image.updater.slots import Slots
from os_image.updater.work import FOLDER, Order, Update, read_order

SPOOL = Path("/var/lib/bentevi/updates")
ORDER = FOLDER / "order.json"
UNIT = "appliance-update.service"
MOST_REQUEST = 2048


def machine(reads_files: bool = True) -> Update:
    """Of this machine; one that reads no update needs no keys, and the library that knows them is not loaded."""
    return Update(Slots(), Home(), version.number(), package.trusted() if reads_files else [])


def main(words: list[str]) -> int:
    """0 done, 1 not done, 2 refused."""
    os.umask(0o077)
    commands = {"check": check, "start": start, "return": give_back, "cancel": cancel, "requested": requested, "settle": settle, "at-start": at_start,
                "proved": proved}
    if not words or words[0] not in commands:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    try:
        return commands[words[0]](words[1:])
    except NotGood as why:
        print(f"bentevi: {why}", file=sys.stderr)
        return 2
    except (OSError, ValueError, RuntimeError) as why:
        print(f"bentevi: {why}", file=sys.stderr)
        return 1


def check(words: list[str]) -> int:
    """Read a whole file; changes nothing."""
    update, names = machine(), [word for word in words if not word.startswith("--")]
    if len(names) != 1:
        raise NotGood("no_file")
    with opened(Path(names[0])) as file:
        found = update.check(file, "--downgrade" in words)
        package.copy(file, found, None)
    print(f"good: Bentevi {found.version} of {found.date} ({found.commit}), {found.size_bytes / 1e6:.0f} MB")
    print("\n".join(f"- {line}" for line in found.notes.get("pt_BR") or found.notes.get("en") or ()))
    return 0


def start(words: list[str]) -> int:
    """Leave the order for the unit, which goes on when this line is lost, and tell how far it is."""
    order: dict[str, object] = {"restart": state.NOW, "downgrade": "--downgrade" in words, "asked_by": f"{os.environ.get('SUDO_USER', 'root')} (bentevi)"}
    if "--free" in words:
        order["restart"] = state.FREE
    if "--at" in words:
        order["restart"] = words[words.index("--at") + 1]
    names = [word for at, word in enumerate(words) if not word.startswith("--") and (at == 0 or words[at - 1] != "--at")]
    read_order(json.dumps(order))
    if names:
        order["file"] = str(Path(names[0]).resolve())
        with opened(Path(names[0])) as file:
            machine().check(file, bool(order["downgrade"]))
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    ORDER.write_text(json.dumps(order))
    began = time.time()
    subprocess.run(["systemctl", "start", "--no-block", UNIT], check=True)
    return 0 if "--no-wait" in words else follow(began)


def follow(began: float) -> int:
    """Print each step until it is over; the restart ends the line."""
    said = ""
    while True:
        time.sleep(1)
        now = state.current()
        if now is None or not now.began_at or now.began_at.timestamp() < began - 1:
            if not ORDER.exists() and subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode:
                print("bentevi: it did not begin; see journalctl -u appliance-update", file=sys.stderr)
                return 1
            continue
        text = f"{now.step} {now.version}"
        if text != said:
            print(text, flush=True)
            said = text
        if now.is_over:
            print(told(now.code, now.values) if now.code else "in force")
            return 0 if now.step == state.DONE else 1


def requested(_words: list[str]) -> int:
    """What lies in root's own order, else in the spool. Of the spool nothing is believed but one word and an hour."""
    update = machine()
    if ORDER.exists():
        text = ORDER.read_text()
        ORDER.unlink()
        named = json.loads(text).get("file")
        return _begin(update, read_order(text), Path(named) if named else None)
    text = take_request()
    if not text:
        return 0
    word = json.loads(text).get("do")
    if word == state.RETURN:
        try:
            update.give_back(asked_by=read_order(text).asked_by)
        except NotGood as why:
            update.refuse(why, read_order(text))
            raise
        return 0
    if word in (state.START, state.STICK):
        order = read_order(text)
        order.downgrade = False
        return _begin(update, order, SPOOL / state.SENT if word == state.START else None)
    return 0


def _begin(update: Update, order: Order, file: Path | None) -> int:
    try:
        with sticks.newest(update.keys) if file is None else opened(file) as source:
            ended = update.begin(source, order, is_cancelled)
    except NotGood as why:
        update.refuse(why, order)
        raise
    print(f"{ended.step} {ended.code}".strip(), flush=True)
    return 0 if not ended.is_over else 1


def opened(file: Path) -> IO[bytes]:
    """A plain file, never a link, a pipe or a device. Raises NotGood."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as why:
        raise NotGood("no_file") from why
    stream = os.fdopen(handle, "rb")
    if not os.path.isfile(f"/proc/self/fd/{handle}"):
        stream.close()
        raise NotGood("no_file")
    return stream


def take_request() -> str:
    """The request, taken away; "" when there is none. The folder is somebody else's: no link is followed."""
    try:
        folder = os.open(SPOOL, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        handle = os.open(state.REQUEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(handle, "rb") as stream:
            text = stream.read(MOST_REQUEST).decode("utf-8", "replace")
    except OSError:
        text = ""
    finally:
        try:
            os.unlink(state.REQUEST, dir_fd=folder)
        except FileNotFoundError:
            text = ""
        finally:
            os.close(folder)
    return text


def is_cancelled() -> bool:
    """Whether a page or a command asks for it now; any other request is answered by taking it away."""
    if (FOLDER / "cancel").exists():
        (FOLDER / "cancel").unlink()
        return True
    text = take_request()
    try:
        return bool(text) and json.loads(text).get("do") == state.CANCEL
    except ValueError:
        return False


def cancel(_words: list[str]) -> int:
    """Of an update that waits."""
    if (now := state.current()) is None or now.step != state.WAITING:
        raise NotGood("nothing_before" if now is None or now.is_over else "busy")
    (FOLDER / "cancel").touch()
    return 0


def give_back(words: list[str]) -> int:
    """The version before; the machine restarts."""
    machine().give_back("--rows-back" in words, f"{os.environ.get('SUDO_USER', 'root')} (bentevi)")
    return 0


def settle(_words: list[str]) -> int:
    """After the unit ended, however it did."""
    if subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, check=False).stdout.strip() != "stopping":
        machine(reads_files=False).settle()
    return 0


def at_start(_words: list[str]) -> int:
    """Before the exchange starts."""
    (FOLDER / "cancel").unlink(missing_ok=True)
    machine(reads_files=False).at_start()
    return 0


def proved(_words: list[str]) -> int:
    """When everything was started. A failure of this very program counts as one of the new version: the unit restarts the machine."""
    ended = machine(reads_files=False).proved()
    print(f"{ended.step} {told(ended.code, ended.values) if ended.code else ''}".strip(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
