"""SYS-11: the file of an update: nothing is believed before its signature, nothing started before its hash."""

import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.settings import CHECKOUT
from appliance.updates import notes, package
from appliance.updates.words import WORDS, NotGood, told
from os_image import update as builder
from tests.updates.slots import KEY, make, public_key

KEYS = [KEY.public_key()]
HEAD = len(package.MAGIC) + package.SIGNATURE_BYTES + 4


def code_of(file, keys=KEYS, whole=True):
    """Why a file is refused; "" when it is taken."""
    try:
        with file.open("rb") as stream:
            found = package.read(stream, keys)
            if whole:
                package.copy(stream, found, None)
    except NotGood as why:
        return why.code
    return ""


def changed(file, change):
    data = bytearray(file.read_bytes())
    result = change(data)
    data = data if result is None else result
    other = file.with_name(f"other-{file.name}")
    other.write_bytes(data)
    return other


def test_a_good_file_gives_back_what_was_put_in(tmp_path):
    """SYS-11."""
    file = make(tmp_path / "bentevi-0.2.0.update", payload="x" * 3_000_000)
    with file.open("rb") as stream, (tmp_path / "copy").open("wb") as out:
        found = package.read(stream, KEYS)
        package.copy(stream, found, out)
    assert (found.version, found.commit, found.size_bytes, found.notes["pt_BR"]) == ("0.2.0", "abc", 3_000_000, ["Uma novidade."])
    assert found.offset_bytes % 4096 == 0 and file.read_bytes()[found.offset_bytes:] == b"x" * 3_000_000
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()


def test_two_files_of_one_payload_hold_the_same_bytes(tmp_path):
    """SYS-11: reproducible."""
    assert make(tmp_path / "1.update").read_bytes() == make(tmp_path / "2.update").read_bytes()


def test_every_changed_bit_of_head_and_description_is_a_forgery(tmp_path):
    """SYS-11: signature, length and description; also another key, and a signature of something else."""
    file = make(tmp_path / "1.update")
    for place in (len(package.MAGIC), len(package.MAGIC) + 63, HEAD - 1, HEAD, HEAD + 40):
        other = changed(file, lambda data, place=place: data.__setitem__(place, data[place] ^ 1))
        assert code_of(other, whole=False) in ("forged", "truncated"), place
    assert code_of(file, [Ed25519PrivateKey.generate().public_key()]) == "forged" and code_of(file, []) == "forged"
    text = b'{"product": "bentevi"}'
    bare = package.MAGIC + KEY.sign(text) + struct.pack(">I", len(text)) + text
    (tmp_path / "bare.update").write_bytes(bare)
    assert code_of(tmp_path / "bare.update") == "forged"


@pytest.mark.parametrize("size", [0, 5, len(package.MAGIC), HEAD - 1, HEAD, HEAD + 10, 4095, 4096, -1])
def test_a_file_that_is_cut_anywhere_is_told_so(tmp_path, size):
    """SYS-11."""
    file = changed(make(tmp_path / "1.update"), lambda data: data[:size])
    assert code_of(file) in (("not_update",) if 0 <= size < len(package.ANY_MAGIC) else ("truncated", "unknown_format"))


def test_what_is_longer_damaged_or_of_another_product_is_refused(tmp_path):
    """SYS-11: the payload's hash is compared before anything is started; a padding is not part of what counts."""
    file = make(tmp_path / "1.update")
    assert code_of(changed(file, lambda data: data + b"x")) == "too_long"
    damaged = changed(file, lambda data: data.__setitem__(-1, data[-1] ^ 1))
    assert code_of(damaged, whole=False) == "" and code_of(damaged) == "damaged"
    assert code_of(make(tmp_path / "2.update", product="other")) == "other_product"
    assert code_of(make(tmp_path / "3.update", format=2)) == "unknown_format"
    assert code_of(make(tmp_path / "4.update", version="../../etc")) == "unknown_format"
    assert code_of(changed(file, lambda data: data.replace(b"UPDATE 1", b"UPDATE 2", 1))) == "unknown_format"
    (tmp_path / "5.update").write_bytes(b"hsqs" + bytes(9000))
    assert code_of(tmp_path / "5.update") == "not_update"
    huge = changed(file, lambda data: data.__setitem__(slice(HEAD - 4, HEAD), b"\xff\xff\xff\xff"))
    assert code_of(huge) == "forged"


def test_versions_go_forward_unless_asked_and_never_too_far():
    """SYS-11: 0.10 comes after 0.9."""
    found = package.Package("0.10.0", "0.9.0", "", "", 1, "0" * 64)

    def refused(here, downgrade=False, one=found):
        try:
            package.check_version(one, here, downgrade)
        except NotGood as why:
            return why.code
        return ""

    assert refused("0.9.1") == "" and refused("0.10.0") == "same" and refused("0.11.0") == "older" and refused("0.8.9") == "too_far"
    assert refused("0.11.0", downgrade=True) == "" and refused("0.10.0", downgrade=True) == "" and refused("0.8.0", downgrade=True) == "too_far"
    assert refused("0.9.0", one=replace(found, after="0.9")) == ""


def test_every_reason_is_a_sentence_with_its_values():
    """SYS-11: also the ones a newer version wrote."""
    for code, text in WORDS.items():
        assert told(code, dict.fromkeys(("has", "needs", "product", "version", "here", "free", "needed", "why", "names"), "1")).strip() and len(text) > 20, code
    assert told("of_tomorrow", {"x": 1}) == "of_tomorrow" and told("older", {}) in ("older", WORDS["older"])


def test_the_command_reads_a_file_to_its_end_and_says_what_it_brings(tmp_path):
    """SYS-11: `bentevi update check`; 2 with a sentence for what is refused."""
    keys, file = public_key(tmp_path / "keys"), make(tmp_path / "1.update", version="9.0.0")

    def run(name):
        words = [sys.executable, "-m", "appliance.cli", "update", "check", str(name), "--key", str(keys)]
        return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert run(file).returncode == 0 and "good: Bentevi 9.0.0" in run(file).stdout and "Something new." in run(file).stdout
    bad = run(changed(file, lambda data: data[:-1]))
    assert bad.returncode == 2 and "not complete" in bad.stderr
    old = run(make(tmp_path / "2.update", version="0.0.9"))
    assert old.returncode == 2 and "older" in old.stderr


def test_both_change_logs_have_the_same_releases_and_this_one():
    """SYS-11: the notes of a release, in both languages."""
    english, portuguese = notes.releases("en"), notes.releases("pt_BR")
    assert list(english) == list(portuguese) and builder.version.number() in english
    assert all(english.values()) and all(portuguese.values())
    assert notes.of("99.0") == {"en": [], "pt_BR": []}


def test_a_build_signs_with_the_named_key_or_with_one_of_its_own_and_is_the_same_twice(tmp_path, monkeypatch):
    """SYS-11: the tree takes what its build signed; the private key stays out of it; another key's tree is refused."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795737600")
    monkeypatch.delenv("BENTEVI_SIGNING_KEY", raising=False)
    root = tmp_path / "root"
    for name, text in {"etc/os-release": "IMAGE_ID=bentevi\nIMAGE_VERSION=0.1.0\nBENTEVI_COMMIT=abc\nBENTEVI_DATE=2026-11-27\n", "opt/bentevi/setup.cfg": "version = 0.1.0\n",
                       "opt/bentevi/CHANGELOG.md": "# Changes\n\n## 0.1.0\n\n- One\n  line.\n", "opt/bentevi/CHANGELOG.pt_BR.md": "## 0.1.0\n- Uma.\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    builder.keys(root / "usr/lib/bentevi/update-keys")
    first, second = tmp_path / "1.update", tmp_path / "2.update"
    made = builder.make(root, first)
    builder.make(root, second)
    assert first.read_bytes() == second.read_bytes()
    assert made.notes == {"en": ["One line."], "pt_BR": ["Uma."]} and made.version == "0.1.0"
    with first.open("rb") as stream:
        found = package.read(stream, package.trusted(root / "usr/lib/bentevi/update-keys"))
        package.copy(stream, found, None)
    listing = subprocess.run(["unsquashfs", "-l", "-o", str(found.offset_bytes), str(first)], capture_output=True, text=True, check=True).stdout
    assert "opt/bentevi/setup.cfg" in listing
    shipped = "".join(file.read_text() for file in (root / "usr/lib/bentevi").rglob("*.pem"))
    assert "PUBLIC KEY" in shipped and "PRIVATE" not in shipped
    key = tmp_path / "release-key.pem"
    key.write_bytes((tmp_path / "cache/bentevi/update-development.pem").read_bytes())
    assert (tmp_path / "cache/bentevi/update-development.pem").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("BENTEVI_SIGNING_KEY", str(key))
    builder.keys(tmp_path / "keys")
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["release.pem"]
    monkeypatch.delenv("BENTEVI_SIGNING_KEY")
    (tmp_path / "cache/bentevi/update-development.pem").unlink()
    with pytest.raises(SystemExit, match="another key"):
        builder.make(root, first)


def test_no_private_key_lies_in_the_repository():
    """SYS-11."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split("\0")
    assert not [name for name in names if name.endswith((".pem", ".key")) and b"PRIVATE" in (CHECKOUT / name).read_bytes()]
    assert "os_image/update_keys/README.md" in names
