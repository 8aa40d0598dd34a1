"""docs/features.md: row → screen → tests, from the docstrings of the tests and the lists below.

    python -m tests.features        writes the page; a test fails while it is not up to date
"""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "features.md"
ID = re.compile(r"\b([A-Z]{3}-\d\d)(?: to ([A-Z]{3})-(\d\d))?\b")

# Row → what it is, and the screen it is used on.
ROWS = {
    "EXT-01": ("Extension list: create, edit, delete", "/extensions"),
    "EXT-02": ("Extension number", "/extensions"),
    "EXT-03": ("SIP password", "/extensions"),
    "EXT-04": ("Name of the extension", "/extensions"),
    "EXT-05": ("Cost centre of the extension", "/extensions"),
    "EXT-06": ("Pickup group of the extension", "/extensions"),
    "EXT-08": ("Class of the extension", "/extensions"),
    "EXT-16": ("Voicemail of a class", "/extension_classes, /voicemail_boxes"),
    "EXT-17": ("Lock", "/extension_classes, /follow_me"),
    "EXT-18": ("Follow-me permission", "/extension_classes, /follow_me"),
    "EXT-19": ("Password for outside calls", "/extension_classes"),
    "EXT-07": ("Dialing profile of the extension", "/extensions"),
    "EXT-13": ("Number, name and password are enough", "/extensions"),
    "EXT-14": ("Class register", "/extension_classes"),
    "EXT-15": ("Phones behind NAT", "/extension_classes"),
    "EXT-20": ("Call recording policy", "/extension_classes, /recordings, /recording_policy"),
    "EXT-21": ("Simultaneous calls", "/extension_classes"),
    "EXT-23": ("Force caller ID", "/extension_classes"),
    "EXT-24": ("Ring time", "/extension_classes"),
    "EXT-25": ("Hours for making calls", "/extension_classes"),
    "EXT-26": ("Pickup groups (the register)", "/pickup_groups"),
    "EXT-27": ("Dialing profiles", "/dialing_profiles"),
    "EXT-28": ("Device kinds: SIP devices", "/extensions"),
    "TRK-01": ("Trunk list", "/trunks"),
    "TRK-02": ("Name of the trunk", "/trunks"),
    "TRK-03": ("Enable a trunk", "/trunks"),
    "TRK-04": ("Protocol", "/trunks"),
    "TRK-05": ("Call limit", "/trunks"),
    "TRK-06": ("Trunk status", "/"),
    "TRK-07": ("Network ports", "environment"),
    "TRK-08": ("Receives registration", "/trunks"),
    "TRK-09": ("Sends registration", "/trunks"),
    "TRK-10": ("By IP", "/trunks"),
    "TRK-11": ("Monitor status", "/trunks"),
    "TRK-12": ("Caller ID of the trunk", "/trunks"),
    "TRK-13": ("Extra settings", "/trunks"),
    "TRK-14": ("Codecs in order", "/trunks"),
    "TRK-15": ("Trunk to another exchange", "/internal_routes"),
    "TRK-16": ("Khomp trunk (EBS line)", "/trunks"),
    "TRK-17": ("Channel selection", "/trunks, /khomp_boards"),
    "TRK-18": ("Channel allocation", "/trunks"),
    "TRK-19": ("E1 through a Khomp trunk", "/outbound_routes"),
    "TRK-20": ("External IP and NAT", "/sip"),
    "TRK-21": ("General SIP lines", "/sip"),
    "RTE-01": ("Mask characters", "/outbound_routes"),
    "RTE-02": ("Dial plan menu", "/outbound_routes"),
    "RTE-03": ("Inbound route", "/inbound_routes"),
    "RTE-04": ("Trunks of an inbound route", "/inbound_routes"),
    "RTE-05": ("Blacklists of an inbound route", "/inbound_routes"),
    "RTE-06": ("Mask, remove, add of an inbound route", "/inbound_routes"),
    "RTE-07": ("Inbound destinations", "/inbound_routes"),
    "RTE-08": ("Internal route", "/internal_routes"),
    "RTE-09": ("Outbound route", "/outbound_routes"),
    "RTE-10": ("Blacklists of an outbound route", "/outbound_routes"),
    "RTE-11": ("Enable a rule", "/outbound_routes"),
    "RTE-12": ("After the external prefix", "/outbound_routes"),
    "RTE-13": ("Ready masks", "/outbound_routes"),
    "RTE-14": ("Remove and add on the left", "/outbound_routes"),
    "RTE-15": ("Trunk of a rule", "/outbound_routes"),
    "RTE-16": ("Dial pattern rule of the manual", "/outbound_routes"),
    "RTE-17": ("Caller ID of a rule", "/outbound_routes"),
    "RTE-18": ("Restrict to extensions", "/outbound_routes"),
    "RTE-19": ("Overflow trunks", "/outbound_routes"),
    "RTE-21": ("Several carriers", "/dialing_profiles"),
    "REP-01": ("Call report", "/calls"),
    "REP-02": ("And / or", "/calls"),
    "REP-04": ("Generate", "/calls"),
    "REP-05": ("CSV of a report", "/calls.csv"),
    "REP-16": ("Queue report by queue", "/queue_reports"),
    "REP-20": ("Queue report by day", "/queue_reports?by=day"),
    "REP-21": ("Queue report by hour", "/queue_reports?by=hour"),
    "REP-26": ("IVR report: groupings and filters", "/ivr_reports"),
    "REP-27": ("IVR report: columns and formulas", "/ivr_reports"),
    "REP-07": ("Calls out of hours, of IVRs", "/out_of_hours"),
    "REP-19": ("Calls out of hours, with the rule that closed", "/out_of_hours"),
    "REP-37": ("Report as PDF and spreadsheet", "/reports"),
    "DSH-04": ("SLA and NS", "/queue_reports, /ivr_reports"),
    "QUE-28": ("Targets of a queue, in the reports", "/queue_reports"),
    "FEA-02": ("Digits for an outside line", "/company"),
    "CON-03": ("Blacklist record", "/blacklists"),
    "CON-04": ("Blacklists in routes, and how numbers are compared", "/blacklists, /inbound_routes, /outbound_routes"),
    "CON-06": ("Blacklist CSV", "/blacklists"),
    "CON-05": ("Blacklists apart for inbound, outbound and each IVR", "/blacklists, /ivrs, /inbound_routes, /outbound_routes"),
    "IVR-01": ("IVR record", "/ivrs"),
    "IVR-02": ("Ways into an IVR", "/inbound_routes, transfers"),
    "IVR-03": ("The five audios of an IVR", "/ivrs"),
    "IVR-04": ("Main audio", "/ivrs, /audio_prompts"),
    "IVR-05": ("Wait for a key", "/ivrs"),
    "IVR-06": ("Attempts", "/ivrs"),
    "IVR-07": ("Callers may dial an extension", "/ivrs"),
    "IVR-08": ("Default destination", "/ivrs"),
    "IVR-09": ("Error audio", "/ivrs"),
    "IVR-10": ("Options and actions", "/ivrs"),
    "HRS-01": ("Business hours record", "/business_hours"),
    "HRS-02": ("Message when closed", "/business_hours"),
    "HRS-03": ("After the message", "/business_hours"),
    "HRS-04": ("Queues and IVRs that keep to hours", "/business_hours, /queues, /ivrs"),
    "HRS-05": ("Meaning: asked at the door", "/business_hours"),
    "HRS-06": ("Out-of-hours log", "/out_of_hours"),
    "HRS-07": ("Event record, holidays of the country and state", "/calendar_events"),
    "HRS-08": ("Events override hours", "/calendar_events"),
    "HRS-11": ("Time condition", "/time_conditions"),
    "HRS-12": ("Period line", "/time_conditions"),
    "HRS-13": ("Time condition behind a key of an IVR", "/ivrs, /time_conditions"),
    "HRS-17": ("Work shift", "/work_shifts"),
    "HRS-18": ("Tolerance", "/work_shifts"),
    "IVR-28": ("Audio library", "/audio_prompts"),
    "IVR-29": ("Announcement", "/announcements"),
    "IVR-30": ("Prompt by text to speech", "/audio_prompts"),
    "SVY-01": ("Rating record, and the table of scores", "/ratings, /queues, /rating_scores"),
    "SVY-02": ("Main audio of a rating", "/ratings"),
    "SVY-03": ("Wait for a digit", "/ratings"),
    "SVY-04": ("Attempts of a rating", "/ratings"),
    "SVY-05": ("Score range", "/ratings"),
    "SVY-06": ("Success audio", "/ratings"),
    "SVY-07": ("Error audio of a rating", "/ratings"),
    "SVY-08": ("On finish", "/ratings"),
    "SVY-13": ("Rating after an IVR", "/ivrs"),
    "QUE-01": ("Queue record", "/queues"),
    "QUE-02": ("Queue caller ID", "/queues"),
    "QUE-03": ("Priority", "/queues"),
    "QUE-04": ("Call when in use", "/queues"),
    "QUE-05": ("Parallel calls", "/queues"),
    "QUE-06": ("Record calls", "/queues, /recordings"),
    "QUE-08": ("Music on hold of a queue", "/queues"),
    "QUE-09": ("Strategy", "/queues"),
    "QUE-10": ("Waiting time limit and ring time", "/queues"),
    "QUE-11": ("Wrap-up", "/queues"),
    "QUE-12": ("Ring tone mode", "/queues"),
    "QUE-13": ("Announcement: estimated wait", "/queues"),
    "QUE-14": ("Announcement: position", "/queues"),
    "QUE-15": ("Periodic announcement", "/queues"),
    "QUE-16": ("Overflow destinations", "/queues"),
    "QUE-17": ("Overflow on timeout", "/queues"),
    "QUE-18": ("Overflow on maximum size", "/queues"),
    "QUE-19": ("Overflow without agents", "/queues"),
    "QUE-20": ("Ordered overflow groups", "/queues"),
    "QUE-22": ("Members", "/queues"),
    "QUE-27": ("Music group", "/moh_classes"),
    "QUE-36": ("Missed-call record", "/missed_calls"),
    "FEA-01": ("Code table", "/feature_codes"),
    "FEA-03": ("Profile for overflows", "/company"),
    "FEA-04": ("Profile for transfers", "/feature_codes"),
    "FEA-05": ("Blind transfer", "/feature_codes"),
    "FEA-06": ("Attended transfer", "/feature_codes"),
    "FEA-07": ("Cancel a transfer", "/feature_codes"),
    "FEA-08": ("Attended transfer waits", "/feature_codes"),
    "FEA-09": ("Group pickup", "/feature_codes"),
    "FEA-10": ("Directed pickup", "/feature_codes"),
    "FEA-11": ("Call parking", "/feature_codes"),
    "FEA-12": ("Parking time and return", "/feature_codes"),
    "FEA-13": ("Number of scheduled conferences", "/feature_codes"),
    "FEA-17": ("Voicemail code", "/feature_codes"),
    "FEA-18": ("Follow-me code", "/feature_codes"),
    "FEA-19": ("Lock code", "/feature_codes"),
    "FEA-20": ("Feature password", "/users, /own"),
    "FEA-21": ("Scheduled conference", "/scheduled_conferences"),
    "FEA-22": ("Conference room", "/conference_rooms"),
    "FEA-28": ("Mailbox", "/voicemail_boxes, /own"),
    "PAN-18": ("Follow-me settings", "/follow_me, /own"),
    "SYS-21": ("E-mail sending", "/email"),
    "USR-01": ("User list and creation", "/users"),
    "USR-02": ("Basic fields of a user", "/users"),
    "USR-03": ("Save only when complete", "/users"),
    "USR-06": ("Forced change of the password", "/users"),
    "USR-07": ("Password rule", "/users"),
    "USR-10": ("Status and access level", "/users"),
    "USR-11": ("Administrator", "/users"),
    "USR-14": ("Extension of a user", "/users"),
    "USR-15": ("Work shift of a user", "/users"),
    "USR-17": ("Start page", "/users"),
    "USR-18": ("Modules", "/users"),
    "USR-34": ("Audit trail", "/audit"),
    "USR-35": ("Session rules", "/login"),
    "CFG-01": ("Company", "/company"),
    "CFG-08": ("Protocol number", "/company"),
    "CFG-11": ("Cost centres", "/cost_centres"),
    "CFG-12": ("Cost centre in reports", "/calls"),
    "CFG-13": ("Menus and search", "every page"),
    "CFG-14": ("Help and practice guides", "/help"),
    "CFG-16": ("Language", "every page"),
    "SYS-10": ("Version", "console, bentevi-menu"),
    "SYS-15": ("Configuration from zero", "/assistant"),
    "SYS-16": ("Installable image", "console"),
    "SYS-17": ("Configuration generation", "/revisions"),
    "SYS-18": ("Background jobs", "/jobs"),
    "SYS-22": ("Time and zone", "/company"),
}

# Row → what of it waits, and for what.
WAITING = {
    "RTE-10": "Click-to-call and the dialer: their parts; they leave by the same routes.",
    "IVR-01": "Mode advanced: the visual builder (IVR-11).",
    "CFG-08": "Speaking the number to the caller: the custom rules (IVR-24); the dialplan has it as BENTEVI_PROTOCOL.",
    "EXT-05": "Its tab on the panel: the operator panel.",
    "EXT-14": "The switch for the change of status: it comes with its effect.",
    "EXT-16": "The list in the user panel (PAN-17); today on the person's own page.",
    "PAN-18": "The same in the user panel.",
    "FEA-01": "Recall (*6) and the conference of three (*2): FEA-15, FEA-16.",
    "SYS-21": "Recovery of passwords, invitations and surveys: their parts send by the same server.",
    "EXT-28": "Our own web, desktop and mobile softphones (WebRTC).",
    "TRK-07": "The list of openings in the appliance's firewall: the appliance.",
    "TRK-10": "Counting refused addresses: the intrusion blocker (USR-36).",
    "RTE-07": "Destination callback: its part.",
    "RTE-16": "CNL: the table of local areas (RTE-20).",
    "RTE-17": "The queue's caller ID in the order: queues (QUE-02).",
    "HRS-03": "The action “custom rule” (IVR-27): custom rules.",
    "QUE-02": "Its effect: the active queue of call centre agents.",
    "QUE-06": "Calls made by the queue: the active queue of call centre agents.",
    "QUE-11": "The countdown on the agent screen: call centre agents.",
    "QUE-22": "Members that are agents: call centre agents.",
    "QUE-36": "The push to a ticket system: integrations.",
    "USR-02": "Avatar picture, team; address from a table of postal codes.",
    "USR-14": "The softphone registering the person's extension.",
    "CFG-01": "Use of the CNL (RTE-20).",
    "CFG-13": "Menus of later parts.",
    "CFG-14": "Guides of call-centre agents, the operator panel, team monitoring, the dialer and PipeRun: their parts.",
    "SYS-10": "The version in the page foot, in About and in the support bundle: their parts.",
    "SYS-15": "IVR, queue and the installed image (ISO): their parts.",
    "SYS-16": "Builds and starts of the image itself: ./bentevi image test, outside the default run (docs/os-image.md).",
    "REP-16": "The advanced filter (REP-03).",
    "REP-07": "The advanced filter (REP-03).",
    "REP-19": "The advanced filter (REP-03).",
    "HRS-13": "The command “Condição com horário” of the visual builder and of custom rules (IVR-15).",
    "REP-20": "The advanced filter (REP-03).",
    "REP-21": "The advanced filter (REP-03).",
    "REP-26": "The filter by tags of a person: people have no tags yet; agents are extensions until the part of agents.",
    "DSH-04": "The same on the dashboards (DSH-03, DSH-13, DSH-20): their part.",
}


def page() -> str:
    """The whole page."""
    tests = tests_by_row()
    lines = ["# Features", "", "Row of the specification → screen → tests that prove it. Written by `python -m tests.features` from the",
             "docstrings of the tests; do not edit by hand.", "", "| row | what | screen | tests |", "| --- | --- | --- | --- |"]  # fmt: skip
    for row, (what, screen) in ROWS.items():
        found = "<br>".join(f"`{name}`" for name in tests.get(row, []))
        lines.append(f"| {row} | {what} | `{screen}` | {found} |")
    lines += ["", "## Waiting", "", "Parts of rows above that wait for a later part of the product.", "", "| row | what waits, and for what |",
              "| --- | --- |"]  # fmt: skip
    lines += [f"| {row} | {what} |" for row, what in WAITING.items()]
    return "\n".join(lines) + "\n"


def tests_by_row() -> dict[str, list[str]]:
    """Row → `folder/file::test` of every test whose docstring (or whose file's) names it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for row in rows_in(ast.get_docstring(node) or ""):
                    found.setdefault(row, []).append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


def rows_in(text: str) -> list[str]:
    """Every row a docstring names; `EXT-01 to EXT-05` counts as five."""
    rows: list[str] = []
    for match in ID.finditer(text):
        area, first = match[1].split("-")
        last = int(match[3]) if match[2] == area else int(first)
        rows += [f"{area}-{number:02}" for number in range(int(first), last + 1)]
    return list(dict.fromkeys(rows))


if __name__ == "__main__":
    PAGE.write_text(page())
