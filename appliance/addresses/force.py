"""What the rows say about addresses, put into force: a file for pages and firewall, one for Asterisk, which reads it again. The firewall is
told the ports of the home beside it, so that a machine with other ones needs no rule of its own.

Without root. Asterisk refuses a closed address with 403 before it looks who it is (res_pjsip_acl); calls that are up go on, tried on
22.10.1. Its file lies outside the revisions: a ban is no change of the configuration.
"""

import hashlib
import logging
import re
from collections.abc import Iterable

from appliance import closed, live, networks, ports, settings, whole_files
from appliance import db as ground
from appliance.address_policy import bans
from appliance.address_rules import model as rules
from appliance.closed import PAGES, SIP, WHOLE
from appliance.db import db
from appliance.errors import Busy
from appliance.networks import ALLOW, Network
from appliance.settings import Settings
from appliance.telephony import locks, runtime

log = logging.getLogger("bentevi.addresses")
WAIT_SECONDS = 20.0
RELOAD = "module reload acl"


def put() -> None:
    """Everything as the rows say now. May run at any time, twice, and by several processes. Ends the transaction it reads in.

    Raises Busy when Asterisk runs and does not take it, or another is at it for long: the files then stand, the next look tries again, and an
    Asterisk that starts reads them.
    """
    machine = settings.load()
    machine.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locks.held(machine.run / "addresses.lock", WAIT_SECONDS) as is_ours:
        if not is_ours:
            raise Busy("the addresses are being put into force by another process")
        db.session.rollback()  # the rows of this moment, not of when the unit of work began
        ground.read_only()
        wanted = decided()
        db.session.rollback()
        is_new = whole_files.write(closed.file(), closed.text_of(wanted))
        whole_files.write(closed.file().with_name("ports"), _ports(machine))
        _tell_asterisk(machine, acl_text([*wanted[WHOLE], *wanted[SIP]]))
    if is_new:
        live.announce(addresses=1)


def _ports(machine: Settings) -> str:
    """Those Asterisk listens on, those it will from its next start, and the voice ports of calls that began before a change."""
    control = runtime.control(machine)
    if runtime.is_running(control) and not runtime.calls_up(control):
        ports.note_quiet(machine)
    return "".join(dict.fromkeys((ports.started(machine).lines() + ports.in_force(machine).lines()).splitlines(keepends=True)))


def decided() -> dict[str, list[Network]]:
    """What is closed, by kind. A rule that allows an address outranks its ban."""
    held = rules.rules()
    whole = networks.closed_by(held)
    found: dict[str, list[Network]] = {WHOLE: whole, SIP: [], PAGES: []}
    for ban in bans.standing():
        one = networks.address(ban.address)
        if one is not None and networks.rule_for(one, held) != ALLOW and not networks.is_inside(one, whole):
            found[ban.kind].append(networks.read(ban.address))
    return {kind: networks.merged(several) for kind, several in found.items()}


def acl_text(several: Iterable[Network]) -> str:
    """Lines of the ACL `bentevi-closed` of acl.conf."""
    return "; Written by Bentevi: addresses that may not use SIP. Changes made here are lost.\n" + "".join(f"deny = {network}\n" for network in several)


def _tell_asterisk(machine: Settings, text: str) -> None:
    """Write the file and have a running Asterisk read it, also when an earlier reload did not come to its end."""
    file, told = machine.asterisk / "closed.acl.conf", machine.asterisk / "closed.acl.told"
    digest = hashlib.sha256(text.encode()).hexdigest()
    is_new = whole_files.write(file, text)
    if not is_new and told.exists() and told.read_text() == digest:
        return
    control = runtime.control(machine)
    if control.exists() and runtime.is_running(control):
        told.unlink(missing_ok=True)
        said = runtime.command(control, RELOAD)
        if not re.search(r"reloaded successfully", said):
            raise Busy(f"Asterisk did not take the closed addresses: {said.strip()[:200]}")
    whole_files.write(told, digest)
