"""The update file: what it is, signed, before anything else; then the root tree as a squashfs (SYS-11).

    bytes   17  MAGIC
            64  ed25519 signature of MAGIC, length and description
             4  length of the description, big-endian
           ...  the description, JSON (UTF-8), then zeros up to a multiple of 4096
           ...  the payload; its size and SHA-256 stand in the description

Nothing of a file is believed before its signature is right, and nothing of the payload is started before its hash is. Files are read as
streams: they are hundreds of megabytes.
"""

import hashlib
import json
import os
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from appliance import version as product
from appliance.updates.words import NotGood

if TYPE_CHECKING:  # loaded where a signature is looked at: root's look at each start does not, and holds up everything else
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAGIC = b"BENTEVI-UPDATE 1\n"
ANY_MAGIC = b"BENTEVI-UPDATE "
SIGNATURE_BYTES, BLOCK = 64, 4096
MOST_DESCRIPTION = 1 << 20
CHUNK = 1 << 20
PRODUCT, FORMAT = "bentevi", 1
KEYS = Path("/usr/lib/bentevi/update-keys")  # public keys, one PEM file each: who may make updates for this machine

Told = Callable[[int, int], None]  # bytes so far, bytes in all


@dataclass(frozen=True)
class Package:
    """The description of an update. `notes`: language → lines of the changes; `after`: the oldest version it may follow."""

    version: str
    after: str
    commit: str
    date: str
    size_bytes: int
    sha256: str
    notes: dict[str, list[str]] = field(default_factory=dict)
    product: str = PRODUCT
    format: int = FORMAT
    offset_bytes: int = 0  # where the payload begins; not part of the description


def trusted(folder: Path | None = None) -> list["Ed25519PublicKey"]:
    """The public keys of this machine. Other files in the folder are a mistake of ours and raise ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    found = []
    for file in sorted((folder or Path(os.environ.get("BENTEVI_UPDATE_KEYS") or KEYS)).glob("*.pem")):
        key = load_pem_public_key(file.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{file}: not an ed25519 key")
        found.append(key)
    return found


def read(stream: IO[bytes], keys: Iterable["Ed25519PublicKey"]) -> Package:
    """The description, once its signature is right and the file is as long as it says. Raises NotGood."""
    size = os.fstat(stream.fileno()).st_size
    stream.seek(0)
    package = described(stream, keys, size)
    if size < package.offset_bytes + package.size_bytes:
        raise NotGood("truncated", has=size, needs=package.offset_bytes + package.size_bytes)
    if size > package.offset_bytes + package.size_bytes:
        raise NotGood("too_long")
    return package


def described(stream: IO[bytes], keys: Iterable["Ed25519PublicKey"], size: int = 0) -> Package:
    """The description at the head of a file of `size` bytes (0: as long as it says), once its signature is right. Raises NotGood."""
    head = stream.read(len(MAGIC) + SIGNATURE_BYTES + 4)
    if not head.startswith(ANY_MAGIC):
        raise NotGood("not_update")
    if not head.startswith(MAGIC):
        raise NotGood("unknown_format")
    if len(head) < len(MAGIC) + SIGNATURE_BYTES + 4:
        raise NotGood("truncated", has=size or len(head), needs=BLOCK)
    signature, (length,) = head[len(MAGIC) : -4], struct.unpack(">I", head[-4:])
    if length > MOST_DESCRIPTION:
        raise NotGood("forged")
    text = stream.read(length)
    if len(text) < length:
        raise NotGood("truncated", has=size or len(head) + len(text), needs=len(head) + length)
    if not any(_signed(key, signature, _signed_bytes(text)) for key in keys):
        raise NotGood("forged")
    return _described(text, _padded(len(head) + length))


def _signed_bytes(text: bytes) -> bytes:
    return MAGIC + struct.pack(">I", len(text)) + text


def _signed(key: "Ed25519PublicKey", signature: bytes, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _described(text: bytes, offset: int) -> Package:
    """Signed by us, so its shape is ours; another product or a newer format of ours is said so."""
    said: dict[str, Any] = json.loads(text)
    if said.get("product") != PRODUCT:
        raise NotGood("other_product", product=str(said.get("product"))[:40])
    if said.get("format") != FORMAT:
        raise NotGood("unknown_format")
    known = {name: said[name] for name in Package.__dataclass_fields__ if name in said and name != "offset_bytes"}
    package = Package(**known, offset_bytes=offset)
    if not re.fullmatch(r"\d+(\.\d+){1,3}", package.version) or not re.fullmatch(r"[0-9a-f]{64}", package.sha256):
        raise NotGood("unknown_format")
    return package


def check_version(package: Package, here: str, downgrade: bool = False) -> None:
    """Raises NotGood when this update may not follow the installed version."""
    wanted, installed = product.parts(package.version), product.parts(here)
    if wanted == installed and not downgrade:
        raise NotGood("same", version=package.version)
    if wanted < installed and not downgrade:
        raise NotGood("older", version=package.version, here=here)
    if installed < product.parts(package.after):
        raise NotGood("too_far", needs=package.after, here=here)


def copy(stream: IO[bytes], package: Package, out: IO[bytes] | None, told: Told = lambda _done, _total: None) -> None:
    """Read the file to its end, into `out` when there is one, and compare its payload with the description. Raises NotGood."""
    stream.seek(0)
    total, done, digest = package.offset_bytes + package.size_bytes, 0, hashlib.sha256()
    while chunk := stream.read(package.offset_bytes - done if done < package.offset_bytes else CHUNK):
        if done >= package.offset_bytes:
            digest.update(chunk)
        if out is not None:
            out.write(chunk)
        done += len(chunk)
        told(done, total)
    if done != total or digest.hexdigest() != package.sha256:
        raise NotGood("damaged")


def write(out: Path, payload: Path, package: Package, key: "Ed25519PrivateKey") -> Package:
    """Make an update file of a payload; the description with its size and hash."""
    digest = hashlib.sha256()
    with payload.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    said = asdict(package) | {"size_bytes": payload.stat().st_size, "sha256": digest.hexdigest()}
    del said["offset_bytes"]
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, indent=1).encode()
    if len(text) > MOST_DESCRIPTION:
        raise ValueError(f"the description has {len(text)} bytes, at most {MOST_DESCRIPTION}")
    head = MAGIC + key.sign(_signed_bytes(text)) + struct.pack(">I", len(text)) + text
    draft = out.with_name(out.name + ".new")
    with draft.open("wb") as file, payload.open("rb") as stream:
        file.write(head.ljust(_padded(len(head)), b"\0"))
        while chunk := stream.read(CHUNK):
            file.write(chunk)
    draft.rename(out)
    return replace(package, size_bytes=said["size_bytes"], sha256=said["sha256"], offset_bytes=_padded(len(head)))
