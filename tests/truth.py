"""What Asterisk itself says of calls, extensions and trunks, asked by the test with its own words, and what a page shows.

Nothing of the product's live state is used here: lists of the manager and the console, joined as a person would.
"""

import re
from typing import Any

from playwright.sync_api import Page

from appliance import settings
from appliance.errors import Busy
from appliance.telephony import ami, runtime

DEVICE = {"Not in use": "livre", "In use": "falando", "Ringing": "tocando", "Ring+Inuse": "tocando", "On Hold": "em espera",
          "Unavailable": "desconectado", "Invalid": "desconectado"}  # fmt: skip
WORDS = {"hold": "em espera", "talking": "falando", "ringing": "tocando", "up": "atendida", "calling": "chamando"}

ASKED = {"hold": "CHANNEL(rtp,hold)", "codec": "CHANNEL(audionativeformat)", "far": "CHANNEL(pjsip,remote_uri)", "wanted": "CHANNEL(pjsip,request_uri)"}

SHOWN = """() => {
  const text = (element) => element ? element.innerText.replace(/\\s+/g, " ").trim() : "";
  const word = (element) => text(element.querySelector(".state-word"));
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  return {
    exchange: document.getElementById("exchange").dataset.state,
    head: text(document.getElementById("exchange-state")),
    lost: document.body.classList.contains("live-lost"),
    count: text(document.getElementById("calls-count")),
    calls: all("#calls > .call").map((call) => ({
      state: word(call.querySelector(".call-state")), from: text(call.querySelector(".call-from")), to: text(call.querySelector(".call-to")),
      trunk: call.dataset.trunk, ticks: /^\\d+:\\d\\d/.test(text(call.querySelector("time"))),
      legs: all(".leg", call).map((leg) => [leg.dataset.channel, leg.querySelector(".state-word").textContent.trim(),
                                            (leg.querySelector(".codec") || {textContent: ""}).textContent]),
    })),
    extensions: Object.fromEntries(all("#extensions > .extension").map((one) => [one.dataset.extension, word(one)])),
    trunks: Object.fromEntries(all("#trunks > .trunk").map((one) => [text(one.querySelector(".trunk-name")),
      [word(one), Number(one.querySelector(".trunk-calls").dataset.calls), Number(one.querySelector(".trunk-calls").dataset.used),
       one.querySelector(".trunk-check") !== null]])),
  };
}"""


def shown(page: Page) -> dict[str, Any]:
    """The page as it is, in the words a person reads; calls in the order of their first channel."""
    found: dict[str, Any] = page.evaluate(SHOWN)
    for call in found["calls"]:
        call["legs"] = sorted(tuple(leg) for leg in call["legs"])
        call["from"], call["to"] = _key(call["from"]), _key(call["to"])
    found["calls"].sort(key=lambda call: call["legs"])
    return found


def truth(extensions: dict[str, str], trunks: dict[str, str]) -> dict[str, Any] | None:
    """The same, from Asterisk; None when it does not answer. `extensions` are number → name, `trunks` endpoint → name."""
    machine = settings.load()
    try:
        with ami.actions(machine) as asterisk:
            channels = _channels(asterisk)
            endpoints = {event["ObjectName"]: event["DeviceState"] for event in _list(asterisk, "PJSIPShowEndpoints")}
            reachable = {name: _is_reachable(asterisk, name) for name in trunks}
        places = runtime.command(runtime.control(machine), "group show channels", timeout=3)
    except Busy:
        return None
    calls = [_call(group, extensions, trunks) for group in _groups(channels)]
    on_hold = _holding(channels)
    return {
        "exchange": "running", "head": "Central em funcionamento", "lost": False, "count": str(len(calls)),
        "calls": sorted(calls, key=lambda call: call["legs"]),
        "extensions": {number: _device(number, endpoints.get(number, ""), on_hold) for number in extensions},
        "trunks": {name: ["alcançável" if reachable[endpoint] else "não responde", sum(one["endpoint"] == endpoint for one in channels),
                          len(re.findall(rf"PJSIP/{endpoint}-\S+\s+{endpoint.partition('-')[2]}\s+trunk", places)), not reachable[endpoint]]
                   for endpoint, name in trunks.items()},
    }  # fmt: skip


def _list(asterisk: ami.Connection, action: str, **headers: str) -> list[dict[str, str]]:
    return asterisk.ask({"Action": action, **headers}).events


def _channels(asterisk: ami.Connection) -> list[dict[str, str]]:
    found = []
    for event in _list(asterisk, "CoreShowChannels"):
        said = {"name": event["Channel"], "endpoint": event["Channel"].partition("/")[2].rpartition("-")[0]}
        for key, variable in ASKED.items():
            answer = asterisk.ask({"Action": "Getvar", "Channel": event["Channel"], "Variable": variable})
            said[key] = answer.headers.get("Value", "").strip("()")
        for key in ("far", "wanted"):  # the numbers of the SIP dialog: its other end, and whom it asked for
            said[key] = said[key].partition(":")[2].partition("@")[0]
        found.append(event | said)
    return sorted(found, key=lambda one: [int(number) for number in re.findall(r"\d+", one["Uniqueid"])])


def _is_reachable(asterisk: ami.Connection, endpoint: str) -> bool:
    return any(event.get("Status") == "Reachable" for event in _list(asterisk, "PJSIPShowEndpoint", Endpoint=endpoint))


def _groups(channels: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Channels that are one conversation: the same Linkedid or the same bridge, followed to the end."""
    groups: list[list[dict[str, str]]] = []
    for channel in channels:
        near = [group for group in groups if any(one["Linkedid"] == channel["Linkedid"] or (one["BridgeId"] and one["BridgeId"] == channel["BridgeId"])
                                                 for one in group)]  # fmt: skip
        groups = [group for group in groups if group not in near]
        groups.append([one for group in near for one in group] + [channel])
    return groups


def _leg(channel: dict[str, str]) -> str:
    if channel["ChannelStateDesc"] == "Up":
        return "em espera" if channel["hold"] == "1" else "falando" if channel["BridgeId"] else "atendida"
    return "tocando" if channel["ChannelStateDesc"] == "Ringing" else "chamando"


def _call(group: list[dict[str, str]], extensions: dict[str, str], trunks: dict[str, str]) -> dict[str, Any]:
    group = sorted(group, key=lambda one: [int(number) for number in re.findall(r"\d+", one["Uniqueid"])])
    legs = sorted((one["name"], _leg(one), one["codec"] if one["ChannelStateDesc"] == "Up" else "") for one in group)
    states = {leg[1] for leg in legs}
    who = [f"{one['endpoint']} {extensions[one['endpoint']]}" if one["endpoint"] in extensions else one["far"] for one in group]
    return {
        "state": next(word for word in WORDS.values() if word in states), "from": _key(who[0]), "to": _key(", ".join(who[1:] or [group[0]["wanted"]])), "ticks": True,
        "trunk": next((trunks[one["endpoint"]] for one in group if one["endpoint"] in trunks), ""), "legs": legs,
    }  # fmt: skip


def _holding(channels: list[dict[str, str]]) -> set[str]:
    """Endpoints whose every answered call is on hold by their own doing."""
    answered = [one for one in channels if one["ChannelStateDesc"] == "Up"]
    return {one["endpoint"] for one in answered if all(other["hold"] == "1" for other in answered if other["endpoint"] == one["endpoint"])}


def _device(number: str, state: str, on_hold: set[str]) -> str:
    word = DEVICE.get(state, f"? {state}")
    return "em espera" if word == "falando" and number in on_hold else word


def _key(text: str) -> str:
    """A label without what only makes it easier to read: `(48) 99999-1234` is 48999991234."""
    return re.sub(r"[()\s-]", "", text)
