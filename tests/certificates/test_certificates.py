"""SYS-09: a domain, and a certificate made here, given or fetched; served for pages and /ws without anybody noticing the change."""

import datetime
import io
import json
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from appliance import alarms, own_certificate, settings
from appliance.addresses import force
from appliance.certificate.model import current
from appliance.certificates import given, keep
from appliance.db import db
from appliance.errors import Refused
from tests.build import make_extension
from tests.certificates.issuer import Issuer
from tests.certificates.websocket import Softphone
from tests.visitor import person
from web.limits import limiter

DOMAIN = "pabx.padaria.example"
SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")


@pytest.fixture(autouse=True)
def as_at_first(app):
    """Each test begins and ends with the home's own certificate."""
    limiter.reset()
    yield
    db.session.rollback()
    row = current()
    row.domain, row.source, row.reason, row.tried_at, row.fetched_fingerprint = "", "own", "", None, ""
    db.session.commit()
    keep.now()


def authority(name="Padaria CA", days=365, key=None):
    """(certificate, key) of somebody who signs."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    return signed(name, name, key, key, days, ca=True), key


def signed(name, issuer, key, by, days=90, names=(DOMAIN,), ca=False, begins=-1):
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=min(begins, days - 1))).not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))  # fmt: skip
    if not ca:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    return made.sign(by, hashes.SHA256())


def pem(*things, password=b""):
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return b"".join(
        one.public_bytes(serialization.Encoding.PEM) if isinstance(one, x509.Certificate)
        else one.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed) for one in things)


def bought(names=(DOMAIN,), **more):
    """(root, its key, certificate, key) as a company buys them."""
    root, root_key = authority()
    key = ec.generate_private_key(ec.SECP256R1())
    return root, root_key, signed(names[0], "Padaria CA", key, root_key, names=names, **more), key


def served(name="localhost"):
    """The certificate nginx shows to a new connection."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", settings.load().https_port), timeout=5) as plain, anyone.wrap_socket(plain, server_hostname=name) as link:
        return x509.load_der_x509_certificate(link.getpeercert(binary_form=True))


def trusting(*roots):
    context = ssl.create_default_context(cadata=b"".join(roots).decode())
    return context


def page(context, name="localhost"):
    """The login page by HTTPS, fetched as a browser that trusts only `context`; Host and name are checked."""
    with socket.create_connection(("127.0.0.1", settings.load().https_port), timeout=5) as plain, context.wrap_socket(plain, server_hostname=name) as link:
        link.sendall(f"GET /login HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return link.makefile("rb").readline()


def test_who_trusts_the_authority_of_the_home_sees_no_warning_also_after_a_renewal(app, carla):
    """SYS-09: names and addresses stand in the certificate; another one of the same authority is as good; others' sites are out of its reach."""
    secrets = settings.load().secrets
    root = carla.get("/certificate/authority.crt")
    assert root.mimetype == "application/x-x509-ca-cert" and b"PRIVATE" not in root.data and root.data == own_certificate.authority_certificate(secrets)
    assert page(trusting(root.data)).startswith(b"HTTP/1.1 200")
    before = served()
    assert {"localhost", "127.0.0.1"} <= set(own_certificate.names_of(before)) and (own_certificate.path(secrets).stat().st_mode & 0o077) == 0
    own_certificate.path(secrets).unlink()
    keep.now()
    assert served() != before and page(trusting(root.data)).startswith(b"HTTP/1.1 200")
    names = x509.load_pem_x509_certificate(root.data).extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical and not own_certificate.may_vouch(x509.load_pem_x509_certificate(root.data), ["banco.example"])


def test_a_domain_comes_into_the_certificate_at_once_and_leaves_it_alone_otherwise(app, carla):
    """SYS-09."""
    assert carla.api("PATCH", "/api/v1/certificate", {"domain": "Pabx.Padaria.example"}).status_code == 200
    keep.now()
    found = served()
    assert DOMAIN in own_certificate.names_of(found)
    assert page(trusting(own_certificate.authority_certificate(settings.load().secrets)), DOMAIN).startswith(b"HTTP/1.1 200")
    keep.now()
    assert served() == found


def test_a_bought_certificate_serves_pages_and_softphones_and_a_call_outlives_its_renewal(app, carla, pbx):
    """SYS-09: PEM in any order; the call that is up while the certificate changes goes on, over the connection it has."""
    make_extension("2001", password="Segredo-do-2001")
    db.session.commit()
    pbx.apply()
    root, root_key, certificate, key = bought()
    carla.api("PATCH", "/api/v1/certificate", {"domain": DOMAIN})
    said = carla.post("/certificate/files", data={"csrf_token": carla.csrf(), "file": [(io.BytesIO(pem(root, key)), "a.pem"), (io.BytesIO(pem(certificate)), "b.crt")]})
    assert said.status_code == 302 and served(DOMAIN) == certificate
    assert page(trusting(pem(root)), DOMAIN).startswith(b"HTTP/1.1 200")
    phone = Softphone(settings.load().https_port, "2001", "Segredo-do-2001", trusting(pem(root)), DOMAIN)
    assert phone.certificate() == certificate.public_bytes(serialization.Encoding.DER)
    assert phone.register() == 200 and "2001/sip:2001@" in pbx.ask("pjsip show contacts").replace(" ", "")
    answer = phone.call("*43", SDP)
    assert answer.status == 200, answer
    channels = pbx.ask("core show channels concise")
    renewed = signed(DOMAIN, "Padaria CA", key, root_key)
    assert carla.api("PUT", "/api/v1/certificate/files", {"pem": pem(renewed, key).decode()}).json["source"] == "given"
    assert served(DOMAIN) == renewed
    assert pbx.ask("core show channels concise").split("!")[0] == channels.split("!")[0] != ""
    assert phone.ask("BYE", "sip:*43@bentevi", to=phone.last_to).status == 200, "the connection of the call is gone"
    phone.close()


def test_a_wrong_password_does_not_register_over_the_websocket(app, pbx):
    """SYS-09."""
    make_extension("2001", password="Segredo-do-2001")
    db.session.commit()
    pbx.apply()
    phone = Softphone(settings.load().https_port, "2001", "errada-errada", trusting(own_certificate.authority_certificate(settings.load().secrets)))
    assert phone.register() == 401
    phone.close()


def test_a_blocked_address_opens_no_softphone_either(app, carla, pbx):
    """SYS-08: SIP by wss is SIP; an address let in again connects at once."""
    trusted = trusting(own_certificate.authority_certificate(settings.load().secrets))

    def opens():
        try:
            Softphone(settings.load().https_port, "2001", "x", trusted, source="127.0.0.66").close()
        except AssertionError:
            return False
        return True

    assert opens()
    made = carla.api("POST", "/api/v1/address_rules", {"address": "127.0.0.66", "action": "block"})
    assert made.status_code == 201, made.text
    force.put()
    db.session.rollback()
    assert not opens()
    assert carla.api("DELETE", f"/api/v1/address_rules/{made.json['id']}").status_code == 204
    force.put()
    db.session.rollback()
    assert opens()


def faults():
    _root, root_key, certificate, key = bought()
    other = ec.generate_private_key(ec.SECP256R1())
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return {
        "não há certificado": [b"nothing", pem(key), b""],
        "chave privada": [pem(certificate), pem(certificate, key, other), pem(certificate, other)],
        "terminou": [pem(signed(DOMAIN, "Padaria CA", key, root_key, days=-1), key)],
        "começa só": [pem(signed(DOMAIN, "Padaria CA", key, root_key, begins=5), key)],
        "não é para": [pem(signed("x.example", "Padaria CA", key, root_key, names=["x.example", "*.b.padaria.example"]), key)],
        "curta": [pem(signed(DOMAIN, "Padaria CA", short, root_key), short)],
        "tem senha": [pem(certificate) + pem(key, password=b"abc-12345")],
        "grande": [pem(certificate, key) + b"x" * 300_000],
    }


def test_what_cannot_serve_is_refused_in_words_and_the_one_in_force_stays(app, carla):
    """SYS-09."""
    current().domain = DOMAIN
    db.session.commit()
    keep.now()
    before = served()
    for words, texts in faults().items():
        for text in texts:
            refused = carla.api("PUT", "/api/v1/certificate/files", {"pem": text.decode("latin-1")})
            assert refused.status_code == 422 and any(one in refused.json["error"].lower() for one in (words, "não há certificado", "pfx")), (words, refused.json)
            limiter.reset()
    assert served() == before and current().source == "own"


def test_a_pfx_with_its_password_and_a_wildcard_are_taken_and_the_root_is_left_out(app):
    """SYS-09."""
    root, root_key = authority()
    middle_key, key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    middle = signed("Meio", "Padaria CA", middle_key, root_key, ca=True)
    leaf = signed("*.padaria.example", "Meio", key, middle_key, names=["*.padaria.example"])
    made = pkcs12.serialize_key_and_certificates(b"pabx", key, leaf, [root, middle], serialization.BestAvailableEncryption(b"senha-do-pfx"))
    with pytest.raises(Refused):
        given.read([made], "errada", DOMAIN)
    text = given.read([made], "senha-do-pfx", DOMAIN)
    assert x509.load_pem_x509_certificates(text) == [leaf, middle] and b"ENCRYPTED" not in text
    assert given.read([pem(leaf, middle, root), pem(key, password=b"da-chave")], "da-chave", DOMAIN) == text


def test_a_certificate_is_fetched_renewed_in_its_last_third_and_kept_when_the_issuer_fails(app, carla):
    """SYS-09: by ACME through our own nginx; plain HTTP answers the issuer and nobody else; failures are told and tried later."""
    machine = settings.load()
    with Issuer(machine.http_port) as issuer:
        assert carla.api("PATCH", "/api/v1/certificate", {"source": "acme"}).status_code == 422  # for which domain?
        said = carla.api("PATCH", "/api/v1/certificate", {"source": "acme", "domain": DOMAIN, "acme_email": "ana@padaria.example", "acme_directory": issuer.directory})
        assert said.status_code == 200, said.text
        keep.now()
        assert keep.facts()["reason"] == "" and served(DOMAIN).issuer.rfc4514_string() == "CN=Prova CA"
        assert len(issuer.orders) == 1 and not list((machine.home / "acme/.well-known/acme-challenge").iterdir())
        keep.now()
        assert len(issuer.orders) == 1, "fetched again although it is young"
        issuer.days = 0.02
        current().fetched_fingerprint = ""
        db.session.commit()
        keep.now()
        assert len(issuer.orders) == 2
        old = served(DOMAIN)
        issuer.http_port = machine.https_port  # from now on it does not find the answer
        current().fetched_fingerprint = ""
        db.session.commit()
        keep.now()
        assert served(DOMAIN) == old and "HTTP 400" in current().reason
        assert {one.code for one in alarms.active()} == {"certificate_failed", "certificate_ends"}
        keep.now()
        assert len(issuer.orders) == 3, "tried again at once"
    current().tried_at = None
    db.session.commit()
    keep.now()
    assert "não responde" in current().reason and served(DOMAIN) == old


def test_an_end_that_is_near_is_an_alarm_and_a_new_one_ends_it(app):
    """SYS-09."""
    _root, root_key, _certificate, key = bought()
    keep.take([pem(signed(DOMAIN, "Padaria CA", key, root_key, days=10), key)], "")
    assert [one.code for one in alarms.active()] == ["certificate_ends"]
    keep.take([pem(signed(DOMAIN, "Padaria CA", key, root_key, days=80), key)], "")
    assert alarms.active() == []


def test_only_who_may_sees_and_changes_it_and_no_key_is_ever_shown(app, carla):
    """SYS-09."""
    nobody = person(carla, "nivaldo", access_level="manager", modules=["extensions"])
    for method, path in (("GET", "/api/v1/certificate/in_force"), ("PUT", "/api/v1/certificate/files"), ("POST", "/api/v1/certificate/renew")):
        assert nobody.api(method, path, {}).status_code == 403, path
    assert nobody.get("/certificate/authority.crt").status_code == 403
    assert nobody.send("/certificate/files").status_code == 403 and nobody.send("/certificate/renew").status_code == 403
    for text in (carla.get("/certificate").text, carla.api("GET", "/api/v1/certificate/in_force").text, carla.get("/audit").text):
        assert "PRIVATE KEY" not in text
    assert carla.send("/certificate/renew").status_code == 302


def test_the_command_shows_gives_and_hands_out_the_authority(app, tmp_path, monkeypatch):
    """SYS-09: for support without a browser."""
    from click.testing import CliRunner

    from appliance.cli import bentevi

    _root, _root_key, certificate, key = bought()
    (tmp_path / "all.pem").write_bytes(pem(certificate) + pem(key, password=b"da-chave"))
    db.session.rollback()
    refused = CliRunner().invoke(bentevi, ["certificate", "install", str(tmp_path / "all.pem")])
    assert refused.exit_code != 0
    monkeypatch.setenv("BENTEVI_CERTIFICATE_PASSWORD", "da-chave")
    done = CliRunner().invoke(bentevi, ["certificate", "install", str(tmp_path / "all.pem")])
    assert done.exit_code == 0, done.output
    shown = json.loads(CliRunner().invoke(bentevi, ["certificate", "show", "--json"]).stdout)
    assert shown["certificate"]["names"] == [DOMAIN] and shown["certificate"]["source"] == "given"
    assert CliRunner().invoke(bentevi, ["certificate", "authority"]).stdout.encode() == own_certificate.authority_certificate(settings.load().secrets)


def test_a_certificate_of_a_former_home_stays_where_somebody_put_it(tmp_path):
    """SYS-09: of before there was this page; one we made ourselves is replaced by one of the authority."""
    _root, _root_key, certificate, key = bought()
    (tmp_path / "https.pem").write_bytes(pem(key, certificate))
    own_certificate.ensure(tmp_path, "127.0.0.1")
    assert own_certificate.path(tmp_path).read_bytes() == pem(key, certificate) and not (tmp_path / "https.pem").exists()
    own_certificate.ensure(tmp_path, "127.0.0.1", anew=True)
    assert own_certificate.is_own(own_certificate.read(tmp_path))


def test_what_a_bad_disk_spoilt_is_set_aside_and_made_anew(tmp_path):
    """SYS-09: nginx would not start with it, and the start of the home would not get as far as telephony."""
    own_certificate.ensure(tmp_path, "127.0.0.1")
    file, authority = own_certificate.path(tmp_path), tmp_path / own_certificate.AUTHORITY
    for spoilt in (b"", file.read_bytes()[:300], file.read_bytes().replace(b"PRIVATE KEY-----\n", b"PRIVATE KEY-----\nAAAA", 1)):
        file.write_bytes(spoilt)
        root = own_certificate.authority_certificate(tmp_path)
        own_certificate.ensure(tmp_path, "127.0.0.1")
        assert own_certificate.is_own(own_certificate.read(tmp_path)) and file.with_name("https.pem.damaged").read_bytes() == spoilt
        assert own_certificate.authority_certificate(tmp_path) == root
    authority.write_bytes(b"")
    own_certificate.ensure(tmp_path, "127.0.0.1")
    assert own_certificate.authority_certificate(tmp_path) not in (b"", root)


def test_another_address_or_the_last_month_bring_a_new_certificate_of_the_same_authority(tmp_path, monkeypatch):
    """SYS-09: and a name the authority was not made for brings a new authority."""
    monkeypatch.setattr(own_certificate, "addresses", lambda bind: ["192.168.0.10"])
    own_certificate.ensure(tmp_path, "0.0.0.0", "")
    root, first = own_certificate.authority_certificate(tmp_path), own_certificate.read(tmp_path)
    own_certificate.ensure(tmp_path, "0.0.0.0", "")
    own_certificate.ensure(tmp_path, "0.0.0.0")
    assert own_certificate.read(tmp_path) == first
    monkeypatch.setattr(own_certificate, "addresses", lambda bind: ["192.168.7.20"])
    own_certificate.ensure(tmp_path, "0.0.0.0")  # the domain is not known here: nothing is taken away
    assert own_certificate.read(tmp_path) == first
    own_certificate.ensure(tmp_path, "0.0.0.0", "")
    second = own_certificate.read(tmp_path)
    assert "192.168.7.20" in own_certificate.names_of(second) and own_certificate.authority_certificate(tmp_path) == root
    monkeypatch.setattr(own_certificate, "RENEW_DAYS", own_certificate.VALID_DAYS + 1)
    own_certificate.ensure(tmp_path, "0.0.0.0", "")
    assert own_certificate.read(tmp_path) != second and own_certificate.authority_certificate(tmp_path) == root
    own_certificate.ensure(tmp_path, "0.0.0.0", "pabx.outra.example")
    assert own_certificate.authority_certificate(tmp_path) != root and "pabx.outra.example" in own_certificate.names_of(own_certificate.read(tmp_path))
