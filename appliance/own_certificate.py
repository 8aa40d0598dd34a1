"""The certificate a home makes for itself: an authority of its own, and under it the certificate nginx shows.

People who trust the authority once (its public half is offered for download) never see a warning again: a new certificate, because the old
one ends or the machine has another address, comes from the same authority. It can vouch for private addresses and for the names this home
had when it was made, and for nothing else, so that a stolen key opens no other site.
"""

import contextlib
import datetime
import fcntl
import ipaddress
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance import networks, whole_files

AUTHORITY_DAYS = 3650
VALID_DAYS = 397   # browsers refuse longer ones
RENEW_DAYS = 30
FOLDER, FILE = "https", "https.pem"  # key and certificates in one file, so that no crash can leave two that do not match
AUTHORITY = "authority.pem"
OWNER = "Bentevi"
EVERYWHERE = ("0.0.0.0", "::")
LOCAL = ["localhost", "local", "lan", "home.arpa", "internal"]


def path(secrets: Path) -> Path:
    """The file nginx reads."""
    return secrets / FOLDER / FILE


def ensure(secrets: Path, bind: str, domain: str | None = None, *, anew: bool = False) -> None:
    """Make the file (0600) if it is missing, about to end, from another authority, or without a name this machine has. Safe at every start.

    `domain` None: not known here, the names it has are enough. `anew`: in the place of one that somebody gave. Without `anew` a certificate
    that is not ours is left alone, also when it has ended. Where secrets/ may not be written (nginx on the appliance), nothing is done.
    """
    file = path(secrets)
    if file.exists() and not os.access(secrets, os.W_OK):
        return
    with alone(secrets, FOLDER):
        _from_its_former_place(secrets)
        present = read(secrets)
        if present is not None and not is_own(present) and not anew:
            return
        names = _wanted(bind, domain, present)
        authority, key = _authority(secrets, names)
        if present is None and file.exists():
            file.replace(file.with_name(f"{FILE}.damaged"))  # somebody may have bought it
        if present is None or not is_own(present) or _is_due(present, authority, names):
            whole_files.write(file, _signed(authority, key, names))


def read(secrets: Path) -> x509.Certificate | None:
    """The certificate in use; None before there is one, and when a bad disk spoilt it or its key: no page could be served by that."""
    pair = _pair(path(secrets))
    return pair[0] if pair else None


def _pair(file: Path) -> tuple[x509.Certificate, PrivateKeyTypes] | None:
    """Certificate and key of one file; None when it is not there, or not whole."""
    try:
        content = file.read_bytes()
        return x509.load_pem_x509_certificate(content), serialization.load_pem_private_key(content, None)
    except (FileNotFoundError, ValueError, TypeError):  # the last: a key that wants a password, which nobody could give nginx
        return None


def is_own(certificate: x509.Certificate) -> bool:
    """Whether a home made it."""
    owner = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return bool(owner) and owner[0].value == OWNER


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses it is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def authority_certificate(secrets: Path) -> bytes:
    """The public half of the authority, PEM, for people to trust; b"" before there is one."""
    pair = _pair(secrets / AUTHORITY)
    return pair[0].public_bytes(serialization.Encoding.PEM) if pair else b""


def addresses(bind: str) -> list[str]:
    """Where browsers find us: the address bound to, or all this machine has."""
    if bind not in EVERYWHERE:
        return [bind]
    run = subprocess.run(["ip", "-json", "address", "show", "scope", "global", "up"], capture_output=True, text=True, check=False)
    links = json.loads(run.stdout) if run.returncode == 0 and run.stdout.strip() else []
    return sorted({line["local"] for link in links for line in link.get("addr_info", []) if "local" in line and not line.get("temporary")})


@contextlib.contextmanager
def alone(secrets: Path, what: str) -> Iterator[None]:
    """A start, a job and a person at the console may want the same thing at the same time: one after another."""
    with open(secrets / f".{what}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_its_former_place(secrets: Path) -> None:
    """Homes of before this folder had the file beside their other secrets."""
    former = secrets / FILE
    if former.exists() and not path(secrets).exists():
        (secrets / FOLDER).mkdir(exist_ok=True, mode=0o700)
        former.rename(path(secrets))


def _wanted(bind: str, domain: str | None, present: x509.Certificate | None) -> list[str]:
    if domain is None and present is not None and is_own(present):
        return names_of(present)
    host = socket.gethostname()
    return list(dict.fromkeys([*([domain.lower()] if domain else []), host, f"{host.partition('.')[0]}.local", "localhost",
                               *sorted({"127.0.0.1", "::1", *addresses(bind)})]))  # fmt: skip


def _is_due(present: x509.Certificate, authority: x509.Certificate, names: list[str]) -> bool:
    left = present.not_valid_after_utc - _now()
    return left < datetime.timedelta(days=RENEW_DAYS) or present.issuer != authority.subject or not set(names) <= set(names_of(present))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _general(names: list[str]) -> list[x509.GeneralName]:
    """As a certificate writes them."""
    made: list[x509.GeneralName] = []
    for name in names:
        try:
            made.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            made.append(x509.DNSName(name))
    return made


def _authority(secrets: Path, names: list[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The one there is, while it is whole, can vouch for these names and lives long enough; else a new one."""
    file = secrets / AUTHORITY
    if pair := _pair(file):
        found, key = pair
        if found.not_valid_after_utc - _now() > datetime.timedelta(days=VALID_DAYS) and may_vouch(found, names):
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            return found, key
    key = ec.generate_private_key(ec.SECP256R1())
    made = _made_authority(key, names)
    whole_files.write(file, _private(key) + made.public_bytes(serialization.Encoding.PEM))
    return made, key


def may_vouch(authority: x509.Certificate, names: list[str]) -> bool:
    """Whether each name lies within what the authority was made for."""
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    domains = [one.value for one in permitted if isinstance(one, x509.DNSName)]
    ranges = [one.value for one in permitted if isinstance(one, x509.IPAddress)]
    for name in _general(names):
        if isinstance(name, x509.IPAddress):
            if not any(_holds(network, name.value) for network in ranges):
                return False
        elif not any(name.value == domain or name.value.endswith(f".{domain}") for domain in domains):
            return False
    return True


def _holds(network: Any, address: Any) -> bool:
    return isinstance(network, (ipaddress.IPv4Network, ipaddress.IPv6Network)) and address in network


def _made_authority(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    own = _general(names)
    outside = [ipaddress.ip_network(one.value) for one in own if isinstance(one, x509.IPAddress) and not any(one.value in network for network in networks.LOCAL)]
    domains = list(dict.fromkeys([*LOCAL, *(one.value for one in own if isinstance(one, x509.DNSName))]))
    permitted = [*map(x509.DNSName, domains), *map(x509.IPAddress, [*networks.LOCAL, *outside])]
    # Each authority has a name of its own: browsers mix up two of one name.
    name = _named(f"{OWNER} {socket.gethostname()[:30]} {_now():%Y-%m-%d} {x509.random_serial_number() % 10**6:06d}")
    return (
        _dated(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _signed(authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, names: list[str]) -> bytes:
    """Key, certificate and authority, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _dated(_named(names[0][:64]), authority.subject, key, VALID_DAYS)
        .add_extension(x509.SubjectAlternativeName(_general(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return _private(key) + made.public_bytes(serialization.Encoding.PEM) + authority.public_bytes(serialization.Encoding.PEM)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, OWNER), x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _dated(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(days=1))  # machines without a clock battery start in the past
        .not_valid_after(_now() + datetime.timedelta(days=days - 1))
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def acme_folder(home: Path) -> Path:
    """Where nginx looks for what an issuer asks (RFC 8555): HOME/acme/.well-known/acme-challenge."""
    return home / "acme" / ".well-known" / "acme-challenge"
