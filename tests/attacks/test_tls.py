"""TLS as a known scanner sees it, with the certificate a home makes and with one of RSA that somebody gives."""

import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from appliance.settings import CHECKOUT
from tests.attacks.conftest import Target

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def scanned(target: Target) -> xml.Element:
    """What sslscan finds."""
    subprocess.run([CHECKOUT / "setup" / "packages.sh", "sslscan"], check=True, timeout=300)
    run = subprocess.run(["sslscan", "--no-failed", "--xml=-", f"127.0.0.1:{target.port('HTTPS')}"], text=True, capture_output=True, check=True, timeout=120)
    found = xml.fromstring(run.stdout).find("ssltest")
    assert found is not None, run.stdout
    return found


@pytest.mark.parametrize("kind", ["made", "rsa"])
def test_a_scan_finds_no_weak_protocol_cipher_or_hole(target: Target, tmp_path: Path, kind: str) -> None:
    """SYS-09."""
    if kind == "rsa":
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=pabx.example", "-addext", "subjectAltName=DNS:pabx.example"]
        subprocess.run([*words, "-keyout", tmp_path / "key", "-out", tmp_path / "certificate"], check=True, capture_output=True)
        (tmp_path / "all.pem").write_text((tmp_path / "key").read_text() + (tmp_path / "certificate").read_text())
        target.bentevi("certificate", "install", str(tmp_path / "all.pem"))
    found = scanned(target)
    key = found.find("certificates/certificate/pk")
    assert key is not None and key.attrib["type"] == {"made": "EC", "rsa": "RSA"}[kind]
    assert {(one.attrib["type"], one.attrib["version"]) for one in found.findall("protocol") if one.attrib["enabled"] == "1"} == {("tls", "1.2"), ("tls", "1.3")}
    assert all(one.attrib["vulnerable"] == "0" for one in found.findall("heartbleed"))
    assert all(one.attrib["secure"] == "1" for one in found.findall("renegotiation") if one.attrib["supported"] == "1")
    assert all(one.attrib["supported"] == "0" for one in found.findall("compression"))
    ciphers = {one.attrib["cipher"] for one in found.findall("cipher")}
    assert ciphers and all(name.startswith(("TLS_AES", "TLS_CHACHA20", "ECDHE-")) and ("GCM" in name or "POLY1305" in name) for name in ciphers), ciphers
    assert all(int(one.attrib["bits"]) >= 128 for one in [*found.findall("cipher"), *found.findall("group")])
