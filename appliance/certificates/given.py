"""Certificates that come from outside, read with care before anything is replaced: PEM in any order, or PKCS #12 (.pfx, .p12)."""

import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from flask_babel import gettext as _

from appliance import db as ground
from appliance import own_certificate
from appliance.errors import Refused

MOST_BYTES = 256 * 1024
KEY_BITS = 2048  # of RSA; less is refused by browsers
PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.S)


def read(contents: Iterable[bytes], password: str, domain: str) -> bytes:
    """Files as somebody gave them → key, certificate and chain, PEM, in the order nginx wants. Raises Refused with what is wrong.

    `password` opens a key or a .pfx that has one; `domain` must be among the certificate's names, unless it is "".
    """
    keys: list[bytes] = []
    certificates: list[x509.Certificate] = []
    for content in contents:
        _collect(content, password, keys, certificates)
    if not certificates:
        raise Refused(_("There is no certificate in it. Give the certificate, its chain and its key (PEM), or one .pfx file."), field="file")
    if len(keys) != 1:
        raise Refused(_("The private key is missing.") if not keys else _("There is more than one private key in it."), field="file")
    leaf = _of(keys[0], certificates)
    _check(leaf, domain)
    chain = [leaf]
    while (above := _issuer(chain[-1], certificates)) is not None and above not in chain:
        chain.append(above)
    if len(chain) > 1 and chain[-1].issuer == chain[-1].subject:
        chain.pop()  # browsers have the root
    return keys[0] + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)


def _collect(content: bytes, password: str, keys: list[bytes], certificates: list[x509.Certificate]) -> None:
    """What one file holds, added to the lists."""
    if len(content) > MOST_BYTES:
        raise Refused(_("This is too large for a certificate."), field="file")
    secret = password.encode() or None
    if b"-----BEGIN" not in content:
        _collect_pfx(content, secret, keys, certificates)
        return
    for block in PEM.finditer(content):
        kind, text = block[1].decode(), block[0] + b"\n"
        if kind == "CERTIFICATE":
            try:
                certificates.append(x509.load_pem_x509_certificate(text))
            except ValueError:
                raise Refused(_("One of the certificates cannot be read."), field="file") from None
        elif kind.endswith("PRIVATE KEY"):
            keys.append(_key(text, secret))


def _key(text: bytes, secret: bytes | None) -> bytes:
    """The key without its password, PEM."""
    try:
        found = serialization.load_pem_private_key(text, secret)
    except TypeError:  # a password for a key that has none, or none for one that has
        if secret is None:
            raise Refused(_("The private key has a password. Write it beside the file."), field="password") from None
        return _key(text, None)
    except ValueError:
        raise Refused(_("The private key cannot be read: is its password right?"), field="password") from None
    return _plain(found)


def _plain(found: object) -> bytes:
    if isinstance(found, rsa.RSAPrivateKey) and found.key_size < KEY_BITS:
        raise Refused(_("The key is too short: %(bits)s bits.", bits=found.key_size), field="file")
    if not isinstance(found, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise Refused(_("The key is of a kind browsers do not know. Use RSA or an elliptic curve (P-256, P-384)."), field="file")
    return found.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _collect_pfx(content: bytes, secret: bytes | None, keys: list[bytes], certificates: list[x509.Certificate]) -> None:
    try:
        key, certificate, more = pkcs12.load_key_and_certificates(content, secret)
    except ValueError:
        raise Refused(_("This is neither PEM nor a .pfx file that opens with this password."), field="file") from None
    keys += [_plain(key)] if key is not None else []
    certificates += [one for one in (certificate, *more) if one is not None]


def _of(key: bytes, certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate of this key."""
    public = _public(serialization.load_pem_private_key(key, None).public_key())
    for one in certificates:
        if _public(one.public_key()) == public:
            return one
    raise Refused(_("The private key does not belong to the certificate."), field="file")


def _public(key: object) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def _check(leaf: x509.Certificate, domain: str) -> None:
    """In its time, and for our name."""
    if leaf.not_valid_after_utc <= ground.now():
        raise Refused(_("This certificate ended on %(day)s.", day=f"{leaf.not_valid_after_utc:%Y-%m-%d}"), field="file")
    if leaf.not_valid_before_utc > ground.now():
        raise Refused(_("This certificate begins on %(day)s only. Is the clock of this machine right?", day=f"{leaf.not_valid_before_utc:%Y-%m-%d}"), field="file")
    names = own_certificate.names_of(leaf)
    if domain and not is_for(domain, names):
        raise Refused(_("This certificate is not for %(domain)s but for: %(names)s", domain=domain, names=", ".join(names) or "–"), field="file")


def is_for(domain: str, names: list[str]) -> bool:
    """Whether one of the names means the domain; *.example.com means one word before the dot."""
    asked = domain.lower().rstrip(".")
    return any(name.lower() == asked or (name.startswith("*.") and name[1:].lower() == f".{asked.partition('.')[2]}") for name in names)


def _issuer(one: x509.Certificate, certificates: list[x509.Certificate]) -> x509.Certificate | None:
    """The certificate that vouches for this one, among those given."""
    for above in certificates:
        if above != one and above.subject == one.issuer:
            try:
                one.verify_directly_issued_by(above)
            except (ValueError, TypeError, InvalidSignature):  # a namesake, or a kind of signature nobody uses
                continue
            return above
    return None
