"""SYS-11: GRUB's environment block as GRUB reads and writes it, and the menu that starts a new version once."""

import re
import shutil
import subprocess

import pytest

from appliance.settings import CHECKOUT
from os_image.updater import grubenv

OVERLAY = CHECKOUT / "os_image/overlay"


def menu():
    """grub.cfg as customize.sh writes it."""
    text = (CHECKOUT / "os_image/customize.sh").read_text()
    return re.search(r"grub/grub\.cfg\" <<'END'\n(.*?)^END$", text, re.S | re.M)[1]


def test_a_block_is_1024_bytes_and_what_changes_is_one_sector():
    """SYS-11."""
    one, other = grubenv.written({"slot": "a", "try": "b"}), grubenv.written({"slot": "b", "try": ""})
    assert len(one) == len(other) == 1024 and one[512:] == other[512:] == b"#" * 512
    assert one.startswith(b"# GRUB Environment Block\nslot=a\ntry=b\n#")
    assert grubenv.read(one) == {"slot": "a", "try": "b"} and grubenv.read(other) == {"slot": "b", "try": ""}


@pytest.mark.parametrize("values", [{"slot": "a\nb"}, {"slot": "a\\"}, {"sl ot": "a"}, {"slot": "é"}, {"slot": "a" * 500}])
def test_what_grub_would_read_differently_is_not_written(values):
    """SYS-11."""
    with pytest.raises(ValueError):
        grubenv.written(values)
    with pytest.raises(ValueError):
        grubenv.read(b"# GRUB Environment Block\nslot=a\n")


def test_grubs_own_program_reads_ours_and_we_read_its(tmp_path):
    """SYS-11: grub-editenv lists and sets."""
    file = tmp_path / "grubenv"
    file.write_bytes(grubenv.written({"slot": "a"}))
    grubenv.store(file, {"slot": "a", "try": "b"})
    tool = shutil.which("grub-editenv") or "grub-editenv"
    said = subprocess.run([tool, str(file), "list"], capture_output=True, text=True, check=True).stdout
    assert said == "slot=a\ntry=b\n"
    subprocess.run([tool, str(file), "set", "slot=b", "try="], check=True)
    assert grubenv.load(file) == {"slot": "b", "try": ""} and len(file.read_bytes()) == 1024
    subprocess.run([tool, str(file), "unset", "try"], check=True)
    grubenv.store(file, grubenv.load(file) | {"try": "a"})
    assert grubenv.starts(grubenv.load(file)) == ("a", {"slot": "b", "try": ""})


def test_the_menu_is_well_formed_and_forgets_the_trial_before_it_starts_it(tmp_path):
    """SYS-11: the order of the lines is what makes a dead version come back."""
    file = tmp_path / "grub.cfg"
    file.write_text(menu())
    subprocess.run(["grub-script-check", str(file)], check=True)
    text = menu()
    assert text.index("set try=\n") < text.index("if save_env try; then") < text.index("set default=$trial") < text.index("menuentry")
    assert re.search(r"else\n\s+set trial=\n", text), "a block that cannot be written starts the version in force"


@pytest.mark.parametrize(("values", "slot"), [
    ({}, "a"), ({"slot": "a"}, "a"), ({"slot": "b"}, "b"), ({"slot": "x"}, "a"), ({"slot": "a", "try": ""}, "a"), ({"slot": "a", "try": "b"}, "b"),
    ({"slot": "b", "try": "a"}, "a"), ({"slot": "a", "try": "c"}, "a"),
])
def test_what_starts_is_the_trial_once_and_then_the_slot_in_force(values, slot):
    """SYS-11."""
    first, left = grubenv.starts(values)
    assert first == slot and grubenv.starts(left)[0] == ("b" if values.get("slot") == "b" else "a")


def test_grub_itself_chooses_as_the_tests_say(tmp_path):
    """SYS-11: the lines of the menu that choose, run by a shell that has GRUB's words; the same cases as above."""
    lines = menu().partition("serial --unit")[0].replace("load_env\n", "").replace("set timeout=2\n", "")
    lines = re.sub(r"\bset (\w+)=", r"\1=", lines)
    for slot, trial, works, wanted in (("a", "", 1, "a "), ("a", "b", 1, "b b"), ("b", "a", 1, "a a"), ("a", "b", 0, "a "), ("x", "c", 1, "a "), ("b", "", 1, "b ")):
        script = f"slot={slot}\ntry={trial}\ntrial=\nsave_env() {{ [ {works} = 1 ]; }}\n{lines}\necho \"$default $trial\""
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
        assert said == f"{wanted}\n", (slot, trial, works)


def test_only_a_version_on_trial_restarts_the_machine_by_itself():
    """SYS-11: emergency mode and a judge that fails lead back; both ask for the word the menu puts there only for a trial."""
    units = OVERLAY / "etc/systemd/system"
    assert "ConditionKernelCommandLine=bentevi.trial" in (units / "appliance-update-giveup.service").read_text()
    assert "grep -qw bentevi.trial /proc/cmdline && systemctl reboot" in (units / "emergency.service.d/10-trial.conf").read_text()
    assert 'if [ "$1" = "$trial" ]; then set told=bentevi.trial; fi' in menu()
    check = (units / "appliance-update-check.service").read_text()
    assert "OnFailure=appliance-update-giveup.service" in check and "bentevi.target" not in check
    assert "Before=bentevi-first-start.service" in (units / "appliance-update-start.service").read_text()


def test_what_people_may_give_to_root_are_four_words():
    """SYS-11: the steps of the units are not among them."""
    script = OVERLAY / "usr/lib/bentevi/update"
    for word in ("requested", "settle", "at-start", "proved", "", "-c", "start;id"):
        run = subprocess.run(["sh", str(script), word], capture_output=True, text=True, check=False)
        assert run.returncode == 2 and "check | start | return | cancel" in run.stderr, word
    assert "PYTHONSAFEPATH=1" in script.read_text()
    assert re.search(r"check \| start \| return \| cancel\) shift; exec sudo /usr/lib/bentevi/update", (OVERLAY / "usr/bin/bentevi").read_text())
