"""Boxes and the OVA, made without the programs that read them: `python -m os_image.ova [--box] DISK.qcow2 OUT`.

An OVA is a tar of OVF, manifest and a streamOptimized VMDK; a VirtualBox box holds the same with a Vagrantfile; a libvirt box is
the qcow2 with two small files. No image holds a key or a password: a box gets in by the credential its Vagrantfile hands over.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

MEMORY_MB, PROCESSORS = 2048, 2

OVF = """<?xml version="1.0" encoding="UTF-8"?>
<Envelope ovf:version="1.0" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
<References><File ovf:href="{vmdk}" ovf:id="file1" ovf:size="{size}"/></References>
<DiskSection><Info>Disks</Info>
<Disk ovf:capacity="{capacity}" ovf:diskId="disk1" ovf:fileRef="file1"
  ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/></DiskSection>
<NetworkSection><Info>Networks</Info><Network ovf:name="bridged"><Description>The company's network</Description></Network></NetworkSection>
<VirtualSystem ovf:id="bentevi"><Info>Bentevi {version}</Info><Name>Bentevi</Name>
<OperatingSystemSection ovf:id="96"><Info>Debian, 64 bits</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>Hardware</Info>
<System><vssd:ElementName>Hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
<vssd:VirtualSystemIdentifier>bentevi</vssd:VirtualSystemIdentifier>
<vssd:VirtualSystemType>vmx-13 virtualbox-2.2</vssd:VirtualSystemType></System>
{items}</VirtualHardwareSection></VirtualSystem></Envelope>
"""


def hardware() -> str:
    """Processors, memory, disk on SATA, one network port. Elements stand in the order of the alphabet, as the schema wants it."""
    return (f"<Item><rasd:ElementName>processors</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>"
            f"<rasd:VirtualQuantity>{PROCESSORS}</rasd:VirtualQuantity></Item>\n"
            f"<Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName><rasd:InstanceID>2</rasd:InstanceID>"
            f"<rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>{MEMORY_MB}</rasd:VirtualQuantity></Item>\n"
            "<Item><rasd:Address>0</rasd:Address><rasd:ElementName>sata</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>"
            "<rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>\n"
            "<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk</rasd:ElementName><rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>"
            "<rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>\n"
            "<Item><rasd:AutomaticAllocation>true</rasd:AutomaticAllocation><rasd:Connection>bridged</rasd:Connection><rasd:ElementName>network</rasd:ElementName>"
            "<rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>\n")  # fmt: skip


def ovf(vmdk: Path, capacity: int, version: str) -> str:
    """The description of the machine."""
    return OVF.format(vmdk=vmdk.name, size=vmdk.stat().st_size, capacity=capacity, version=version, items=hardware())


def vmdk_of(disk: Path, out: Path) -> Path:
    """The disk as VirtualBox and VMware import it."""
    file = out / f"{disk.stem}-disk1.vmdk"
    subprocess.run(["qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized,adapter_type=lsilogic", disk, file], check=True)
    return file


def capacity_of(disk: Path) -> int:
    """Bytes the machine sees."""
    said = subprocess.run(["qemu-img", "info", "--output=json", disk], capture_output=True, check=True).stdout
    return int(json.loads(said)["virtual-size"])


def pack(target: Path, files: list[tuple[Path, str]]) -> None:
    """A tar in this order (the OVF first, as its readers demand), whole or not there."""
    draft = target.with_suffix(".new")
    with tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as tar:
        for file, name in files:
            facts = tar.gettarinfo(file, name)
            facts.uid = facts.gid = 0
            facts.uname = facts.gname = "root"
            with file.open("rb") as content:
                tar.addfile(facts, content)
    draft.rename(target)


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def make_ova(disk: Path, out: Path) -> None:
    """NAME.ova."""
    vmdk = vmdk_of(disk, out)
    description, manifest = out / f"{disk.stem}.ovf", out / f"{disk.stem}.mf"
    description.write_text(ovf(vmdk, capacity_of(disk), disk.stem.removeprefix("bentevi-")))
    manifest.write_text("".join(f"SHA256({file.name})= {digest(file)}\n" for file in (description, vmdk)))
    pack(out / f"{disk.stem}.ova", [(file, file.name) for file in (description, manifest, vmdk)])
    for file in (description, manifest, vmdk):
        file.unlink()


def make_boxes(disk: Path, out: Path) -> None:
    """NAME-libvirt.box and NAME-virtualbox.box."""
    vmdk, capacity = vmdk_of(disk, out), capacity_of(disk)
    description, facts, inner = out / "box.ovf", out / "metadata.json", out / "Vagrantfile"
    inner.write_text('Vagrant.configure("2") do |config|\n  config.ssh.username = "admin"\n  config.vm.base_mac = "080027BE27E7"\n'
                     '  config.vm.synced_folder ".", "/vagrant", disabled: true\nend\n')
    description.write_text(ovf(vmdk, capacity, disk.stem.removeprefix("bentevi-")))
    facts.write_text('{"provider": "virtualbox"}\n')
    pack(out / f"{disk.stem}-virtualbox.box", [(facts, facts.name), (inner, inner.name), (description, description.name), (vmdk, vmdk.name)])
    facts.write_text(json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": capacity >> 30}) + "\n")
    pack(out / f"{disk.stem}-libvirt.box", [(facts, facts.name), (inner, inner.name), (disk, "box.img")])
    for file in (description, facts, inner, vmdk):
        file.unlink()


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--box"]
    (make_boxes if "--box" in sys.argv else make_ova)(Path(words[0]), Path(words[1]))
