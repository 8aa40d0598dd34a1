"""A small company written by hand: two ramais, a registering trunk, a queue, a dialplan; and an Asterisk for it."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from appliance.settings import Settings, load
from appliance.telephony import runtime
from appliance.telephony.render import render
from appliance.telephony.system_files import Secrets, system_files

SECRETS = Secrets("actions-secret", "events-secret", "agi-token")
PARTS = ("sip.pjsip.conf", "extensions.pjsip.conf", "secrets.pjsip.conf", "trunks.pjsip.conf", "queues.queues.conf",
         "extensions.extensions.conf")  # fmt: skip
REST = "company.extensions.conf"  # contexts that the hand-written dialplan includes and this company does not use
CONTEXTS = (
    "emergency", "own-numbers", "internal", "overflow-rules", "protocol", "feature-codes", "numbers-queues", "numbers-ivrs", "numbers-rooms",
    "answered", "shifts", "rating-next", "transfer-inside", "transferring",
)
SECRET_FILES = frozenset({"bentevi/secrets.pjsip.conf", "manager.conf", "bentevi-secrets.extensions.conf"})

PJSIP = """; template: extensions.pjsip.conf.j2
[phone](!)
type = endpoint
context = interno
disallow = all
allow = alaw,ulaw
; from extensions 1
[2001](phone)
auth = 2001
aors = 2001
callerid = "Ana" <2001>
[2001]
type = aor
max_contacts = 2
; from extensions 2
[2002](phone)
auth = 2002
aors = 2002
callerid = "Bruno" <2002>
[2002]
type = aor
max_contacts = 1
"""
AUTHS = """; template: secrets.pjsip.conf.j2
; from extensions 1
[2001]
type = auth
username = 2001
password = s2001
; from extensions 2
[2002]
type = auth
username = 2002
password = s2002
"""
TRUNKS = """; template: trunks.pjsip.conf.j2
; from trunks 7
[trunk-7]
type = endpoint
context = interno
disallow = all
allow = alaw
aors = trunk-7
[trunk-7]
type = aor
contact = sip:127.0.0.9:5099
[trunk-7]
type = identify
endpoint = trunk-7
match = 127.0.0.9:5099/32
[trunk-7]
type = registration
server_uri = sip:127.0.0.9:5099
client_uri = sip:empresa@127.0.0.9:5099
"""
QUEUES = """; template: queues.queues.conf.j2
; from queues 12
[queue-12]
strategy = rrmemory
timeout = 15
member => PJSIP/2001,0,Ana,PJSIP/2001
member => PJSIP/2002,1,Bruno,PJSIP/2002
"""
DIALPLAN = """; template: extensions.extensions.conf.j2
[interno]
; from extensions 1
exten => 2001,hint,PJSIP/2001
exten => 2001,1,Dial(PJSIP/2001,20)
 same => n,GotoIf($["${DIALSTATUS}" = "BUSY"]?ocupado,s,1:fim)
 same => n(fim),Hangup()
; from queues 12
exten => 3000,1,Answer()
 same => n,Queue(queue-12,,,,60)
 same => n,Goto(ocupado,s,1)
include => extras
[ocupado]
exten => s,1,Busy(5)
[extras]
exten => _9X.,1,Set(CALLERID(num)=${FILTER(0-9,${CALLERID(num)})})
 same => n,Hangup()
"""


def settings_in(home: Path, **more: str) -> Settings:
    """A home with ports of its own."""
    ports = {f"BENTEVI_{name}_PORT": str(free_port()) for name in ("SIP", "AMI", "AGI", "WS")}
    return load({"BENTEVI_HOME": str(home), "BENTEVI_RTP_PORTS": "21000-21100", **ports, **more})


def files(settings: Settings, **parts: str) -> dict[str, str]:
    """The complete set; `pjsip=`, `auths=`, `trunks=`, `queues=`, `dialplan=` replace a part."""
    transports = render("sip.pjsip.conf.j2", sip=SimpleNamespace(word="sip", id=1), bind=settings.bind, port=settings.sip_port, external_ip="", local_networks=[], guests=False)
    texts = (transports, parts.get("pjsip", PJSIP), parts.get("auths", AUTHS), parts.get("trunks", TRUNKS),
             parts.get("queues", QUEUES), parts.get("dialplan", DIALPLAN))  # fmt: skip
    mine = {f"bentevi/{name}": text for name, text in zip(PARTS, texts, strict=True)}
    rest = "".join(f"[bentevi-{name}]\nexten => s,1,Hangup()\n" for name in CONTEXTS)
    return {**system_files(settings, SECRETS, (*PARTS, REST)), **mine, f"bentevi/{REST}": f"; template: {REST}\n{rest}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Asterisk on the revision in force, until the end of the block."""
    main = str(settings.asterisk / "etc" / "asterisk.conf")
    with (settings.asterisk / "stdout.log").open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *runtime.asterisk_argv("-C", main, "-f")],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        assert runtime.wait_booted(runtime.control(settings), 30), (settings.asterisk / "stdout.log").read_text()
        yield
    finally:
        process.kill()
        process.wait()
