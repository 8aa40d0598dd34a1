"""The image in other wrappings: what is in the OVA and the boxes starts, and Packer's last step makes a machine that is nobody's yet."""

import base64
import json
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as xml
from pathlib import Path

from os_image.checks import smoke
from os_image.checks.qemu import Failed, Machine
from os_image.ova import digest

PACKER = Path(__file__).parents[1] / "packer"
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"


def unpacked(archive: Path, folder: Path) -> list[str]:
    """The names in a tar, in their order; its files lie in `folder` afterwards."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        return tar.getnames()


def ova(archive: Path, folder: Path) -> Path:
    """The disk of an OVA whose description, digests and order are right, as qcow2 that grows by what is written."""
    names = unpacked(archive, folder)
    if [Path(name).suffix for name in names] != [".ovf", ".mf", ".vmdk"]:
        raise Failed(f"ova: holds {names}")
    for line in (folder / names[1]).read_text().splitlines():
        name, _equal, said = line.removeprefix("SHA256(").partition(")= ")
        if digest(folder / name) != said:
            raise Failed(f"ova: {name} is not what the manifest says")
    described = xml.parse(folder / names[0]).getroot()
    file, disk = described.find(f"{OVF}References/{OVF}File"), described.find(f"{OVF}DiskSection/{OVF}Disk")
    assert file is not None and disk is not None
    vmdk = folder / names[2]
    info = json.loads(subprocess.run(["qemu-img", "info", "--output=json", vmdk], capture_output=True, check=True).stdout)
    if (file.get(f"{OVF}href"), disk.get(f"{OVF}capacity")) != (vmdk.name, str(info["virtual-size"])):
        raise Failed(f"ova: the description does not fit the disk: {file.attrib} {disk.attrib} {info['virtual-size']}")
    return layer(vmdk, "vmdk", folder / "ova.qcow2")


def box(archive: Path, folder: Path, key: Path) -> Path:
    """The disk of a libvirt box that Vagrant takes, with the Vagrantfile of this project found good."""
    install("vagrant")
    (folder / ".ssh").mkdir(exist_ok=True)
    shutil.copy(key, folder / ".ssh/id_ed25519")  # the one the Vagrantfile logs in with
    home = {"VAGRANT_HOME": str(folder / "vagrant"), "HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    checkout = Path(__file__).parents[2]
    for words in (["vagrant", "validate", "--ignore-provider"], ["vagrant", "box", "add", "--name", "bentevi/appliance", str(archive)]):
        run = subprocess.run(words, env=home, cwd=checkout, capture_output=True, text=True, check=False)
        if run.returncode:
            raise Failed(f"box: {' '.join(words)}: {run.stdout[-1000:]}{run.stderr[-1000:]}")
    (disk,) = (folder / "vagrant/boxes").rglob("box.img")
    return layer(disk, "qcow2", folder / "box.qcow2")


def install(package: str) -> None:
    """A program of Debian that only this part needs."""
    subprocess.run([Path(__file__).parents[2] / "setup/packages.sh", package], check=True)


def layer(disk: Path, kind: str, target: Path) -> Path:
    """A disk that begins as another one, which stays as it is."""
    target.unlink(missing_ok=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", str(disk), str(target), "24G"], check=True)
    return target


def packer(image: Path, folder: Path, key: Path, answers: str) -> Path:
    """What `packer build` leaves: provisioned, sealed, with its checksum."""
    install("packer")
    out = folder / "packer"
    credential = base64.b64encode(answers.encode()).decode()
    variables = {"image": image, "output": out, "accelerator": "tcg", "ssh_key": key, "credential": credential, "password": smoke.PASSWORD}
    words = [word for name, value in variables.items() for word in ("-var", f"{name}={value}")]
    for command in (["validate"], ["build", "-force"]):
        run = subprocess.run(["packer", *command, *words, "bentevi.pkr.hcl"], cwd=PACKER, capture_output=True, text=True, check=False)
        (folder / "packer.log").write_text(run.stdout + run.stderr)
        if run.returncode:
            raise Failed(f"packer {command[0]}: {run.stdout[-2000:]}{run.stderr[-1000:]}")
    told = next(out.glob("bentevi.sha256")).read_text().split()[0]
    if told != digest(out / "bentevi.qcow2"):
        raise Failed("packer: the checksum is not that of the disk")
    return out / "bentevi.qcow2"


def starts(folder: Path, key: Path, disk: Path, name: str, answers: str, machine_name: str) -> dict[str, float]:
    """One start as a first one, looked at from outside and inside."""
    with Machine(folder, name, answers=answers).disk(disk, bus="sata" if name == "ova" else "virtio") as machine:
        figures = smoke.up(machine, key)
        smoke.look(machine, key, machine_name)
        machine.picture("console")
    return figures
