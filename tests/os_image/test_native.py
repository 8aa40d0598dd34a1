"""A disk's system started natively is asked like an emulated machine; what only a machine has is refused in words."""

from pathlib import Path

from click.testing import CliRunner

from appliance.cli import bentevi
from os_image.checks import native


def test_what_the_system_is_told_lies_in_its_credentials_with_the_address_of_its_cable(tmp_path: Path) -> None:
    machine = native.Native(tmp_path, "one", answers="BENTEVI_HOSTNAME=pabx\n").disk(tmp_path / "disk.raw")
    words = machine.words()
    told = (tmp_path / "one.told/bentevi.install").read_text()
    assert told.splitlines() == ["BENTEVI_HOSTNAME=pabx", f"BENTEVI_IP={native.THERE}/24", f"BENTEVI_GW={native.HERE}"]
    assert "-no-reboot" in words and str(tmp_path / "disk.raw") in words and (machine.address, machine.ssh_port) == (native.THERE, 22)


def test_an_address_it_is_given_stays_and_one_that_restarts_is_started_again(tmp_path: Path) -> None:
    machine = native.Native(tmp_path, "two", answers="BENTEVI_IP=10.77.0.2/24\n", restarts=True).disk(tmp_path / "disk.raw")
    assert "-no-reboot" not in machine.words()
    assert (tmp_path / "two.told/bentevi.install").read_text() == "BENTEVI_IP=10.77.0.2/24\n"


def test_nothing_is_told_to_a_second_start(tmp_path: Path) -> None:
    native.Native(tmp_path, "three", answers="BENTEVI_HOSTNAME=pabx\n").disk(tmp_path / "disk.raw").words()
    native.Native(tmp_path, "three").disk(tmp_path / "disk.raw").words()
    assert not list((tmp_path / "three.told").iterdir())


def test_the_parts_that_need_firmware_or_the_medium_are_named_and_refused() -> None:
    said = CliRunner().invoke(bentevi, ["image", "test", "--native", "iso", "keep", "calls"])
    assert said.exit_code == 2 and "iso, keep" in said.stderr and "calls" in said.stderr
