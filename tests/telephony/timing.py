"""How long render, check and shadow take for many extensions: `python -m tests.telephony.timing 5000`."""

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from appliance.telephony import check, learning, render, revision, runtime
from tests.telephony import small

PHONES = """[phone](!)
type = endpoint
context = interno
disallow = all
allow = alaw,ulaw
direct_media = no
rtp_symmetric = yes
force_rport = yes
rewrite_contact = yes
{% for row in rows %}
; from {{ origin(row) }}
[{{ row.number|section }}](phone)
auth = {{ row.number }}
aors = {{ row.number }}
callerid = {{ row.name|quoted }} <{{ row.number }}>
set_var = BENTEVI_EXTENSION={{ row.id }}
accountcode = {{ row.id }}
[{{ row.number|section }}]
type = aor
max_contacts = 2
remove_existing = {{ row.replaces }}
{% endfor %}
"""
AUTHS = """{% for row in rows %}
; from {{ origin(row) }}
[{{ row.number|section }}]
type = auth
username = {{ row.number }}
password = {{ row.secret }}
{% endfor %}
"""
DIALPLAN = """[interno]
{% for row in rows %}
; from {{ origin(row) }}
exten => {{ row.number }},hint,PJSIP/{{ row.number }}
exten => {{ row.number }},1,Dial(PJSIP/{{ row.number }},20,tT)
 same => n,GotoIf($["${DIALSTATUS}" = "BUSY"]?ocupado,s,1:fim)
 same => n(fim),Hangup()
{% endfor %}
[ocupado]
exten => s,1,Busy(5)
"""


def rendered(settings, count, name="Ana"):
    """The files of a company with this many extensions; `name` is that of the first."""
    rows = [
        SimpleNamespace(word="extensions", id=at, number=str(10_000 + at), name="Ana", replaces=True, secret=f"s{at}")
        for at in range(1, count + 1)
    ]
    rows[0].name = name
    pjsip, auths, plan = (render.render(f"{word}.conf.j2", rows=rows) for word in ("phones", "auths", "plan"))
    queue = small.QUEUES.replace("2001", "10001").replace("2002", "10002")
    return small.files(settings, pjsip=pjsip, auths=auths, dialplan=plan, queues=queue)


def main(count):
    """Prints seconds, one line each."""
    with tempfile.TemporaryDirectory(prefix="bentevi-") as scratch:
        home = Path(scratch)
        for word, text in {"phones": PHONES, "auths": AUTHS, "plan": DIALPLAN}.items():
            (home / f"{word}.conf.j2").write_text(text)
        render.TEMPLATE_FOLDERS.append(home)
        settings = small.settings_in(home / "home")
        known = learning.known(settings)
        rendered(settings, 1)
        began = time.perf_counter()
        files = rendered(settings, count)
        print(f"render {time.perf_counter() - began:.3f}")
        began = time.perf_counter()
        found = check.check(files, known)
        print(f"check {time.perf_counter() - began:.3f} ({len(found)} findings)")
        revision.apply(settings, revision.Candidate(1, files))
        with small.running(settings):
            began = time.perf_counter()
            done = revision.apply(settings, revision.Candidate(2, rendered(settings, count, "Ana Maria")))
            steps = " ".join(f"{name} {seconds:.3f}" for name, seconds in done.seconds.items())
            print(f"one name changed, applied {time.perf_counter() - began:.3f}: {steps}")
            for command in ("module reload res_pjsip.so", "dialplan reload"):
                began = time.perf_counter()
                runtime.command(runtime.control(settings), command)
                print(f"{command} {time.perf_counter() - began:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
