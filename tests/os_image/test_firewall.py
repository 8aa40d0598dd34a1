"""USR-36, SYS-08: the file that the product writes and root reads: nothing in it is believed, and nft takes what is made of it."""

import os
import re
import subprocess

import pytest

from appliance import closed, networks
from appliance.settings import CHECKOUT
from os_image.firstboot import firewall

RULES = CHECKOUT / "os_image/overlay/etc/nftables.conf"
HOSTILE = [
    "whole 192.0.2.0/24; flush ruleset", "whole 192.0.2.0/24 }\nadd rule inet bentevi input accept", "whole $(reboot)", "whole `id`", "sip 0.0.0.0/0", "whole ::/0",
    "whole 127.0.0.0/8", "whole 127.0.0.1", "whole 0.0.0.0/1", "whole ::1", "sip 192.0.2.1/33", "sip 192.0.2.1/8", "sip 999.1.1.1", "sip 192.0.2", "WHOLE 192.0.2.1", "drop 192.0.2.1",
    " whole 192.0.2.1", "whole  192.0.2.1", "whole 192.0.2.1 ", "whole 192.0.2.1\r", "whole 192.0.2.1\0", "whole ١٩٢.0.2.1", "whole fe80::1%eth0", "include \"/etc/shadow\"", "whole @blocked", "#",
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE)
def test_a_line_that_is_not_exactly_one_of_the_few_is_left_out(line):
    """SYS-08: also addresses of the machine itself, and every address at once."""
    held, wrong = firewall.addresses(line)
    assert [network for networks_ in held.values() for network in networks_] in ([], [networks.read("192.0.2.0/24")]) and wrong
    if held["whole"]:  # one good line, and one that is none behind it
        assert "\n" in line and wrong == 1


def test_what_the_product_writes_is_what_the_firewall_holds():
    """SYS-08, USR-36: both ends agree about the file; bans close SIP only."""
    text = closed.text_of({closed.WHOLE: [networks.read("192.0.2.0/24"), networks.read("2001:db8::/32")], closed.SIP: [networks.read("198.51.100.7")],
                           closed.PAGES: [networks.read("198.51.100.9")]})
    held, wrong = firewall.addresses(text)
    assert not wrong
    said = firewall.script(held, firewall.ports("sip 5070\nvoice 12000-12999\n"))
    assert "add element inet bentevi blocked { 192.0.2.0/24 }" in said and "add element inet bentevi blocked6 { 2001:db8::/32 }" in said
    assert "add element inet bentevi banned { 198.51.100.7/32 }" in said and "198.51.100.9" not in said
    assert "add element inet bentevi sip_ports { 5070 }" in said and "add element inet bentevi voice_ports { 12000-12999 }" in said


def test_ports_that_make_no_sense_are_those_of_the_image():
    """SYS-07: never one below 1024, never a range that is none."""
    for text in ("", "sip 22", "sip 5060-5061", "sip 70000", "voice 20000-10000", "voice 12000", "sip 5060; accept", "sip -1", "sip 5060\0"):
        assert firewall.ports(text) == firewall.DEFAULTS, text
    assert firewall.ports("sip 5070") == firewall.DEFAULTS | {"sip": [(5070, 5070)]}


def test_ports_on_their_way_are_all_open_and_never_overlap():
    """SYS-07: before Asterisk starts with the new ones, and while calls have the old; nft refuses sets that overlap."""
    said = firewall.script({"whole": [], "sip": []}, firewall.ports("sip 5060\nvoice 10000-20000\nsip 5070\nvoice 15000-25000\nvoice 30000-30100\nsip 5061\n"))
    assert "sip_ports { 5060-5061, 5070 }" in said and "voice_ports { 10000-25000, 30000-30100 }" in said


def test_links_pipes_folders_and_huge_files_are_not_read(tmp_path):
    """The home belongs to another user than root."""
    secret = tmp_path / "shadow"
    secret.write_text("whole 192.0.2.1\n")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"whole 192.0.2.1\n" * 100_000)
    assert [firewall.text_of(tmp_path / name) for name in ("link", "pipe", "huge", "nothing", ".")] == [""] * 5
    assert firewall.text_of(secret)


def test_only_numbers_and_addresses_reach_nft():
    """Whatever the file says."""
    held, _wrong = firewall.addresses("\n".join([*HOSTILE, "whole 192.0.2.0/24", "sip 2001:db8::7"]))
    for line in firewall.script(held, firewall.ports("sip 5070; accept")).splitlines():
        assert re.fullmatch(r"(flush set inet bentevi [a-z6_]+|add element inet bentevi [a-z6_]+ \{ [0-9a-f.:/, -]+ \})", line), line


def test_nft_takes_the_rules_of_the_image_and_sets_made_of_thousands_of_addresses(tmp_path):
    """SYS-16: checked by nft itself, in a network of its own."""
    lines = [f"sip 203.0.{number // 256}.{number % 256}" for number in range(0, 4000, 2)] + ["whole 192.0.2.0/24", "whole 2001:db8::/32"]
    held, wrong = firewall.addresses("\n".join(lines))
    assert not wrong
    both = tmp_path / "both.nft"
    both.write_text(RULES.read_text() + firewall.script(held, firewall.ports("sip 5070")))
    run = subprocess.run(["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-n", "/usr/sbin/nft", "-c", "-f", str(both)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_its_unit_may_set_the_firewall_and_read_and_nothing_else():
    """SYS-16: root without the rest of its powers."""
    text = (CHECKOUT / "os_image/overlay/etc/systemd/system/appliance-firewall.service").read_text()
    assert re.search(r"^CapabilityBoundingSet=CAP_NET_ADMIN CAP_DAC_READ_SEARCH$", text, re.M) and "ProtectSystem=strict" in text and "NoNewPrivileges=yes" in text
    assert "appliance-firewall.path" in (CHECKOUT / "os_image/customize.sh").read_text()
