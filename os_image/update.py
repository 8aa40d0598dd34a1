"""The update file of a build, and whose updates a build takes.

    python -m os_image.update keys FOLDER         puts the public keys into FOLDER (of the tree, while it is made)
    python -m os_image.update make ROOT OUT       makes the file OUT from the finished tree

BENTEVI_SIGNING_KEY names the private key (ed25519, PEM) of a release. Without it a key of this machine is made once and kept in the user's
cache: builds of one developer follow one another, and no release takes them.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from appliance import version
from appliance.updates import notes, package
from appliance.updates.package import Package

HERE = Path(__file__).parent
DEVELOPMENT = "update-development.pem"
OLDEST = "0.1.0"  # the first version that can be updated: earlier ones have no second root partition in their menu
LEFT_OUT = ("proc/*", "sys/*", "dev/*", "run/*", "tmp/*")


def signing_key() -> tuple[Ed25519PrivateKey, str]:
    """The key, and what its public part is called. Raises ValueError for another kind of key."""
    named = os.environ.get("BENTEVI_SIGNING_KEY")
    file = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bentevi" / DEVELOPMENT
    if not named and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(text)
    key = load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{file}: not an ed25519 key")
    return key, "release.pem" if named else "development.pem"


def keys(folder: Path) -> None:
    """Public keys of this build: its own, and those of os_image/update_keys."""
    key, name = signing_key()
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((HERE / "update_keys").glob("*.pem")):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / name).write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def make(root: Path, out: Path) -> Package:
    """The tree as a squashfs, described and signed. Two calls for one tree make the same bytes."""
    facts = version.image_facts(root / "etc/os-release")
    number = facts["IMAGE_VERSION"]
    key, _name = signing_key()
    if not _is_taken(root, key):
        raise SystemExit("the tree was made with another key: build root anew with the same BENTEVI_SIGNING_KEY")
    described = Package(number, OLDEST, facts.get("BENTEVI_COMMIT", ""), facts.get("BENTEVI_DATE", ""), 0, "", notes.of(number, root / "opt/bentevi"))
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        payload = Path(folder) / "root.squashfs"
        subprocess.run(["mksquashfs", root, payload, "-comp", "zstd", "-Xcompression-level", os.environ.get("SQUASHFS_LEVEL", "15"), "-b", "256K",
                        "-noappend", "-quiet", "-no-progress", "-xattrs", "-wildcards", "-e", *LEFT_OUT], check=True)  # fmt: skip
        return package.write(out, payload, described, key)


def _is_taken(root: Path, key: Ed25519PrivateKey) -> bool:
    mine = key.public_key().public_bytes_raw()
    return mine in [one.public_bytes_raw() for one in package.trusted(root / "usr/lib/bentevi/update-keys")]


def main(words: list[str]) -> int:
    """One of the two commands."""
    if words[:1] == ["keys"]:
        keys(Path(words[1]))
        return 0
    if words[:1] == ["make"]:
        made = make(Path(words[1]), Path(words[2]))
        print(f"{words[2]}: Bentevi {made.version}, {made.size_bytes / 1e6:.0f} MB", file=sys.stderr)
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
