"""The self-signed certificate of this home, for as long as nobody gives a better one."""

import datetime
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Apple's browsers refuse longer ones even when a person trusts them; a new one is made at a start in the last month.
VALID_DAYS = 825
RENEW_DAYS = 30
FILE = "https.pem"  # key and certificate in one file, so that no crash can leave two that do not match
OWNER = "Bentevi"


def ensure(folder: Path, bind: str) -> None:
    """Make folder/https.pem (0600) if it is missing or about to end. Safe at every start.

    A file that somebody else put there is left alone, also when it has ended: its owner renews it. Where the folder may not be
    written (nginx on the appliance sees only the file), the one there is stays; the next start of the machine makes the new one.
    """
    file = folder / FILE
    if file.exists() and not os.access(folder, os.W_OK):
        return
    if file.exists() and not _about_to_end(x509.load_pem_x509_certificate(file.read_bytes())):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(file, private + _signed(key, bind).public_bytes(serialization.Encoding.PEM))


def _about_to_end(certificate: x509.Certificate) -> bool:
    owner = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return bool(owner) and owner[0].value == OWNER and left < datetime.timedelta(days=RENEW_DAYS)


def _signed(key: ec.EllipticCurvePrivateKey, bind: str) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, OWNER),
                      x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64])])  # fmt: skip
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in sorted({"127.0.0.1", "::1", bind} - {"0.0.0.0", "::"})]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # machines without a clock battery start in the past
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _write(file: Path, content: bytes) -> None:
    fresh = file.with_suffix(file.suffix + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    fresh.rename(file)
