"""Which module may know which: the arrows of the tree, read from the imports (appliance, web and jobs)."""

import ast
from collections.abc import Iterator
from pathlib import Path

from appliance.settings import CHECKOUT

FEATURES = {path.parent.name for path in (CHECKOUT / "appliance").glob("*/model.py")}
GROUND = {
    "alarms", "audio", "cells", "changes", "clock", "closed", "csv_files", "db", "errors", "fields", "khomp_channels",
    "lanes", "links", "live", "paths", "many", "mend", "hours", "masks", "networks", "numbering", "numbers", "own_certificate", "planned", "ports", "reserve", "resource", "schema", "settings",
    "undo", "tune", "version", "whole_files",
}
OVER_TELEPHONY = {"database", "forked", "front_door", "in_unit", "processes", "site_text", "sitefile", "snapshots", "supervisor", "units"}  # know Asterisk, but no feature
ROOF = {"about", "addresses", "agi_scripts", "app", "applying", "backups", "certificates", "cli", "config_files", "developing", "events", "first_start", "imaging", "prompts", "proving", "records", "resources", "sounds", "support", "tables", "updates"}
SHARED = {"destinations"}  # one step between features: reads rows, is used by their config.py

# One feature may read another's rows (model.py). Further than that, each for its reason:
REASONABLE = {
    ("blacklists.config", "audio_prompts.files"): "a list's sounds are played from where the library keeps them",
    ("assistant.live", "calls.live"): "channels are named and grouped in one way",
    ("calls.store", "ratings.record"): "the records of a call say which scores its customer gave",
    ("calls.store", "recordings.record"): "the records of a call say when its recordings begin and end",
    ("announcements.config", "audio_prompts.files"): "sounds are played from where the library keeps them",
    ("ivrs.config", "audio_prompts.files"): "sounds are played from where the library keeps them",
    ("ratings.config", "audio_prompts.files"): "sounds are played from where the library keeps them",
    ("calls.store", "missed_calls.record"): "the ledger of missed calls is kept in the transaction of the records",
    ("missed_calls.record", "calls.parties"): "numbers are compared as the company writes them",
    ("missed_calls.record", "calls.words"): "a party has one wording everywhere",
    ("missed_calls.ledger", "calls.parties"): "days are those of the company's zone",
    ("moh_classes.config", "audio_prompts.files"): "the files of a group are sounds of the library",
    ("moh_classes.model", "audio_prompts.intake"): "a file that is sent becomes a sound of the library",
    ("queues.config", "audio_prompts.files"): "a periodic announcement is a sound of the library",
    ("company.config", "dialing_profiles.config"): "the profile for overflows is rendered as every profile is",
    ("company.config", "trunks.config"): "emergency calls try every enabled trunk by its Dial line",
    ("destinations", "audio_prompts.files"): "a message before a destination is played from where the library keeps it",
    ("dialing_profiles.config", "outbound_routes.config"): "a profile includes the contexts of its routes",
    ("extensions.config", "dialing_profiles.config"): "an endpoint bears the context of its profile",
    ("extensions.config", "feature_codes.config"): "an endpoint bears the context its transfers look into",
    ("feature_codes.config", "dialing_profiles.config"): "transfers leave by the contexts of profiles",
    ("feature_codes.config", "outbound_routes.config"): "transfers know the patterns of a route's rules",
    ("voicemail_boxes.config", "audio_prompts.files"): "a greeting is played from where the library keeps it",
    ("extensions.config", "sip.config"): "NAT and general lines hold for every endpoint",
    ("ratings.scores", "reports.asked"): "a period and whose calls a person may see are asked in one way",
    ("reports.calls", "calls.totals"): "the sums of a report are read from the roll-ups",
    ("reports.visits", "calls.visit_totals"): "the sums of a report are read from the roll-ups",
    ("reports.visits", "calls.words"): "what a call says has one wording for page, file and CLI",
    ("reports.files", "calls.words"): "what a call says has one wording for page, file and CLI",
    ("reports.printed", "calls.words"): "what a call says has one wording for page, file and CLI",
    ("reports.out_of_hours_files", "calls.words"): "what a call says has one wording for page, file and CLI",
    ("retention_policy.forget", "calls.raw"): "what is known of people outside stands in the lines of queues too",
    ("trunks.config", "sip.config"): "NAT and general lines hold for every endpoint",
    ("trunks.config", "sip.lines"): "extra settings are lines of chan_sip too",
    ("trunks.model", "sip.lines"): "extra settings are lines of chan_sip too",
}


def modules(folder: str) -> Iterator[tuple[str, Path]]:
    """(module, file) of a top folder, migrations left out."""
    for path in (CHECKOUT / folder).rglob("*.py"):
        if "migrations" not in path.parts and "static" not in path.parts:
            yield ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"), path


def imported(path: Path) -> set[str]:
    """Every module of ours that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: write imports from the top"
            for alias in node.names:
                inner = CHECKOUT / node.module.replace(".", "/") / alias.name
                found.add(f"{node.module}.{alias.name}" if inner.is_dir() or inner.with_suffix(".py").exists() else node.module)
    return {name for name in found if name.split(".")[0] in ("appliance", "web", "jobs", "tests")}


def arrows(folder: str) -> list[tuple[str, str]]:
    return [(module, target) for module, path in modules(folder) for target in imported(path) if target != module]


def inside(folder: str) -> list[tuple[str, str]]:
    """Arrows within appliance/, without its name."""
    cut = len("appliance.")
    return [(module[cut:], target[cut:]) for module, target in arrows(folder) if target.startswith("appliance.")]


def test_every_module_of_the_appliance_has_its_place():
    """A new module is put into one of the sets above, or into a feature's folder."""
    for module, _path in modules("appliance"):
        top = module.split(".")[1] if "." in module else ""
        assert top in {"", "telephony", "migrations"} | FEATURES | GROUND | OVER_TELEPHONY | ROOF | SHARED, module


def test_web_and_jobs_never_import_each_other():
    """They meet in rows."""
    assert not [arrow for arrow in arrows("web") if arrow[1].startswith(("jobs", "tests"))]
    assert not [arrow for arrow in arrows("jobs") if arrow[1].startswith(("web", "tests"))]


def test_the_appliance_imports_neither_web_nor_jobs_nor_tests():
    assert not [arrow for arrow in arrows("appliance") if arrow[1].startswith(("web", "jobs", "tests"))]


def test_the_ground_knows_no_feature_no_telephony_and_no_roof():
    wrong = [(module, target) for module, target in inside("appliance")
             if module in GROUND and target.split(".")[0] not in GROUND]
    assert not wrong


def test_telephony_knows_no_feature():
    wrong = [(module, target) for module, target in inside("appliance")
             if module.startswith("telephony") and target.split(".")[0] not in {"telephony", "settings", "errors", "khomp_channels", "ports"}]
    assert not wrong


def test_the_processes_and_the_site_file_know_no_feature():
    wrong = [(module, target) for module, target in inside("appliance")
             if module in OVER_TELEPHONY and target.split(".")[0] in FEATURES | ROOF]
    assert not wrong


def test_a_feature_knows_others_only_by_their_rows_or_for_a_written_reason():
    found = set()
    for module, target in inside("appliance"):
        owner, other = module.split(".")[0], target.split(".")[0]
        if owner not in FEATURES | SHARED:
            continue
        assert other not in ROOF, (module, target)
        if other in FEATURES and other != owner and not target.endswith(".model"):
            assert (module, target) in REASONABLE, (module, target)
            found.add((module, target))
    assert found == set(REASONABLE), "a reason nobody needs any more"


def test_a_model_knows_neither_telephony_nor_its_config():
    wrong = [(module, target) for module, target in inside("appliance") if module.endswith(".model")
             and module.split(".")[0] in FEATURES and (target.startswith("telephony") or target.endswith(".config"))]
    assert not wrong


def test_borrowed_packages_are_imported_where_they_are_written_down():
    """Each behind one module."""
    places = {"asterisk": {"appliance/telephony/ami.py"}, "htmx_flask": {"web/htmx.py"}, "weasyprint": {"jobs/reports.py"}}
    for folder in ("appliance", "web", "jobs"):
        for _module, path in modules(folder):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
                for name in names:
                    where = places.get(name.split(".")[0])
                    assert where is None or str(path.relative_to(CHECKOUT)) in where, (path, name)


def test_rules_do_not_commit():
    """The edges commit: a route, a job, a command. Models and rules never do."""
    for module, path in modules("appliance"):
        owner = module.split(".")[1] if "." in module else ""
        if owner in FEATURES or owner in GROUND - {"lanes"}:
            assert "session.commit()" not in path.read_text(), module
