"""What may be written into a file, how files are read, and which mistakes are named before Asterisk sees them."""

import dataclasses
import threading
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from appliance.telephony import complaints, conf, dialplan, difference, readings, reload, render, shadow
from appliance.telephony.check import check
from appliance.telephony.findings import MESSAGES
from appliance.telephony.known import Known
from tests.telephony import small

OPTIONS = {
    "endpoint": "type context disallow allow auth aors callerid outbound_auth transport",
    "aor": "type max_contacts contact qualify_frequency",
    "auth": "type auth_type username password",
    "registration": "type server_uri client_uri outbound_auth transport",
    "identify": "type endpoint match",
    "transport": "type protocol bind",
}
KNOWN = Known(
    applications=frozenset(
        {"answer", "busy", "dial", "execif", "goto", "gosub", "gotoif", "gotoiftime", "hangup", "playback", "queue"}
        | {"read", "set"}
    ),
    functions=frozenset({"CALLERID", "FILTER", "DB"}),
    codecs=frozenset({"alaw", "ulaw", "gsm", "g722"}),
    pjsip={kind: frozenset(words.split()) for kind, words in OPTIONS.items()},
)
TEXTS = dict(zip(small.PARTS[1:], (small.PJSIP, small.AUTHS, small.TRUNKS, small.QUEUES, small.DIALPLAN), strict=True))
MAINS = {
    "pjsip.conf": "".join(f"#include bentevi/{name}\n" for name in small.PARTS if ".pjsip." in name and name in TEXTS),
    "queues.conf": "[general]\n#include bentevi/queues.queues.conf\n",
    "extensions.conf": "[globals]\n#include bentevi/extensions.extensions.conf\n",
}


def company(part="", old="", new="", known=KNOWN):
    """Findings of the small company with one piece of one part replaced."""
    texts = dict(TEXTS)
    if part:
        assert old in texts[part], old
        texts[part] = texts[part].replace(old, new, 1)
    files = {**MAINS, **{f"bentevi/{name}": text for name, text in texts.items()}}
    return check(files, known), files


def line_of(files, finding):
    return files[finding.file].split("\n")[finding.line - 1]


# -- render ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Renders a text as if it were a shipped template."""

    def rendered(text, **values):
        (tmp_path / "trial.conf.j2").write_text(text)
        monkeypatch.setattr(render, "TEMPLATE_FOLDERS", [tmp_path])
        render._environment.cache_clear()
        return render.render("trial.conf.j2", **values)

    yield rendered
    render._environment.cache_clear()


ANA = SimpleNamespace(word="extensions", id=12, name="Ana", number="2001")


def test_the_first_line_names_the_template_and_each_row_is_named(template):
    text = template("; from {{ origin(row) }}\n[{{ row.number|section }}]\n", row=ANA)
    assert text == "; template: trial.conf.j2\n; from extensions 12\n[2001]\n"


@pytest.mark.parametrize("value,code", [
    ("a\nb", "line_break"), ("a\rb", "line_break"), ("a\0b", "line_break"), (None, "missing_value"),
    ("${SHELL(x)}", "dialplan_expression"), ("$[1+1]", "dialplan_expression"),
])  # fmt: skip
def test_a_value_that_would_write_a_line_of_its_own_is_refused_with_its_row(template, value, code):
    with pytest.raises(render.Unfit) as why:
        template("; from {{ origin(row) }}\nname = {{ value }}\n", row=ANA, value=value)
    assert (why.value.finding.code, why.value.finding.word, why.value.finding.row_id) == (code, "extensions", 12)
    assert why.value.finding.parameters["template"] == "trial.conf.j2"


def test_a_semicolon_stays_in_the_value_and_comes_back_when_read(template):
    text = template("[a]\nname = {{ value }}\n", value="x;y")
    assert "x\\;y" in text
    assert conf.read("a", {"a": text}).sections[0].lines[0][3] == "x;y"


def test_yes_no_and_numbers_are_written_as_asterisk_reads_them(template):
    assert template("{{ a }} {{ b }} {{ c }}", a=True, b=False, c=20).endswith("yes no 20")


def test_an_expression_of_ours_may_be_written(template):
    assert template("{{ a }}", a=render.Written("${EXTEN}")).endswith("${EXTEN}")


def test_a_name_cannot_leave_its_quotes(template):
    assert template("{{ a|quoted }}", a='Ana "X" <190>\\').endswith('"Ana X 190"')


@pytest.mark.parametrize("name", ["a]", "a b", "", "a(!)", "ã"])
def test_a_section_has_a_plain_name(template, name):
    with pytest.raises(render.Unfit):
        template("[{{ a|section }}]", a=name)


@pytest.mark.parametrize("value", ["a,b", "a)b", "a&b", 'a"b'])
def test_an_argument_stays_one_argument(template, value):
    with pytest.raises(render.Unfit):
        template("{{ a|argument }}", a=value)


def test_a_name_the_template_was_not_given_is_our_mistake(template):
    with pytest.raises(UndefinedError):
        template("{{ nothing }}")


# -- reading -----------------------------------------------------------------------------------------------------------


def test_comments_templates_and_additions_are_understood():
    text = "[a](!)\nx = 1 ; why\n;-- gone\ny = 2\n--; z = 3\n[b](a)\nx => 4\\;5\n[b](+)\nw = 6\n"
    read = conf.read("f.conf", {"f.conf": text})
    assert not read.problems
    ((section, lines),) = read.effective()
    assert section.name == "b"
    assert [line[1:] for line in lines] == [(2, "x", "1"), (5, "z", "3"), (7, "x", "4;5"), (9, "w", "6")]


def test_lines_behind_an_include_belong_to_the_section_before_it():
    files = {"a.conf": "[one]\nx = 1\n#include b.conf\ny = 2\n", "b.conf": "; from queues 3\n[two]\nz = 3\n"}
    read = conf.read("a.conf", files)
    assert {section.name: [line[2] for line in lines] for section, lines in read.effective()} == {
        "one": ["x", "y"], "two": ["z"]}  # fmt: skip
    assert read.origin("b.conf", 3) == ("queues", 3)


def test_a_generated_part_belongs_to_the_file_in_its_name():
    assert conf.main_file("bentevi/queues.pjsip.conf") == "pjsip.conf"
    assert conf.main_file("dialplan/record.conf") == "extensions.conf"
    assert conf.main_file("cel.conf") == "cel.conf"


# -- check -------------------------------------------------------------------------------------------------------------

P, A, T, Q, D = small.PARTS[1:]
BROKEN = [
    # part, what stands there, what is written instead, code, row
    (P, "context = interno", "context = intrno", "missing_context", ("", 0)),
    (P, "max_contacts = 1", "max_contact = 1", "unknown_option", ("extensions", 2)),
    (P, "type = aor\nmax_contacts = 1", "type = aors\nmax_contacts = 1", "unknown_type", ("extensions", 2)),
    (P, "type = aor\nmax_contacts = 1", "max_contacts = 1", "missing_type", ("extensions", 2)),
    (P, "auth = 2002", "auth = 2003", "missing_object", ("extensions", 2)),
    (P, "aors = 2002", "aors = 2002,9", "missing_object", ("extensions", 2)),
    (P, "allow = alaw,ulaw", "allow = alaw,g729x", "unknown_codec", ("", 0)),
    (P, "[2002](phone)", "[2002](fone)", "missing_template", ("extensions", 2)),
    (P, "[2002](phone)", "[2001](phone)", "duplicate_section", ("extensions", 2)),
    (P, "[2002](phone)", "[2002(phone)", "unclosed_section", ("extensions", 2)),
    (P, "auth = 2002", "auth 2002", "line_without_value", ("extensions", 2)),
    (T, "endpoint = trunk-7", "endpoint = trunk-8", "missing_object", ("trunks", 7)),
    (T, "[trunk-7]", "#exec /bin/true\n[trunk-7]", "unknown_directive", ("trunks", 7)),
    (T, "[trunk-7]", "#include bentevi/none.conf\n[trunk-7]", "missing_include", ("trunks", 7)),
    (Q, "PJSIP/2002,1", "PJSIP/2009,1", "missing_member", ("queues", 12)),
    (Q, "PJSIP/2002,1", "PJSIP/2002,high", "bad_number", ("queues", 12)),
    (Q, "rrmemory", "rotate", "unknown_strategy", ("queues", 12)),
    (Q, "timeout = 15", "time_out = 15", "unknown_queue_option", ("queues", 12)),
    (Q, "timeout = 15", "timeout = long", "bad_number", ("queues", 12)),
    (D, "1,Dial(", "1,Dail(", "unknown_application", ("extensions", 1)),
    (D, "FILTER(0-9", "FILTRE(0-9", "unknown_function", ("queues", 12)),
    (D, "Set(CALLERID(num)=", "Set(CALERID(num)=", "unknown_function", ("queues", 12)),
    (D, "Goto(ocupado,s,1)", "Goto(livre,s,1)", "missing_context", ("queues", 12)),
    (D, "Goto(ocupado,s,1)", "Goto(ocupado,t,1)", "missing_extension", ("queues", 12)),
    (D, "Goto(ocupado,s,1)", "Goto(ocupado,s,9)", "missing_priority", ("queues", 12)),
    (D, "?ocupado,s,1:fim)", "?ocupado,s,1:inicio)", "missing_priority", ("extensions", 1)),
    (D, "include => extras", "include => extra", "missing_context", ("queues", 12)),
    (D, " same => n,Goto(", " same => 4,Goto(", "priority_gap", ("queues", 12)),
    (D, "exten => 3000,1,Answer()", "exten => 3000,2,Answer()", "priority_gap", ("queues", 12)),
    (D, " same => n(fim),Hangup()", " same => 1(fim),Hangup()", "duplicate_priority", ("extensions", 1)),
    (D, "Queue(queue-12,", "Queue(queue-13,", "missing_queue", ("queues", 12)),
    (D, "Dial(PJSIP/2001,20)", "Dial(PJSIP/2001,20", "missing_parenthesis", ("extensions", 1)),
    (D, "Dial(PJSIP/2001,20)", "Dial(PJSIP/2008,20)", "missing_object", ("extensions", 1)),
    (D, "Dial(PJSIP/2001,20)", "Dial(PJSIP/2001,20,U(grava^x))", "missing_context", ("extensions", 1)),
    (D, "hint,PJSIP/2001", "hint,PJSIP/2008", "missing_object", ("extensions", 1)),
    (D, "Dial(PJSIP/2001,20)", "ExecIf($[1]?Dail(x))", "unknown_application", ("extensions", 1)),
    (D, "1,Answer()", "um,Answer()", "bad_extension_line", ("queues", 12)),
    (D, "1,Answer()", "1,Gosub(ocupado,s,7(a,b))", "missing_priority", ("queues", 12)),
]


def test_a_good_company_has_no_finding():
    found, _ = company()
    assert found == []


@pytest.mark.parametrize("part,old,new,code,row", BROKEN, ids=[f"{one[3]}-{one[2][:18]}" for one in BROKEN])
def test_a_mistake_is_named_with_file_line_and_row(part, old, new, code, row):
    found, files = company(part, old, new)
    mine = [one for one in found if one.code == code and (one.word, one.row_id) == row]
    assert mine, found
    assert mine[0].file == f"bentevi/{part}"
    assert code.startswith("missing_") or any(word in line_of(files, mine[0]) for word in new.split("\n"))
    assert MESSAGES[code] % mine[0].parameters == mine[0].text


def test_all_mistakes_are_reported_together():
    found, _ = company(D, "Dial(PJSIP/2001,20)", "Dail(${X(1)},20)")
    assert {one.code for one in found} == {"unknown_application", "unknown_function"}


def test_missing_sounds_are_named_and_present_ones_pass(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "bem-vindo.wav").touch()
    (tmp_path / "digits" / "1.gsm").touch()
    known = dataclasses.replace(KNOWN, sound_folders=(tmp_path,))
    found, _ = company(D, "1,Answer()", "1,Playback(bem-vindo&digits/1&tchau&${X},noanswer)", known)
    assert [(one.code, one.parameters["value"]) for one in found] == [("missing_sound", "tchau")]


def test_what_only_the_call_knows_is_not_judged():
    jumps = ("Goto(${CTX},${EXTEN},1)", "Goto(ocupado,${EXTEN},1)", "Goto(${A})")
    for text in (*jumps, "Dial(${DEVICES})", "Queue(${Q})"):
        found, _ = company(D, "1,Answer()", f"1,{text}")
        assert found == [], text


def test_a_jump_finds_patterns_and_included_contexts():
    for number, fine in (("9123", True), ("2001", True), ("9", False), ("4000", False)):
        found, _ = company(D, "1,Answer()", f"1,Goto(interno,{number},1)")
        assert (found == []) is fine, number


def test_arguments_are_split_outside_brackets_only():
    assert dialplan.split('a,${B(c,d)},"e,f",g', ",") == ["a", "${B(c,d)}", '"e,f"', "g"]
    assert dialplan.branches("09:00-18:00,mon-fri,*,*?aberto,s,1:fechado,s,1") == ["aberto,s,1", "fechado,s,1"]


# -- reload, complaints, readings, difference --------------------------------------------------------------------------


def test_only_what_changed_is_reloaded_in_a_fixed_order():
    asked = []

    def ask(text):
        asked.append(text)
        return "Dialplan reloaded." if "dialplan" in text else "Module 'x' reloaded successfully."

    paths = ["bentevi/a.extensions.conf", "bentevi/a.pjsip.conf", "dialplan/b.conf", "asterisk.conf"]
    assert reload.reload(ask, paths) == []
    assert asked == ["module reload res_pjsip.so", "dialplan reload"]


def test_an_answer_that_is_no_success_is_a_finding():
    (found,) = reload.reload(lambda text: "No such module 'res_pjsip.so'", ["pjsip.conf"])
    assert found.code == "reload_refused"


def test_every_file_we_ship_is_reloadable_or_asks_for_a_restart():
    assert reload.needs_restart({}, {"modules.conf": "x", "cel.conf": "y"}) == ["modules.conf"]


def test_a_complaint_leads_to_the_line_it_names_or_the_section_it_quotes():
    _, files = company()
    said = [
        "pbx_config.c: Unable to do it at line 5 of bentevi/extensions.extensions.conf",
        "config_options.c: Could not find option suitable for category '2002' named 'max_contacts'",
        "something else altogether",
    ]
    places = [(one.file, one.line, one.word, one.row_id) for one in complaints.findings(said, files)]
    assert places[0] == ("bentevi/extensions.extensions.conf", 5, "extensions", 1)
    assert places[1][0] == "bentevi/extensions.pjsip.conf" and places[1][2:] == ("extensions", 2)
    assert places[2] == ("", 0, "", 0)


def test_the_log_is_read_without_times_and_without_what_is_only_load():
    log = (
        "[2026-11-20 20:00:00.123] NOTICE[12] loader.c: fine\n"
        "[2026-11-20 20:00:00.124] ERROR[12] config.c: bad\n  thing\n"
        "[2026-11-20 20:00:00.125] WARNING[12][C-00000001] app.c: odd\n"
        "[2026-11-20 20:00:00.126] WARNING[13] taskprocessor.c: Taskprocessor 'x' queue reached 500 scheduled tasks.\n"
        '[2026-11-20 20:00:00.127] WARNING[13] pjproject: \t sip_endpoint.c Module "mod-invite" registered\n'
        "[2026-11-20 20:00:00.128] ERROR[13] loader.c: Error loading module 'chan_khomp.so': /m/chan_khomp.so: cannot open shared object\n"
        "[2026-11-20 20:00:00.128] ERROR[13] loader.c: Error loading module 'bentevi-end-of-log-9.so': /m/9.so: cannot open shared object\n"
    )
    assert complaints.lines(log) == ["config.c: bad thing", "app.c: odd"]
    console = (
        "[Nov 28 06:01:00] WARNING[7]: loader.c:2687 load_modules: Error loading module 'bentevi-end-of-log-9.so': /m/9.so: cannot open shared object\n"
        "Asterisk Ready.\n"
        "[Nov 28 06:01:00] ERROR[7]: config.c:12 read_it: bad\n"
    )
    assert complaints.lines(console) == ["config.c: bad"]  # of one that was only slow to start, what it was asked was taken for a fault


def test_a_trial_that_is_only_slow_is_told_from_one_that_died(tmp_path, monkeypatch):
    (tmp_path / "stdout.log").write_text("")
    trial, nothing = shadow.Shadow(tmp_path, False), Known(frozenset(), frozenset(), frozenset(), {})
    assert [one.code for one in shadow.verdict(trial, True, {}, nothing, [], 0.0).findings] == ["did_not_boot"]
    monkeypatch.setattr(shadow.Shadow, "lives", lambda _self: True)
    found = shadow.verdict(trial, True, {}, nothing, [], 0.0).findings
    assert [one.code for one in found] == ["not_ready"] and str(shadow.BOOT_SECONDS) in found[0].text


def test_complaints_are_read_when_all_of_them_are_written(tmp_path, monkeypatch):
    """Asterisk answers before the thread of its log has written: a trial judged by half a log would take a mistake, or learn half of the noise."""
    log = tmp_path / "log" / "messages.log"
    log.parent.mkdir()
    log.write_text("[2026-11-20 20:00:00.123] ERROR[12] config.c: early\n")
    trial = shadow.Shadow(tmp_path, True)

    def answers(_self, command):
        def write():
            for line in ("config.c: late", f"loader.c: Error loading module '{command.split()[-1]}': none"):
                with log.open("a") as file:
                    file.write(f"[2026-11-20 20:00:00.125] ERROR[12] {line}\n")

        threading.Timer(0.2, write).start()
        return "Unable to load module\n"

    monkeypatch.setattr(shadow.Shadow, "ask", answers)
    assert trial.messages() == ["config.c: early", "config.c: late"]
    trial.begin_messages()
    assert trial.messages() == ["config.c: late"], "what was said before is past"


def test_a_context_that_only_moved_is_not_a_changed_object():
    old = readings.objects(company()[1], ["extensions.conf"])
    new = readings.objects(company(D, "[interno]", "\n\n[interno]")[1], ["extensions.conf"])
    assert readings.changed(old, new) == ([], [])


def test_a_sample_is_even_and_bounded():
    wanted = [readings.Object("endpoint", str(number)) for number in range(1000)]
    taken = readings.sample(wanted)
    assert len(taken) == 200 and taken[1].name == "5"


def test_a_trial_without_isolation_calls_nobody_and_keeps_its_line_numbers():
    quiet = shadow.quiet("bentevi/trunks.pjsip.conf", small.TRUNKS + "qualify_frequency = 60\n")
    assert quiet.count("\n") == small.TRUNKS.count("\n") + 1
    lines = [line for section in conf.read("t", {"t": quiet}).sections for line in section.lines]
    assert [value for _, _, key, value in lines if key == "type"] == ["endpoint", "aor", "identify"]


def test_a_difference_of_two_rows_is_two_hunks():
    old = company()[1]
    new = dict(old)
    name = f"bentevi/{P}"
    new[name] = old[name].replace('"Ana"', '"Ana Maria"').replace("max_contacts = 1", "max_contacts = 3")
    (found,) = difference.difference(old, new)
    assert [hunk.origin for hunk in found.hunks] == [("extensions", 1), ("extensions", 2)]
    assert difference.difference(old, new, frozenset({name})) == []
