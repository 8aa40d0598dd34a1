"""SYS-16, SYS-10: the first start makes the machine's name, keys and administrator; another root partition makes the same machine."""

import os
import stat
from pathlib import Path

import pytest

from os_image.firstboot import banner, machine, network
from os_image.installer.answers import Answers

HASH = "$6$bentevi.prova$xlLutr9hy.0vfkerrlMxzeX3BzkVBOzHX4jb257kZ1Z8FT0sRY7oj1I6hjobO129Hao5fUrCYKUXe4NBrGIm./"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data partition and a root partition, both fresh."""
    monkeypatch.setattr(machine, "KEPT", tmp_path / "machine")
    monkeypatch.setattr(machine, "ROOT", tmp_path / "root")
    for folder in ("machine/ssh", "machine/network", "root/etc/systemd/network"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "root/etc/shadow").write_text("root:!*:1::::::\nadmin:!:1::::::\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    return tmp_path


def test_the_answers_become_files_and_are_gone_afterwards(place):
    file = place / "machine/answers.conf"
    file.write_text(f"BENTEVI_HOSTNAME=padaria\nBENTEVI_PASSHASH={HASH}\nBENTEVI_IP=10.0.0.2/24\nBENTEVI_GW=10.0.0.1\nBENTEVI_DNS=10.0.0.1\n")
    machine.take_in(machine.told())
    kept = place / "machine"
    assert (kept / "hostname").read_text() == "padaria\n" and (kept / "timezone").read_text() == "America/Sao_Paulo\n"
    assert stat.S_IMODE((kept / "admin.hash").stat().st_mode) == 0o600
    assert "Address=10.0.0.2/24\nGateway=10.0.0.1\nDNS=10.0.0.1\n" in (kept / "network/10-bentevi.network").read_text()
    assert (kept / "first-start.done").exists() and not file.exists()


def test_the_installers_answers_come_before_those_of_the_hypervisor(place):
    (place / "credentials").mkdir()
    (place / "credentials/bentevi.install").write_text("BENTEVI_HOSTNAME=vm\n")
    assert machine.told().hostname == "vm"
    (place / "machine/answers.conf").write_text("BENTEVI_HOSTNAME=disco\n")
    assert machine.told().hostname == "disco"


def test_wrong_answers_are_said_and_the_machine_starts_all_the_same(place, capsys):
    (place / "machine/answers.conf").write_text("BENTEVI_HOSTNAME=$(reboot)\n")
    assert machine.told() == Answers()
    assert "not taken" in capsys.readouterr().out


def test_without_answers_the_machine_has_a_name_and_no_password(place):
    machine.take_in(Answers())
    assert (place / "machine/hostname").read_text() == "bentevi\n"
    assert not (place / "machine/admin.hash").exists()


def test_a_password_in_force_is_kept_for_the_other_root_partition(place):
    (place / "root/etc/shadow").write_text(f"root:!*:1::::::\nadmin:{HASH}:1::::::\n")
    machine.administrator()
    assert (place / "machine/admin.hash").read_text() == f"{HASH}\n"


def test_a_host_key_is_made_once_and_again_when_power_failed_halfway(place):
    file = place / "machine/ssh/ssh_host_ed25519_key"
    machine.host_key(file)
    first = file.read_text()
    machine.host_key(file)
    assert file.read_text() == first and stat.S_IMODE(file.stat().st_mode) == 0o600
    file.with_name(f"{file.name}.pub").unlink()
    machine.host_key(file)
    assert file.read_text() != first and file.with_name(f"{file.name}.pub").exists()


def test_a_file_is_the_old_one_or_the_whole_new_one_and_is_left_alone_when_equal(place):
    file = place / "machine/hostname"
    machine.write(file, "a\n")
    before = file.stat()
    machine.write(file, "a\n")
    assert file.stat().st_mtime_ns == before.st_mtime_ns and file.stat().st_ino == before.st_ino
    assert os.listdir(place / "machine").count("hostname.new") == 0


def test_the_console_shows_version_fingerprint_and_the_code_of_the_first_visit_until_it_was_used():
    """SYS-16, SYS-10: the code is the generated first password: it must be changed at the first login, and nothing keeps it then."""
    shown = banner.text('ID=debian\nIMAGE_VERSION=0.1.0\n', "AB:" * 31 + "CD", "Xy7@abcd")
    assert "Versao:     0.1.0" in shown and "codigo Xy7@abcd" in shown and shown.count("AB:") == 31
    assert "PRIMEIRA" not in banner.text("", "", "")
    assert shown.isascii()


@pytest.mark.parametrize("words", [[], ["fixed"], ["fixed", "10.0.0.2"], ["fixed", "10.0.0.2", "10.0.0.1"], ["fixed", "10.0.0.2/24", "x"], ["fixed", "10.0.0.2/24", "10.0.0.1", "x"]])
def test_an_address_that_makes_no_sense_is_refused(words):
    with pytest.raises(ValueError):
        network.wanted(words)


@pytest.mark.parametrize("stays", [True, False])
def test_a_change_of_the_network_that_nobody_confirms_goes_back(place, monkeypatch, stays):
    monkeypatch.setattr(network, "confirmed", lambda: stays)
    monkeypatch.setattr(network.subprocess, "run", lambda *_words, **_more: None)
    monkeypatch.setattr(network.signal, "signal", lambda *_words: None)
    file, kept = place / "root/etc/systemd/network" / network.NAME, place / "machine/network" / network.NAME
    file.write_text("old")
    assert network.change(network.wanted(["fixed", "10.0.0.2/24", "10.0.0.1"])) is stays
    assert ("10.0.0.2/24" in file.read_text()) is stays and kept.exists() is stays
    assert network.change(network.wanted(["dhcp"])) is stays
    assert file.exists() is not stays and not kept.exists()


def test_a_dry_run_shows_the_file_of_the_network_and_changes_nothing(place, monkeypatch, capsys):
    """SYS-19."""
    monkeypatch.setattr(network.subprocess, "run", lambda *_words, **_more: pytest.fail("something was run"))
    assert network.main(["--dry-run", "fixed", "10.0.0.2/24", "10.0.0.1"]) == 0
    said = capsys.readouterr().out
    assert "Address=10.0.0.2/24" in said and "Nada mudou." in said
    assert network.main(["--dry-run", "dhcp"]) == 0 and network.main(["--dry-run", "fixed", "x"]) == 2
    assert not list((place / "root/etc/systemd/network").iterdir()) and not list((place / "machine/network").iterdir())
