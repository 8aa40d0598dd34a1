"""Strangers on the network: who exists is told to nobody, and no call without a password reaches a carrier (docs/hardening.md)."""

import contextlib
import re
import socket

import pytest

from appliance import settings
from tests.build import make_extension, make_outbound_route, make_profile, make_trunk, sip
from tests.certificates import websocket
from tests.sip import credentials_for, new_branch, token
from tests.stranger import SESSION, Stranger, told

pytestmark = pytest.mark.pbx

NUMBER = "48999998888"
METHODS = ("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "REFER", "INFO", "UPDATE", "PRACK", "BYE", "CANCEL", "FOO")
PARTS = {
    "INVITE": {"headers": [("Content-Type", "application/sdp")], "body": SESSION}, "SUBSCRIBE": {"headers": [("Event", "presence")]},
    "PUBLISH": {"headers": [("Event", "presence")]}, "MESSAGE": {"headers": [("Content-Type", "text/plain")], "body": b"hello"},
    "REFER": {"headers": [("Refer-To", "<sip:1000@127.0.0.1>")]}, "NOTIFY": {"headers": [("Event", "dialog"), ("Subscription-State", "active")]},
}


def exchange(pbx, carrier):
    """An extension that may dial everywhere, and a carrier that would take it."""
    make_trunk("Operadora", carrier.port)
    make_outbound_route("Tudo", {"mask": "X.", "trunk": "Operadora"})
    make_profile("Completo", "Tudo")
    ana = make_extension("1000", dialing_profile="Completo")
    pbx.apply()
    return ana


def test_answers_do_not_tell_who_exists(pbx, carrier):
    """EXT-02, USR-35: byte for byte the same for an extension, a trunk and nobody, in every method, also after a wrong password."""
    exchange(pbx, carrier)
    for method in METHODS:
        said = {}
        for user in ("1000", "8642", "Operadora", "anonymous"):
            with Stranger(pbx.address) as stranger:
                said[user] = told(stranger.ask(method, user, **PARTS.get(method, {})), user)
        assert said["1000"] and said["1000"][0].split()[1] in ("401", "481"), (method, said["1000"])
        assert said["1000"] == said["8642"] == said["Operadora"] == said["anonymous"], method


def test_a_wrong_password_and_an_unknown_extension_are_answered_alike(pbx, carrier):
    """EXT-03, USR-35: with a nonce of ours, with one made up, and with an old one given again."""
    exchange(pbx, carrier)
    host, port = pbx.address
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        uri = f"sip:{host}:{port}" if method == "REGISTER" else f"sip:1000@{host}:{port}"
        said = {}
        for user in ("1000", "8642"):
            with Stranger(pbx.address) as stranger:
                first = stranger.ask(method, user, uri=uri)[-1]
                name, right_nonce = credentials_for(first, method, uri, user, "guessed")
                lines = []
                for value in (right_nonce, re.sub(r'nonce="[^"]*"', 'nonce="0/0"', right_nonce), right_nonce, right_nonce.replace('realm="bentevi"', 'realm="x"')):
                    lines += told(stranger.ask(method, user, uri=uri, headers=[(name, value)]), user)
            said[user] = lines
        assert len(said["1000"]) == 4 and said["1000"] == said["8642"], method
        assert all(line.split()[1] in ("401", "403") for line in said["1000"]), (method, said)


FORMS = [
    "sip:{number}@{host}:{port}", "sip:+55{number}@{host}:{port}", "sip:00{number}@{host}:{port}", "sip:0{number}@{host}:{port};transport=udp", "sip:{number}@evil.example",
    "sip:{number};phone-context=+55@{host}:{port};user=phone", "sip:1000@{host}:{port};number={number}", "sip:{number}%40x@{host}:{port}", "sip:{host}:{port}",
    "sip:{number}:secret@{host}:{port}", "tel:+55{number}", "sips:{number}@{host}:{port}", "sip:%34%38999998888@{host}:{port}", "sip:Operadora@{host}:{port}",
    "sip:{number}@{host}:{port}?Replaces=x", "sip:*43{number}@{host}:{port}", "sip:192@{host}:{port}",
]


@pytest.mark.parametrize("guests", [False, True])
def test_no_call_without_a_password_leaves_by_a_carrier(pbx, carrier, guests):
    """RTE-09, TRK-21: whatever the address, the From and the headers claim; also while guests may reach extensions."""
    exchange(pbx, carrier)
    sip(allow_guests=guests)
    pbx.apply()
    host, port = pbx.address
    senders = [f"<sip:1000@{host}>", f'"Ana" <sip:1000@{host}:{port}>', f"<sip:Operadora@{host}>", f"<sip:{host}>", "<sip:anonymous@anonymous.invalid>", f"<tel:+55{NUMBER}>"]
    claims = [
        [], [("P-Asserted-Identity", f"<sip:1000@{host}>")], [("Remote-Party-ID", f"<sip:1000@{host}>;party=calling;screen=yes")],
        [("Diversion", f"<sip:1000@{host}>;reason=unconditional")], [("Route", f"<sip:127.0.0.1:{carrier.port};lr>")], [("Authorization", 'Digest username="1000"')],
        [("Replaces", "x;to-tag=1;from-tag=2")], [("X-Bentevi-Trunk", "1")],
    ]
    asked = [(form, senders[0], []) for form in FORMS] + [(FORMS[0], sender, []) for sender in senders] + [(FORMS[0], senders[0], lines) for lines in claims]
    for form, sender, lines in asked:
        with Stranger(pbx.address) as stranger:
            uri = form.format(number=NUMBER, host=host, port=port)
            answers = stranger.ask("INVITE", NUMBER, uri=uri, sender=sender, headers=[("Content-Type", "application/sdp"), *lines], body=SESSION)
            assert not any(200 <= one.status < 300 for one in answers), (uri, sender, lines)
            stranger.send(stranger.message("CANCEL", NUMBER, uri=uri, sender=sender))
    assert not carrier.calls and not any(one.method == "INVITE" for one in carrier.messages)
    assert "0 active calls" in pbx.ask("core show channels")


MALFORMED = {
    "nothing": b"", "a zero": b"\0", "noise": bytes(range(256)) * 4, "keep-alive": b"\r\n\r\n", "a request line alone": b"INVITE sip:1000@x SIP/2.0\r\n",
    "no headers": b"INVITE sip:1000@x SIP/2.0\r\n\r\n", "another version": b"REGISTER sip:x SIP/9.9\r\n\r\n", "half a header": b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP",
}


def bent(stranger):
    """A good INVITE, bent in one place each."""
    good = stranger.message("INVITE", "1000", headers=[("Content-Type", "application/sdp")], body=SESSION)
    head, _blank, body = good.partition(b"\r\n\r\n")
    yield from MALFORMED.values()
    yield from (good[:cut] for cut in range(1, len(good), max(1, len(good) // 40)))
    for length in (b"-1", b"-2147483648", b"99999999999999999999", b"65536", b"0", b"1e9", b"x", b""):
        yield re.sub(rb"Content-Length: \d+", b"Content-Length: " + length, good)
    for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Max-Forwards", b"Contact"):
        yield re.sub(rb"(?m)^" + name + rb": [^\r]*\r\n", b"", good)
        yield re.sub(rb"(?m)^" + name + rb": [^\r]*", name + b": " + b"A" * 20_000, good)
        yield re.sub(rb"(?m)^" + name + rb": [^\r]*", name + b": \xff\xfe\xc0\xaf\x00\x80", good)
        yield re.sub(rb"(?m)^" + name + rb": [^\r]*", name + b": <<<<\"\"\";;;=%s%n%n%x", good)
    yield head + b"\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKa" * 500 + b"\r\n\r\n" + body
    yield head + b"".join(b"\r\nX-%d: y" % number for number in range(3000)) + b"\r\n\r\n" + body
    yield good.replace(b"1000@", b"1" * 5000 + b"@")
    yield good.replace(b"1000@", "ramal-é-\U0001f600".encode() + b"@").replace(b"SIP/2.0/UDP", b"SIP/2.0/XXX")
    yield re.sub(rb"CSeq: [^\r]*", b"CSeq: 4294967296 INVITE", good)
    yield re.sub(rb"CSeq: [^\r]*", b"CSeq: 1 REGISTER", good)
    yield good.replace(b"m=audio 4000", b"m=audio 99999999").replace(b"RTP/AVP 8", b"RTP/AVP" + b" 8" * 2000)
    yield good.replace(body, b"v=0\r\n" * 5000)


def by_udp(raw):
    with Stranger(("127.0.0.1", settings.load().sip_port)) as stranger:
        stranger.send(raw)


def by_tcp(raw):
    """A connection each: the exchange may close it on the sender, and does."""
    with socket.create_connection(("127.0.0.1", settings.load().sip_port), timeout=5) as connection, contextlib.suppress(OSError):
        connection.sendall(raw.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))


def by_websocket(raw):
    """As a browser sends it, and then bytes that are no frame at all."""
    with socket.create_connection(("127.0.0.1", settings.load().ws_port), timeout=5) as connection, contextlib.suppress(OSError):
        connection.sendall(websocket.opening("localhost"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        connection.sendall(websocket.frame(raw.replace(b"SIP/2.0/UDP", b"SIP/2.0/WS")))
        connection.sendall(raw)


@pytest.mark.parametrize("send", [by_udp, by_tcp, by_websocket])
def test_malformed_messages_neither_stop_the_exchange_nor_a_call(pbx, phone, carrier, send):
    """TRK-09, USR-35: cut off, far too long, wrong bytes, negative lengths, five hundred Via: the call goes on, Asterisk is the same process."""
    ana = exchange(pbx, carrier)
    bruno = make_extension("1001")
    pbx.apply()
    first, second = phone(ana), phone(bruno)
    call, pid = first.call("1001"), pbx.pid()
    there = second.answer()
    assert call.talks_with(there)
    with Stranger(pbx.address) as stranger:
        for raw in bent(stranger):
            send(raw.replace(b"branch=z9hG4bK", b"branch=" + new_branch().encode())[:65_000])
    with Stranger(pbx.address) as stranger:
        assert stranger.ask("OPTIONS", token())[-1].status == 401, "it still answers"
    assert call.talks_with(there) and pbx.pid() == pid and not carrier.calls
    call.hang_up()
    again = second.call("1000")
    assert again.talks_with(first.answer())
