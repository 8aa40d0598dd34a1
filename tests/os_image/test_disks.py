"""SYS-16: the installer offers whole, writable, large disks, never the medium it runs from nor a stick written with it."""

import pytest

from os_image import layout
from os_image.installer import disks
from os_image.installer.answers import Wrong
from os_image.installer.disks import chosen, partition, suitable

GB = 1_000_000_000


def device(name: str, gigabytes: float = 240, **more) -> dict:
    found = {"name": name, "path": f"/dev/{name}", "type": "disk", "size": int(gigabytes * GB), "ro": False, "rm": False, "model": f"DISK_{name}",
             "serial": f"S-{name}", "tran": "sata", "label": None, "partlabel": None, "mountpoints": [None]}
    return found | more


def paths(*devices: dict) -> list[str]:
    return [disk.path for disk in suitable(devices)]


def test_a_disk_is_shown_by_what_is_printed_on_it():
    assert suitable([device("sda")])[0].title == "DISK sda, 240 GB, sata, nº S-sda"


@pytest.mark.parametrize("wrong", [
    device("sdb", 8), device("sr0", type="rom"), device("sdb", ro=True), device("loop0", type="loop"), device("zram0"),
    device("sdb", mountpoints=["/run/live/medium"]),                                                                     # the medium, started as a whole
    device("sdb", children=[device("sdb1", type="part", mountpoints=["/run/live/medium"])]),                             # the medium, by a partition
    device("sdb", children=[device("sdb1", type="part", label="BENTEVI")]),                                              # another stick with the ISO
    device("sdb", 64, children=[device("sdb1", type="part", label="BENTEVI-CFG")]),                                      # the stick with the answers
    device("sdb", children=[device("sdb1", type="part", children=[device("md0", type="raid1", mountpoints=["/mnt"])])]),  # in use underneath
])  # fmt: skip
def test_what_cannot_be_taken_is_not_offered(wrong):
    """SYS-16: least of all the medium."""
    assert paths(wrong, device("sda")) == ["/dev/sda"]


def test_without_a_choice_the_only_disk_is_taken_and_with_one_somebody_must_choose():
    one, two = suitable([device("sda")]), suitable([device("sda"), device("nvme0n1")])
    assert chosen(one, "auto").path == "/dev/sda" and chosen(one, "").path == "/dev/sda"
    with pytest.raises(Wrong):
        chosen(two, "auto")
    with pytest.raises(Wrong):
        chosen([], "auto")
    assert chosen(two, "/dev/nvme0n1").path == "/dev/nvme0n1"
    with pytest.raises(Wrong):
        chosen(two, "/dev/sdz")


def test_an_earlier_installation_is_known_by_its_data():
    old = device("sda", children=[device("sda3", type="part", label="bentevi-root-a"), device("sda5", type="part", label="bentevi-data")])
    assert suitable([old])[0].has_data and not suitable([device("sdb")])[0].has_data


def test_partitions_are_named_as_the_kernel_does():
    assert (partition("/dev/sda", 3), partition("/dev/nvme0n1", 3)) == ("/dev/sda3", "/dev/nvme0n1p3")


@pytest.mark.parametrize("gigabytes", [disks.SMALLEST_BYTES / GB, 16, 20, 32, 240, 8000])
def test_product_and_data_never_share_a_partition_and_nothing_overlaps(gigabytes):
    """SYS-16: the partition table, which cannot be changed in the field."""
    size = int(gigabytes * GB)
    table = layout.parts(size // layout.MIB, size >= disks.TWO_ROOTS_BYTES)
    assert [part.number for part in table] == ([1, 2, 3, 4, 5] if gigabytes >= 20 else [1, 2, 3, 5])
    for one, next_ in zip(table, table[1:], strict=False):
        assert one.start_mib + one.size_mib <= next_.start_mib
    assert table[-1].start_mib + table[-1].size_mib < size // layout.MIB


def test_a_disk_without_room_for_data_is_refused():
    with pytest.raises(ValueError, match="no room"):
        layout.parts(7000, two_roots=False)


def test_the_bios_starts_what_the_first_partition_holds(tmp_path):
    """Only code of the first sector is written: the partition table in it stays."""
    disk = tmp_path / "disk"
    table = bytes(range(64))
    disk.write_bytes(b"\0" * 0x1BE + table + b"\x55\xaa" + b"\0" * (4 * layout.MIB))
    layout.write_bios(disk, b"B" * 512, b"C" * 1000)
    written = disk.read_bytes()
    assert written[0x1BE:0x1FE] == table and written[0x1FE:0x200] == b"\x55\xaa"
    assert written[:0x5C] == b"B" * 0x5C and int.from_bytes(written[0x5C:0x64], "little") == layout.BIOS_LBA
    core = written[layout.BIOS_LBA * 512 :]
    assert core[:0x1F4] == b"C" * 0x1F4 and int.from_bytes(core[0x1F4:0x1FC], "little") == layout.BIOS_LBA + 1


def test_a_disk_without_a_table_gets_no_boot_loader(tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(b"\0" * 1024)
    with pytest.raises(ValueError, match="no partition table"):
        layout.write_bios(disk, b"B" * 512, b"C" * 1000)
