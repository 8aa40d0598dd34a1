"""Functions of Asterisk that the product's own dialplan does not offer yet, written by hand into the revision in force, so that
what its records say about them is proved today. The next apply makes new files."""

from appliance import settings
from appliance.telephony import runtime

DIALPLAN = """
[bentevi-own-numbers](+)
exten => 600,1,Answer()
 same => n,ConfBridge(room)
exten => 700,1,Answer()
 same => n,Queue(q1,,,,20)
 same => n,Hangup(17)
exten => 701,1,Answer()
 same => n,Queue(q2,,,,2)
 same => n,Hangup(17)
exten => 77,1,Park()
exten => _85X,1,ParkedCall(default,${EXTEN})
exten => 79,1,PickupChan(PJSIP/1002,p)
exten => _2100X,1,Set(__TRANSFER_CONTEXT=lab-transfers)
 same => n,Dial(PJSIP/${EXTEN:1},20,tTkK)
exten => 710,1,Answer()
 same => n,Wait(20)
[lab-transfers]
exten => _10XX,1,Dial(PJSIP/${EXTEN},20)
"""
QUEUES = """
[q1]
strategy = ringall
timeout = 5
retry = 1
ringinuse = no
member => PJSIP/1002
member => PJSIP/1003
[q2]
strategy = ringall
timeout = 5
retry = 1
member => PJSIP/1003
"""


def write() -> None:
    """Into force, until the next apply."""
    machine = settings.load()
    for name, text in (("extensions.conf", DIALPLAN), ("queues.conf", QUEUES)):
        with open(machine.asterisk / "etc" / name, "a") as file:
            file.write(text)
    for command in ("dialplan reload", "queue reload all"):
        runtime.command(runtime.control(machine), command)
