"""SYS-16: answers given in advance are read by an allow-list and never run; a stick from a stranger is hostile until proved otherwise."""

from pathlib import Path

import pytest

from os_image.installer import answers
from os_image.installer.answers import Wrong

HASH = "$6$bentevi.prova$xlLutr9hy.0vfkerrlMxzeX3BzkVBOzHX4jb257kZ1Z8FT0sRY7oj1I6hjobO129Hao5fUrCYKUXe4NBrGIm./"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx0aGlzaXNub3RhcmVhbGtleWF0YWxsISEhISE= ana@padaria"


def test_every_answer_is_read_and_only_what_the_machine_needs_goes_on_to_its_first_start():
    """SYS-16: the installation may be asked, or told everything in advance."""
    found = answers.read(f"""
        # padaria
        BENTEVI_TARGET=/dev/disk/by-id/nvme-X_1
        BENTEVI_HOSTNAME='padaria'
        BENTEVI_TZ="America/Sao_Paulo"
        BENTEVI_PASSHASH={HASH}
        BENTEVI_SSHKEY={KEY}
        BENTEVI_IP=192.168.0.10/24
        BENTEVI_GW=192.168.0.1
        BENTEVI_DNS=192.168.0.1, 1.1.1.1
        BENTEVI_AFTER=poweroff
    """)
    assert (found.target, found.hostname, found.dns, found.after) == ("/dev/disk/by-id/nvme-X_1", "padaria", "192.168.0.1 1.1.1.1", "poweroff")
    again = answers.read(found.text())
    assert (again.hostname, again.passhash, again.sshkey, again.ip, again.target, again.after) == (
        "padaria", HASH, KEY, "192.168.0.10/24", "", "")


@pytest.mark.parametrize("line", [
    "rm -rf /", "PATH=/tmp", "export BENTEVI_HOSTNAME=a", "BENTEVI_HOSTNAME=$(reboot)", "BENTEVI_HOSTNAME=`id`", "BENTEVI_HOSTNAME=a;reboot",
    "BENTEVI_HOSTNAME=A", "BENTEVI_HOSTNAME=-a", "BENTEVI_HOSTNAME=" + "a" * 64, "BENTEVI_HOSTNAME=caf\u00e9", "BENTEVI_HOSTNAME=",
    "BENTEVI_TARGET=/etc/passwd", "BENTEVI_TARGET=/dev/../etc/shadow", "BENTEVI_TZ=../../etc/shadow", "BENTEVI_TZ=Nowhere/Land",
    "BENTEVI_PASSHASH=secret", "BENTEVI_PASSHASH=$6$a:0:0:root", "BENTEVI_SSHKEY=command=\"sh\" ssh-ed25519 AAAA", "BENTEVI_IP=192.168.0.10",
    "BENTEVI_IP=192.168.0.0/24", "BENTEVI_IP=300.1.1.1/24", "BENTEVI_DNS=1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4", "BENTEVI_AFTER=halt",
    "BENTEVI_GW=192.168.0.1", "BENTEVI_KEEP_DATA=maybe", "BENTEVI_HOSTNAME=a\nBENTEVI_HOSTNAME=b", "BENTEVI_HOSTNAME=a\x00b",
])  # fmt: skip
def test_anything_else_is_refused_and_named(line):
    """SYS-16: nothing of it is run."""
    with pytest.raises(Wrong):
        answers.read(line)


def test_the_line_is_named_without_repeating_a_secret():
    with pytest.raises(Wrong) as why:
        answers.read("BENTEVI_HOSTNAME=a\nBENTEVI_PASSHASH=minhasenha\n")
    assert "line 2: BENTEVI_PASSHASH" in str(why.value) and "minhasenha" not in str(why.value)


def test_a_file_that_is_no_text_or_too_long_is_refused(tmp_path: Path):
    file = tmp_path / "answers.conf"
    for content in (b"\xff\xfe", b"# " + b"x" * answers.LARGEST_BYTES):
        file.write_bytes(content)
        with pytest.raises(Wrong):
            answers.read_file(file)
