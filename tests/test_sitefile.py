"""The site file: what it reads, what it refuses with line and key, and that a mistake stores nothing."""

import random
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from appliance import changes, numbering, sitefile
from appliance.cli import bentevi
from appliance.db import db
from appliance.resource import TABLE
from appliance.settings import CHECKOUT
from appliance.sitefile import Mistakes
from tests.build import make_class, make_cost_centre, make_extension, make_trunk, make_user
from tests.rows import first_start_rows

BAKERY = (CHECKOUT / "docs" / "padaria.yaml").read_text(encoding="utf-8")
WHERE = re.compile(r"^(line|linha) [0-9]+")

pytestmark = pytest.mark.usefixtures("app")


def load(text, **how):
    """Import and commit, or roll back when it is refused: what the command does."""
    try:
        report = sitefile.load(text, **how)
    except Mistakes:
        db.session.rollback()
        raise
    db.session.commit()
    return report


def refused(text, **how):
    """Import what must be refused and change nothing; the mistakes."""
    before = everything()
    with pytest.raises(Mistakes) as why:
        load(text, **how)
    assert everything() == before
    assert all(WHERE.match(line) for line in why.value.found), why.value.found
    return why.value.found


# Of a row that waits for its sound, what the worker fills in: that of an exchange which another test started may do so between two looks.
MADE = {"audio_prompts": {"source", "state", "reason", "file", "label", "seconds", "waveform", "incoming", "incoming_label", "spoken"}}


def everything(without=None):
    """The rows of every table with their secrets, as text; `without` these columns by table."""
    tables = [*(resource.model for resource in TABLE.values()), changes.Change, numbering.Number]
    rows = [f"{table.__tablename__} { {name: value for name, value in row._asdict().items() if name not in (without or {}).get(table.__tablename__, ())} }"
            for table in tables for row in db.session.execute(select(table.__table__).order_by(*table.__table__.primary_key))]
    db.session.rollback()
    return rows


def site(text):
    return "bentevi: 1\n" + text


# --------------------------------------------------------------------------------------------------------------- bakery


def test_the_bakery_is_refused_without_the_flag_naming_line_and_key():
    found = refused(BAKERY)
    lines = BAKERY.split("\n")
    number = next(index for index, line in enumerate(lines, 1) if "webrtc:" in line)
    assert any(re.match(rf"(line|linha) {number}, extensions\[1\]\.webrtc: ", one) for one in found), found


def test_the_bakery_imports_without_what_is_not_built_and_lists_it():
    report = load(BAKERY, skip_unavailable=True)
    assert {row.number for row in TABLE["extensions"].rows()} == {"1000", "1001", "1002", "1003"}
    told = "\n".join(report.skipped)
    assert "EBS" not in told and "khomp" not in told
    assert [(trunk.name, trunk.channels) for trunk in TABLE["trunks"].rows() if trunk.protocol == "khomp"] == [("EBS", ["b0c0", "b0c1", "b0c2", "b0c3"])]
    assert [re.search(r", (\S+):", one)[1] for one in sorted(report.skipped, key=lambda one: int(re.search(r"\d+", one)[0]))] == [
        "extension_classes[0].change_status", "extensions[1].webrtc", "users[1].modules[0]", "users[1].modules[1]", "feature_codes.ad_hoc_conference"]
    (route,) = TABLE["inbound_routes"].rows()
    assert [rule["destination"] for rule in TABLE["inbound_routes"].show(route)["rules"]] == [{"ivr": "Principal"}, {"extension": "1000"}]
    assert len(report.secrets) == 1, "the conference's; every other password is in the file"
    lines = BAKERY.split("\n")
    for one in report.skipped:
        number, key = re.match(r"\w+ (\d+), .*?(\w+)(?:\[\d+\])?:", one).groups()
        window = " ".join(lines[int(number) - 1:int(number) + 1])
        assert key in window or "(" in one or "-" in window, one


@pytest.mark.database
def test_importing_twice_changes_nothing_the_second_time():
    load(BAKERY, skip_unavailable=True)
    before = everything(without=MADE)
    report = load(BAKERY, skip_unavailable=True)
    assert not report.created and not report.updated and not report.deleted
    assert not set(everything(without=MADE)) ^ set(before), "hashes of people's passwords too"


@pytest.mark.database
def test_an_export_is_imported_into_an_empty_home_as_the_same_bytes():
    load(BAKERY, skip_unavailable=True)
    text = sitefile.dump()
    first_start_rows()
    carla = sitefile.dump(["users"])
    load(text, replace=True)
    assert sitefile.dump() == text and carla in text.replace("users:\n", carla.split("users:\n")[0] + "users:\n")
    assert not {"extensions", "outbound_routes", "users"} - set(sitefile.read(text).data)


def test_an_export_holds_no_secret():
    load(BAKERY, skip_unavailable=True)
    text = sitefile.dump()
    assert "password" not in text.replace("must_change_password", "").replace("password_call", "")
    assert "Troque" not in text and "Ana@Padaria4" not in text and "$argon2" not in text


def test_the_commands_import_and_export(whole_app, tmp_path):
    from click.testing import CliRunner

    file = tmp_path / "padaria.yaml"
    file.write_text(BAKERY, encoding="utf-8")

    def run(*words):
        return CliRunner().invoke(bentevi, ["site", *words])

    before = everything()
    refusal = run("import", str(file))
    assert refusal.exit_code != 0 and "feature_codes" in refusal.output and "Traceback" not in refusal.output
    assert run("import", str(file), "--dry-run", "--skip-unavailable").exit_code == 0
    assert everything() == before
    assert run("import", str(file), "--skip-unavailable").exit_code == 0
    db.session.rollback()
    assert run("export").output == sitefile.dump()
    file.write_bytes("bentevi: 1\ncompany: {name: São}\n".encode("latin-1"))
    broken = run("import", str(file))
    assert broken.exit_code != 0 and "Traceback" not in broken.output and not isinstance(broken.exception, UnicodeDecodeError)


# ----------------------------------------------------------------------------------------------------------------- YAML


def test_text_that_older_yaml_read_as_something_else_stays_text():
    """YAML 1.2 core: off, 13:00, 0123, yes, 1:30, 1_000 and 0x1f are text; a number with a leading zero too."""
    words = ["off", "on", "yes", "no", "y", "N", "13:00", "1:30", "0123", "1_000", "0x1f", "0o17", "1e3", "2026-12-25", "1.5", ".5", "+1"]
    read = sitefile.read(site("x: [" + ", ".join(words) + "]\n")).data["x"]
    assert read == words
    read = sitefile.read(site("x: [true, False, null, ~, 12, -3, '12', \"true\"]\n")).data["x"]
    assert read == [True, False, None, None, 12, -3, "12", "true"]


@pytest.mark.database
def test_text_of_every_kind_survives_export_and_import():
    names = ["off", "0123", "13:00", "true", "null", "~", "- a", "a: b", "#x", "'", '"', "&a", "*a", "!t", "%", "@", "ção ñ 中", "1e3", "x #y",
             "a\u2028b", "\u200b", "=1", "[a]", "{a}", "yes", "|", ">", "?"]
    for name in names:
        make_cost_centre(name)
    text = sitefile.dump()
    first_start_rows()
    load(text)
    assert [row.name for row in TABLE["cost_centres"].rows()] == names and sitefile.dump() == text


@pytest.mark.parametrize("text,line,word", [
    ("company: {name: A, name: B}\n", 2, "name"),
    ("cost_centres:\n  - name: A\n  - name: A\n", 4, "name"),
    ("cost_centres: []\ncost_centres: []\n", 3, "cost_centres"),
    ("a: &a [*a]\n", 2, "a"),
    ("a: &a\n  b: *a\n", 3, "b"),
    ("company: {\n", 3, ""), ("company: [\n", 3, ""), ("\tcompany: 1\n", 2, ""), ("company: *nothing\n", 2, ""),
    ("company: {name: \"\\q\"}\n", 2, ""), ("? [a]\n: b\n", 2, ""), ("--- \nbentevi: 1\n", 2, ""), ("company: {name: \x01}\n", 1, ""),
    ("company: 5\n", 2, "company"), ("company: []\n", 2, "company"), ("extensions: {a: b}\n", 2, "extensions"),
    ("extensions: [1]\n", 2, "extensions[0]"), ("extensions: [{name: Ana}]\n", 2, "extensions[0]"),
    ("extensions: [{number: [1]}]\n", 2, "extensions[0]"), ("extensions: [{number: true}]\n", 2, "extensions[0]"),
    ("nothing: 1\n", 2, "nothing"), ("company: {nam: B}\n", 2, "company.nam"), ("company:\n  name: A\n  cnpj: 1\n", 4, "company.cnpj"),
    ("cost_centres:\n  - name: A\n  - name: B\n    colour: red\n", 5, "cost_centres[1].colour"),
    ("extensions:\n  - {number: 2001, name: Ana}\n  - number: 2002\n    name: Bia\n    class: Nada\n", 6, "extensions[1].class"),
    ("outbound_routes:\n  - name: A\n    rules:\n      - mask: 9X\n        trunk: Nada\n", 6, "outbound_routes[0].rules[0].trunk"),
    ("internal_routes:\n  - name: A\n    rules:\n      - mask: A\n        destination: {hangup: true}\n", 5, "internal_routes[0].rules[0].mask"),
])  # fmt: skip
def test_a_mistake_names_its_line_and_key_and_stores_nothing(text, line, word):
    found = refused(site("cost_centres: [{name: Fica fora}]\n" + text if "cost_centres" not in text and word else text))
    offset = 1 if "cost_centres" not in text and word else 0
    assert any(re.match(rf"(line|linha) {line + offset}\b", one) and word in one for one in found), found


@pytest.mark.parametrize("text", ["", "x", "[]", "5", "null", "bentevi: 2\n", "company: {}\n", "# nothing\n", "bentevi: '1'\n", "[" * 4000,
                                  "{a: " * 4000, "- " * 5000, "\ufeff", "bentevi: 1\nx: !!python/object:os.system [a]\n", "bentevi: true\n"],
                         ids=lambda text: repr(text[:14]))  # fmt: skip
def test_what_is_no_site_file_is_refused(text):
    assert refused(text)


def test_a_short_file_with_billions_of_values_is_refused():
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert "500000" in refused(site(text))[0]


def test_an_alias_that_is_no_loop_is_read_as_what_it_stands_for():
    load(site("cost_centres:\n  - &one {name: A, description: &d Balcão}\n  - {name: B, description: *d}\n"))
    assert [row.description for row in TABLE["cost_centres"].rows()] == ["Balcão", "Balcão"]


def test_all_mistakes_are_told_together():
    text = "company: {area_code: 00}\nextensions:\n  - {number: 1, name: A}\n  - {number: 2001, name: '', class: Nada}\nnothing: 1\n"
    assert len(refused(site(text))) >= 5


@pytest.mark.database
def test_a_number_used_twice_is_refused_naming_who_has_it():
    make_extension("2001", name="Ana")
    text = "internal_routes:\n  - name: Caixa\n    rules:\n      - {mask: 2001, destination: {hangup: true}}\n"
    (found,) = refused(site(text))
    assert "2001 Ana" in found and "internal_routes[0]" in found


# -------------------------------------------------------------------------------------------------------------- replace


def test_sections_and_rows_that_are_not_named_stay():
    make_extension("2001")
    make_cost_centre("Loja")
    load(site("cost_centres: [{name: Caixa}]\n"))
    assert [row.name for row in TABLE["cost_centres"].rows()] == ["Loja", "Caixa"] and len(list(TABLE["extensions"].rows())) == 1


def test_replace_deletes_what_a_present_section_does_not_name():
    make_extension("2001")
    make_cost_centre("Loja")
    make_cost_centre("Caixa")
    report = load(site("cost_centres: [{name: Caixa}]\n"), replace=True)
    assert [row.name for row in TABLE["cost_centres"].rows()] == ["Caixa"] and len(report.deleted) == 1
    assert len(list(TABLE["extensions"].rows())) == 1


@pytest.mark.database
def test_replace_is_refused_while_something_points_at_what_would_go():
    make_class("Loja")
    make_extension("2001", **{"class": "Loja"})
    before = everything()
    with pytest.raises(Mistakes) as why:
        load(site("extension_classes: [{name: Padrão}]\n"), replace=True)
    assert "2001" in str(why.value) and everything() == before
    load(site("extension_classes: [{name: Padrão}]\nextensions: [{number: 2001, name: Ana, class: Padrão}]\n"), replace=True)
    assert [row.name for row in TABLE["extension_classes"].rows()] == ["Padrão"]


def test_replace_leaves_an_administrator():
    make_user("bruno")
    before = everything()
    with pytest.raises(Mistakes):
        load(site("users: [{login: bruno, name: Bruno}]\n"), replace=True)
    assert everything() == before


def test_lists_inside_a_row_are_replaced_and_keys_left_out_stay():
    make_trunk("A", 5090)
    text = "outbound_routes:\n  - name: R\n    description: D\n    rules: [{mask: 9X, trunk: A}, {mask: 8X, trunk: A}]\n"
    load(site(text))
    load(site("outbound_routes:\n  - name: R\n    rules: [{mask: 7X, trunk: A}]\n"))
    (route,) = TABLE["outbound_routes"].rows()
    assert [rule["mask"] for rule in route.rules] == ["7X"] and route.description == "D"


# -------------------------------------------------------------------------------------------------------------- secrets


def test_a_missing_secret_keeps_the_old_one_and_a_new_row_gets_one_shown_once():
    make_extension("2001", password="segredo-antigo")
    report = load(site("extensions:\n  - {number: 2001, name: Ana}\n  - {number: 2002, name: Bia}\n"))
    old, new = TABLE["extensions"].find("2001"), TABLE["extensions"].find("2002")
    assert old.password == "segredo-antigo"
    assert [clear for _row, clear in report.secrets] == [new.password] and len(new.password) == 16
    assert not load(site("extensions:\n  - {number: 2002, name: Bia}\n")).secrets


def test_a_password_in_the_file_is_set_and_told_nowhere():
    report = load(site("extensions:\n  - {number: 2002, name: Bia, password: segredo-da-Bia}\n"))
    assert TABLE["extensions"].find("2002").password == "segredo-da-Bia" and not report.secrets
    assert "segredo-da-Bia" not in repr([(one.before, one.after) for one in db.session.scalars(select(changes.Change))])


# ---------------------------------------------------------------------------------------------------------- broken files

GOOD = site("""
company: {name: Padaria, area_code: "48", emergency_numbers: ["190", "192", "193"]}
cost_centres:
  - {name: Loja, description: Balcão}
pickup_groups: [{name: Loja}]
trunks:
  - name: Operadora
    authentication: by_ip
    host: 127.0.0.1
    port: 5080
    codecs: [alaw, ulaw]
    extra: {insecure: "port,invite"}
  - {name: Reserva, host: 10.0.0.1}
outbound_routes:
  - name: Local
    rules:
      - mask: "[2-5]XXXXXXX"
        external_line: true
        strip: 0
        prepend: "48"
        trunk: Operadora
        overflow: [{conditions: [busy], trunk: Reserva}]
dialing_profiles: [{name: Completo, outbound_routes: [Local]}]
extensions:
  - {number: "2001", name: Ana, password: segredo-2001, dialing_profile: Completo, pickup_group: Loja}
  - {number: "2002", name: Bia, password: segredo-2002, class: Padrão}
internal_routes: [{name: Caixa, rules: [{mask: "77", destination: {extension: "2001"}}]}]
inbound_routes:
  - name: Entrada
    trunks: [Operadora]
    rules:
      - {mask: "4830139018", destination: {extension: "2001"}}
      - {default: true, destination: {hangup: true}}
""".lstrip())


def dropped(dice, text):
    at = dice.randrange(len(text))
    return text[:at] + text[at + dice.choice([1, 1, 2, 5, 40]):]


def swapped(dice, text):
    lines = text.split("\n")
    one, other = dice.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def value_replaced(new):
    def mutate(dice, text):
        spots = [spot for spot in re.finditer(r"(?<=: )(\"[^\"]*\"|[\w.-]+)(?=[,}\n])", text)]
        spot = dice.choice(spots)
        return text[:spot.start()] + dice.choice(new) + text[spot.end():]
    return mutate


def key_replaced(dice, text):
    spot = dice.choice(list(re.finditer(r"\w+(?=: )", text)))
    return text[:spot.start()] + dice.choice(["nothing", "id", "\"\"", "password", "numbers", "?", "__class__"]) + text[spot.end():]


def inserted(what):
    def mutate(dice, text):
        at = dice.randrange(len(text))
        return text[:at] + dice.choice(what) + text[at:]
    return mutate


def doubled(dice, text):
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    return "\n".join([*lines[:at], lines[at], *lines[at:]])


def wrongly_encoded(dice, text):
    return text.encode("utf-8").decode(dice.choice(["latin-1", "utf-16-le", "cp1252"]), errors=dice.choice(["replace", "surrogateescape"]))


MUTATIONS = [
    dropped, swapped, key_replaced, doubled, wrongly_encoded,
    value_replaced(["[]", "{}", "[[]]", "{a: b}", "true", "null", "1.5", "-1", "off", "[1, {a: 2}]"]),
    value_replaced(["Ninguém", "\"2009\"", "\"0\"", "{extension: \"9999\"}", "{queue: Nada}"]),
    value_replaced(["\"2001\"", "\"77\"", "Loja", "\"190\"", "\"2002\""]),
    value_replaced(["99999999999999999999", "\"" + "9" * 400 + "\"", "x" * 5000, "-99999999999", "1e999"]),
    value_replaced(["\"\\0\"", "\"a\\nb\"", "\"\\e[2J\"", "\"\\uD800\"", "\"${SHELL(id)}\"", "\"a;b\"", "\"]\"", "\"$[1]\"", "\"a\\u2028b\""]),
    value_replaced(["[" * 300 + "]" * 300, "{a: " * 200 + "1" + "}" * 200, "[" * 3000]),
    inserted(["\t", "\x00", "\x07", "\ufffe", "{", "]", ": ", "- ", "&a ", "*a ", "!!int ", "|\n", "\r", "%TAG", "\n---\n", "\n...\n"]),
]  # fmt: skip
COUNT = 108


@pytest.mark.parametrize("seed", range(0, COUNT, len(MUTATIONS)))
def test_a_broken_file_is_told_with_its_line_and_stores_nothing(seed):
    """One of each kind of breaking per run; a file that is still good does what it says, twice the same."""
    make_extension("2000", name="Já existe", password="segredo-2000")
    for number, mutate in enumerate(MUTATIONS, seed):
        text = mutate(random.Random(number), GOOD)
        before = everything()
        try:
            sitefile.load(text)
        except Mistakes as why:
            db.session.rollback()
            assert everything() == before, number
            assert why.found and all(WHERE.match(line) for line in why.found), (number, why.found)
            keyed = [line for line in why.found if re.match(r"\w+ \d+, [\w.\[\]?\" -]+", line) or "YAML" in line or "bentevi" in line or "extensions:" in line]
            assert keyed, (number, why.found)
        else:
            first = sitefile.dump()
            again = sitefile.load(text)
            assert not again.created and not again.updated and sitefile.dump() == first, number
            db.session.rollback()
            assert everything() == before


def test_the_breakings_do_break():
    """Most of the mutated files are refused; otherwise the test above would prove little."""
    bad = 0
    for number in range(36):
        try:
            sitefile.load(MUTATIONS[number % len(MUTATIONS)](random.Random(number), GOOD))
        except Mistakes:
            bad += 1
        db.session.rollback()
    assert bad > 20


def test_the_unbroken_file_is_good():
    assert len(load(GOOD).created) == 10
    assert Path(CHECKOUT / "docs" / "padaria.yaml").exists()
