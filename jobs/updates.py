"""Jobs around new versions: look at the address of the policy, and fetch what is newer (SYS-11)."""

from datetime import datetime, timedelta

from appliance import alarms, settings
from appliance import db as ground
from appliance.db import db
from appliance.updates import fetch as over_network
from appliance.updates import state

EVERY, AGAIN = timedelta(hours=22), timedelta(hours=1)  # after a good look; after one that was not answered


def look(_: int = 0) -> None:
    """Once a day at the address, when there is one; the alarm of a version that is installed by now ends. May run at any time."""
    machine, policy = settings.load(), over_network.policy()
    address, wants_file = policy.address, policy.download
    db.session.rollback()  # the network may take its time
    said = over_network.found(machine)
    if state.is_possible() and address and _is_due(said):
        said = over_network.fetch(machine, address) if wants_file else over_network.look(machine, address)
    _tell(said if address else over_network.Found())


def _is_due(said: over_network.Found) -> bool:
    return not said.at or ground.now() - datetime.fromisoformat(said.at) > (AGAIN if said.code == "no_answer" else EVERY)


def look_now(_: int = 0) -> None:
    """Somebody asked. May be delivered twice."""
    _tell(over_network.look(settings.load(), _address()))


def fetch(_: int = 0) -> None:
    """Somebody asked for the file. Goes on where it was cut off. May be delivered twice."""
    _tell(over_network.fetch(settings.load(), _address()))


def _address() -> str:
    address = over_network.policy().address
    db.session.rollback()
    return address


def _tell(said: over_network.Found) -> None:
    """The start page says which version waits; what went wrong stands on the page of updates."""
    if said.version:
        alarms.put("update_found", version=said.version)
    else:
        alarms.clear("update_found")
    db.session.commit()
