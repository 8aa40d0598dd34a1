"""SYS-16: what goes onto the appliance: every process is a unit with a user and limits, only named ports open, no secret, no default password."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

from appliance import settings
from appliance.processes import PROCESSES
from appliance.settings import CHECKOUT

IMAGE = CHECKOUT / "os_image"
OVERLAY = IMAGE / "overlay"
UNITS = OVERLAY / "etc/systemd/system"
SCRIPTS = [path for path in [*IMAGE.rglob("*"), *(CHECKOUT / "setup").glob("*.sh")]
           if path.is_file() and path.suffix not in (".py", ".pyc") and path.read_bytes()[:2] == b"#!" and b"sh" in path.read_bytes().split(b"\n")[0]]


def unit(path: Path) -> configparser.ConfigParser:
    """A unit; of several lines with one name the last counts here."""
    found = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    found.optionxform = str
    found.read_string(path.read_text())
    return found


def services() -> list[str]:
    return sorted(path.name for path in UNITS.glob("*.service"))


def names_of_units() -> set[str]:
    return {process.unit or process.name for process in PROCESSES}


def test_every_process_of_the_product_is_a_unit_that_runs_its_own_command_line_or_is_forked_by_one():
    """SYS-16."""
    for process in PROCESSES:
        words = f"several {process.unit}" if process.unit else f"run {process.name}"
        start = unit(UNITS / f"bentevi-{process.unit or process.name}.service")["Service"]["ExecStart"]
        assert re.search(rf"/opt/bentevi/venv/bin/python -m appliance\.units {words}( |$)", start), process.name
    assert {f"bentevi-{name}.service" for name in names_of_units()} | {"bentevi-first-start.service"} == {
        name for name in services() if name.startswith("bentevi-")}


def test_the_target_starts_every_one_of_them():
    wanted = " ".join(re.findall(r"^Wants=(.*)$", (UNITS / "bentevi.target").read_text(), re.M)).split()
    assert set(wanted) == {f"bentevi-{name}.service" for name in names_of_units()} | {"appliance-watch.service"}


@pytest.mark.parametrize("name", sorted(names_of_units()))
def test_no_unit_is_root_and_each_has_a_limit_of_memory_and_no_privilege(name):
    service = unit(UNITS / f"bentevi-{name}.service")["Service"]
    assert service["User"] == ("bentevi-redis" if name == "redis" else "bentevi")
    assert re.fullmatch(r"\d+M", service["MemoryMax"]) and service["TasksMax"].isdigit()
    assert service["Restart"] == "always"
    sandbox = unit(UNITS / "bentevi-.service.d/10-sandbox.conf")["Service"]
    assert sandbox["CapabilityBoundingSet"] == "" and sandbox["NoNewPrivileges"] == "yes" and sandbox["ProtectSystem"] == "strict"


def test_what_a_unit_forks_has_a_limit_of_its_own_and_one_that_takes_too_much_does_not_end_the_others():
    """SYS-16: the supervisor writes the limits into control groups that systemd gives it."""
    for name in {process.unit for process in PROCESSES if process.unit}:
        service = unit(UNITS / f"bentevi-{name}.service")["Service"]
        assert service["Delegate"] == "memory pids" and service["DelegateSubgroup"] == "supervisor" and service["OOMPolicy"] == "continue"
        limits = [process.memory_mb for process in PROCESSES if process.unit == name]
        assert all(0 < one < int(service["MemoryMax"][:-1]) for one in limits)
        assert unit(UNITS / f"bentevi-{name}.service.d/20-several.conf")["Service"]["ProtectControlGroups"] == "no"
    patience = int(unit(UNITS / "bentevi-program.service.d/20-several.conf")["Service"]["TimeoutStopSec"])
    assert patience > max(process.stop_seconds for process in PROCESSES)


def test_what_faces_strangers_makes_no_namespaces_and_shares_its_memory_with_nothing_inside():
    """SYS-16: pages and streams are one unit, whatever only the machine itself talks to another."""
    assert {process.name for process in PROCESSES if process.unit == "pages"} == {"web", "live"}
    text = (UNITS / "bentevi-pages.service.d/20-several.conf").read_text() + (UNITS / "bentevi-pages.service").read_text()
    assert "Namespaces" not in text and "PrivateUsers" not in text and "/media" not in text


def test_exceptions_from_the_common_limits_are_few_and_say_why():
    found = {path.parent.name: path.read_text() for path in UNITS.glob("bentevi-*.service.d/*.conf") if path.parent.name != "bentevi-.service.d"}
    assert set(found) == {f"bentevi-{name}.service.d" for name in ("asterisk", "pages", "program", "first-start")}
    assert all(text.startswith("# ") for text in found.values())


def test_programs_that_face_the_network_see_neither_rows_nor_keys():
    for name in ("asterisk", "nginx"):
        service = unit(UNITS / f"bentevi-{name}.service")["Service"]
        assert service["TemporaryFileSystem"].startswith("/var/lib/bentevi:")
        seen = f"{service['BindPaths']} {service['BindReadOnlyPaths']}".split()
        assert not [path for path in seen if "sqlite" in path or path.rstrip("/").endswith(("secrets", "/var/lib/bentevi"))]


def test_only_documented_ports_are_open():
    """SYS-16: the rules, the page about the image and the environment name the same ports."""
    rules = (OVERLAY / "etc/nftables.conf").read_text()
    assert rules.count("policy drop") == 2
    ports = set(re.findall(r"(?:dport|elements =) (?:\{ )?([\d, -]*\d)", rules))
    assert {port.strip() for group in ports for port in group.split(",")} == {"22", "80", "443", "5060", "10000-20000", "68", "546"}
    page = (CHECKOUT / "docs/os-image.md").read_text()
    for port in ("22", "80", "443", "5060", "10000-20000"):
        assert f"| {port}" in page
    told = settings.load(environment())
    assert (told.http_port, told.https_port, told.sip_port, told.rtp_start, told.rtp_end) == (80, 443, 5060, 10000, 20000)


def environment() -> dict[str, str]:
    lines = (OVERLAY / "usr/lib/bentevi/environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_units_home_is_that_of_the_design_and_systemd_is_its_supervisor():
    told = environment()
    assert told["BENTEVI_HOME"] == "/var/lib/bentevi" and told["BENTEVI_UNITS"] == "yes"
    assert told["BENTEVI_REDIS_URL"].removeprefix("unix://").startswith("/var/lib/bentevi-redis/")


def test_ssh_lets_in_the_administrator_only():
    said = dict(line.split(" ", 1) for line in (OVERLAY / "etc/ssh/sshd_config.d/10-bentevi.conf").read_text().splitlines() if line and line[0] != "#")
    assert said["AllowUsers"] == "admin" and said["PermitRootLogin"] == "no" and said["PermitEmptyPasswords"] == "no"
    assert said["AllowTcpForwarding"] == said["X11Forwarding"] == "no"


def test_without_a_password_sudo_allows_commands_written_out_and_nothing_else():
    lines = [line for line in (OVERLAY / "etc/sudoers.d/50-bentevi").read_text().splitlines() if "NOPASSWD" in line]
    assert lines and not [line for line in lines if "*" in line or line.rstrip().endswith("ALL")]
    named = {word for line in lines for word in re.findall(r"restart (bentevi-\S+)\.service", line)}
    assert named == {f"bentevi-{name}" for name in names_of_units()}


def test_nothing_secret_lies_in_what_is_shipped():
    """SYS-16."""
    for path in OVERLAY.rglob("*"):
        if path.is_file():
            text = path.read_text(errors="replace")
            assert not re.search(r"PRIVATE KEY|\$6\$|\$y\$|ssh-(rsa|ed25519) AAAA", text), path


def test_the_version_of_a_release_is_that_of_the_product():
    """SYS-10: one number; the image writes it where banner, menu and support read it."""
    release = dict(re.findall(r"^(\w+)=(.*)$", (IMAGE / "release.env").read_text(), re.M))
    assert f"version = {release['VERSION']}" in (CHECKOUT / "setup.cfg").read_text()


def test_the_menu_offers_plain_commands_that_exist():
    shown = subprocess.run(["bash", OVERLAY / "usr/bin/bentevi-menu", "--list"], capture_output=True, text=True, check=True).stdout
    lines = [line.split("|") for line in shown.splitlines()]
    assert len({words[0] for words in lines}) == len(lines) > 12 and all(len(words) == 3 and all(words) for words in lines)


def test_every_shell_script_is_well_formed():
    """Shellcheck's warnings and errors; what it only remarks on is taste."""
    words = ["shellcheck", "-x", "--severity=warning", "--exclude=SC2206,SC1091", *map(str, SCRIPTS)]
    run = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert len(SCRIPTS) > 10 and not run.returncode, run.stdout


def test_packages_are_named_once_and_no_compiler_is_among_them():
    names = [line for line in (IMAGE / "packages.list").read_text().splitlines() if line and not line.startswith("#")]
    assert len(names) == len(set(names)) and not {"gcc", "make", "build-essential", "python3-pip", "postgresql"} & set(names)


def test_a_data_partition_that_cannot_be_widened_is_mounted_all_the_same():
    """SYS-16: whatever becomes of widening it at a start, the machine comes up; resize2fs is asked only after a whole check, which it insists on."""
    grow = unit(UNITS / "appliance-grow.service")["Install"]
    assert grow["WantedBy"] == "data.mount" and "RequiredBy" not in grow
    script = (OVERLAY / "usr/lib/bentevi/grow").read_text()
    assert script.count('resize2fs "$part"') == 1 and script.index('e2fsck -f -p "$part"') < script.index('resize2fs "$part"')


@pytest.mark.parametrize(("words", "mounted"), [("root=LABEL=root-a ro quiet", True), ("boot=live systemd.unit=appliance-install.target", False)])
def test_the_data_partition_is_asked_for_everywhere_but_on_the_medium(tmp_path, words, mounted):
    """SYS-16: the installer waited ten minutes for a partition that it was to make."""
    folders = [tmp_path / name for name in ("normal", "early", "late")]
    for folder in folders:
        folder.mkdir()
    subprocess.run([OVERLAY / "usr/lib/systemd/system-generators/bentevi-mounts", *folders], env={"PATH": os.environ["PATH"], "SYSTEMD_PROC_CMDLINE": words}, check=True)
    units = {path.name for path in (OVERLAY / "usr/lib/bentevi/mounts").glob("*.mount")}
    assert len(units) == 4 and not list(UNITS.glob("*.mount")), "systemd may not know them on the medium"
    for folder in (folders[0], folders[0] / "local-fs.target.requires"):
        assert {path.name for path in folder.glob("*.mount")} == (units if mounted else set())
