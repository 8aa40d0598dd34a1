"""A stand-in for an issuer of certificates: speaks ACME (RFC 8555) over plain HTTP on loopback, and proves the domain as real ones do, by
asking for the answer under /.well-known/acme-challenge/ at the exchange's own nginx. It checks each message's signature and nonce."""

import base64
import datetime
import json
import secrets
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import josepy
from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Issuer:
    """`days` is how long its certificates live, `http_port` where it looks for answers; `looked` what it found, `orders` how many were made."""

    def __init__(self, http_port: int, days: int = 90) -> None:
        self.http_port, self.days = http_port, days
        self.key, self.nonces, self.accounts, self.orders, self.looked = ec.generate_private_key(ec.SECP256R1()), set(), {}, {}, []
        self.root = _certificate("Prova CA", "Prova CA", self.key.public_key(), self.key, 3650, None)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"issuer": self}))
        self.server, self.url = server, f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def directory(self) -> str:
        return f"{self.url}/directory"

    def __enter__(self) -> "Issuer":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def look(self, order: dict) -> None:
        """What a real one does from the internet: plain HTTP, by the domain's name."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.http_port}/.well-known/acme-challenge/{order['token']}", headers={"Host": order["domain"]})
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                said = answer.read().decode()
        except urllib.error.HTTPError as why:
            said = f"HTTP {why.code}"
        self.looked.append(said)
        order["state"] = "valid" if said == f"{order['token']}.{order['thumbprint']}" else "invalid"

    def sign(self, order: dict, csr: bytes) -> None:
        request = x509.load_der_x509_csr(csr)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        assert request.is_signature_valid and names == [order["domain"]]
        made = _certificate(order["domain"], "Prova CA", request.public_key(), self.key, self.days, order["domain"])
        order["chain"], order["state"] = "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in (made, self.root)), "issued"


def _certificate(name, issuer, public, key, days, domain):
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(public).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=domain is None, path_length=None), critical=True))  # fmt: skip
    if domain:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
    return made.sign(key, hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def log_message(self, *_: object) -> None:
        """Not into the test's output."""

    def do_HEAD(self):
        self.answer(200, None)

    def do_GET(self):
        url = self.issuer.url
        self.answer(200, {"newNonce": f"{url}/nonce", "newAccount": f"{url}/account", "newOrder": f"{url}/order", "meta": {"termsOfService": f"{url}/terms"}})

    def do_POST(self):
        issuer, path = self.issuer, self.path.strip("/").split("/")
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        signed = jws.JWS.json_loads(text)
        head = signed.signature.combined
        key = head.jwk or issuer.accounts[head.kid]
        assert signed.verify(key), "the signature is wrong"
        assert head.url == f"{issuer.url}{self.path}"
        issuer.nonces.remove(josepy.encode_b64jose(head.nonce))
        body = json.loads(signed.payload or b"null")
        getattr(self, f"on_{path[0]}")(path[1:], body, key, head)

    def on_account(self, _path, body, key, _head):
        known = next((where for where, one in self.issuer.accounts.items() if one == key), None)
        where = known or f"{self.issuer.url}/account/{len(self.issuer.accounts) + 1}"
        self.issuer.accounts[where] = key
        assert known or (body["termsOfServiceAgreed"] and not body.get("onlyReturnExisting"))
        self.answer(200 if known else 201, {"status": "valid"}, Location=where)

    def on_order(self, path, body, key, _head):
        issuer = self.issuer
        if not path:
            number = str(len(issuer.orders) + 1)
            issuer.orders[number] = {"domain": body["identifiers"][0]["value"], "state": "pending", "token": secrets.token_urlsafe(32),
                                     "thumbprint": base64.urlsafe_b64encode(key.thumbprint()).decode().rstrip("="), "chain": ""}
            return self.answer(201, self.order(number), Location=f"{issuer.url}/order/{number}")
        return self.answer(200, self.order(path[0]))

    def order(self, number):
        url, order = self.issuer.url, self.issuer.orders[number]
        status = {"pending": "pending", "valid": "ready", "invalid": "invalid", "issued": "valid"}[order["state"]]
        told = {"status": status, "identifiers": [{"type": "dns", "value": order["domain"]}], "authorizations": [f"{url}/authorization/{number}"],
                "finalize": f"{url}/finalize/{number}"}
        return told | ({"certificate": f"{url}/certificate/{number}"} if order["chain"] else {})

    def on_authorization(self, path, _body, _key, _head):
        order = self.issuer.orders[path[0]]
        state = {"issued": "valid"}.get(order["state"], order["state"])
        self.answer(200, {"status": state, "identifier": {"type": "dns", "value": order["domain"]}, "challenges": [self.challenge(path[0])]})

    def challenge(self, number):
        order = self.issuer.orders[number]
        told = {"type": "http-01", "url": f"{self.issuer.url}/challenge/{number}", "token": order["token"],
                "status": {"issued": "valid"}.get(order["state"], order["state"])}
        if order["state"] == "invalid":
            told["error"] = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": f"found {self.issuer.looked[-1]!r}"}
        return told

    def on_challenge(self, path, body, _key, _head):
        if body is not None:
            self.issuer.look(self.issuer.orders[path[0]])
        self.answer(200, self.challenge(path[0]), Link=f'<{self.issuer.url}/authorization/{path[0]}>;rel="up"')

    def on_finalize(self, path, body, _key, _head):
        self.issuer.sign(self.issuer.orders[path[0]], josepy.decode_b64jose(body["csr"]))
        self.answer(200, self.order(path[0]), Location=f"{self.issuer.url}/order/{path[0]}")

    def on_certificate(self, path, _body, _key, _head):
        self.answer(200, self.issuer.orders[path[0]]["chain"].encode())

    def answer(self, status, body, **headers):
        nonce = secrets.token_urlsafe(16)
        self.issuer.nonces.add(nonce)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Replay-Nonce": nonce, "Content-Length": str(len(content)), **headers,
                            "Content-Type": "application/pem-certificate-chain" if isinstance(body, bytes) else "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
