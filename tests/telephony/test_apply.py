"""Applying on a real Asterisk: what is wrong is refused before, noticed after, and never left half done."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance import prompts
from appliance.errors import Busy
from appliance.settings import CHECKOUT
from appliance.telephony import learning, revision, runtime, shadow, store
from appliance.telephony.ami import Connection
from appliance.telephony.difference import difference
from appliance.telephony.revision import Candidate, NotApplied, Step, apply
from tests.telephony import small

pytestmark = pytest.mark.pbx


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return small.settings_in(tmp_path_factory.mktemp("h"))


@pytest.fixture(scope="module")
def pbx(home):
    """The small company applied as revision 1 and running."""
    apply(home, candidate(home, 1))
    with small.running(home):
        yield home


@pytest.fixture
def number(home):
    """A number no revision has yet."""
    return max([0, *(int(path.name) for path in home.revisions.iterdir() if path.name.isdigit())]) + 1


def candidate(settings, number, **parts):
    return Candidate(number, small.files(settings, **parts), small.SECRET_FILES)


def ask(settings, text):
    return runtime.command(runtime.control(settings), text)


def value(settings, name, key):
    rows = (line.partition(":") for line in ask(settings, f"pjsip show endpoint {name}").splitlines())
    return next((text.strip() for word, _, text in rows if word.strip() == key), None)


def refused(settings, wanted, on_step=lambda step: None):
    with pytest.raises(NotApplied) as why:
        apply(settings, wanted, on_step)
    return why.value


def test_the_first_revision_is_live(pbx):
    assert value(pbx, "2001", "allow") == "(alaw|ulaw)"
    assert "queue-12 has 0 calls" in ask(pbx, "queue show queue-12")


def test_a_good_start_writes_no_error(pbx):
    assert "ERROR" not in (pbx.asterisk / "log" / "messages.log").read_text()


def test_revision_folders_are_for_their_owner_only(pbx):
    folder = store.folder(pbx, 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_a_changed_codec_is_live_and_read_back_and_nothing_else_is_reloaded(pbx, number):
    steps = []
    changed = small.PJSIP.replace("[2002](phone)", "[2002](phone)\nallow = !all,gsm")
    done = apply(pbx, candidate(pbx, number, pjsip=changed), steps.append)
    assert value(pbx, "2002", "allow") == "(gsm)"
    assert done.changed_files == ("bentevi/extensions.pjsip.conf",)
    assert done.running and done.looked_at == 1 and not done.restart_needed
    names = [step.name for step in steps if step.state == "done"]
    assert names == ["write", "check", "shadow", "switch", "reload", "look"]


def test_a_removed_ramal_is_gone(pbx, number):
    without = small.PJSIP.partition("; from extensions 2")[0]
    auths = small.AUTHS.partition("; from extensions 2")[0]
    queues = "".join(line for line in small.QUEUES.splitlines(True) if "2002" not in line)
    apply(pbx, candidate(pbx, number, pjsip=without, auths=auths, queues=queues))
    assert "Unable to find object" in ask(pbx, "pjsip show endpoint 2002")
    assert "Bruno" not in ask(pbx, "queue show queue-12")
    apply(pbx, candidate(pbx, number + 1))


def test_a_wrong_option_is_refused_by_the_check_with_file_line_and_row(pbx, number):
    before = store.in_force(pbx)
    why = refused(pbx, candidate(pbx, number, pjsip=small.PJSIP.replace("max_contacts = 1", "max_contact = 1")))
    assert why.step == "check"
    one = why.findings[0]
    assert (one.file, one.code) == ("bentevi/extensions.pjsip.conf", "unknown_option")
    assert (one.word, one.row_id) == ("extensions", 2)
    assert small.PJSIP.replace("max_contacts = 1", "max_contact = 1").split("\n")[one.line - 1] == "max_contact = 1"
    assert store.in_force(pbx) == before and value(pbx, "2002", "allow") == "(alaw|ulaw)"


def test_a_value_only_asterisk_can_judge_is_refused_by_the_shadow_and_leads_to_the_row(pbx, number):
    before = store.in_force(pbx)
    why = refused(pbx, candidate(pbx, number, pjsip=small.PJSIP.replace("max_contacts = 1", "max_contacts = many")))
    assert why.step == "shadow"
    codes = {one.code for one in why.findings}
    assert codes == {"asterisk_complains", "not_loaded"}
    assert all((one.word, one.row_id) == ("extensions", 2) for one in why.findings if one.code == "not_loaded")
    assert store.in_force(pbx) == before


def test_a_wrong_live_value_is_noticed_and_the_previous_files_return(pbx, number):
    before = store.in_force(pbx)
    changed = small.PJSIP.replace("[2002](phone)", "[2002](phone)\nallow = !all,gsm")
    steps = []

    def tamper(step: Step) -> None:
        """Somebody writes into the revision between switch and reload: the shadow saw gsm, Asterisk reads g722."""
        steps.append((step.name, step.state))
        if (step.name, step.state) == ("reload", "started"):
            file = store.folder(pbx, number) / "etc" / "bentevi" / "extensions.pjsip.conf"
            file.write_text(file.read_text().replace("gsm", "g722"))

    why = refused(pbx, candidate(pbx, number, pjsip=changed), tamper)
    assert why.step == "look" and why.returned
    one = why.findings[0]
    assert (one.code, one.word, one.row_id) == ("live_value_differs", "extensions", 2)
    assert one.parameters["live"] == "(g722)" and one.parameters["wanted"] == "(gsm)"
    assert steps[-1] == ("return", "done")
    assert store.in_force(pbx) == before and value(pbx, "2002", "allow") == "(alaw|ulaw)"


def test_a_wrong_password_is_noticed_without_being_told(pbx, number):
    def tamper(step: Step) -> None:
        if (step.name, step.state) == ("reload", "started"):
            file = store.folder(pbx, number) / "etc" / "bentevi" / "secrets.pjsip.conf"
            file.write_text(file.read_text().replace("vermelho", "amarelo"))

    why = refused(pbx, candidate(pbx, number, auths=small.AUTHS.replace("s2002", "vermelho")), tamper)
    assert why.step == "look"
    assert "vermelho" not in str(why) and "amarelo" not in str(why) and why.findings[0].parameters["key"] == "password"


@pytest.mark.parametrize("broken", ["ocupado", "extras"])
def test_a_dialplan_cut_off_by_a_missing_bracket_is_noticed(pbx, number, broken):
    """Asterisk answers "Dialplan reloaded." all the same. Here the ] is lost after the shadow has seen it."""
    changed = small.DIALPLAN.replace("Busy(5)", "Busy(7)")

    def tamper(step: Step) -> None:
        if (step.name, step.state) == ("reload", "started"):
            file = store.folder(pbx, number) / "etc" / "bentevi" / "extensions.extensions.conf"
            file.write_text(file.read_text().replace(f"[{broken}]", f"[{broken}"))

    why = refused(pbx, candidate(pbx, number, dialplan=changed), tamper)
    assert why.step == "look" and why.returned and broken in why.findings[0].text
    assert "Busy(5)" in ask(pbx, "dialplan show ocupado")
    assert "9X." in ask(pbx, "dialplan show extras")


def test_a_changed_transport_waits_for_a_restart(pbx, number):
    files = small.files(pbx)
    files["bentevi/sip.pjsip.conf"] = files["bentevi/sip.pjsip.conf"].replace("tos = cs3", "tos = af31", 1)
    files["modules.conf"] += "; more\n"
    done = apply(pbx, Candidate(number, files))
    assert done.restart_needed == ("modules.conf", "pjsip.conf transport transport-udp")
    apply(pbx, candidate(pbx, number + 1))


def test_two_applies_do_not_run_at_once(pbx, number):
    with revision.lock(pbx), ThreadPoolExecutor(1) as other:
        with pytest.raises(Busy):
            other.submit(apply, pbx, candidate(pbx, number)).result()


def test_a_live_call_survives_an_apply(pbx, number):
    with Connection().open(pbx.ami_port, "bentevi-actions", small.SECRETS.ami_actions) as ami:
        call = {"Action": "Originate", "Channel": "Local/3000@interno", "Application": "Wait", "Data": "30"}
        assert ami.ask(call).succeeded
    before = ask(pbx, "core show channels concise").splitlines()
    assert before
    apply(pbx, candidate(pbx, number, dialplan=small.DIALPLAN.replace("Busy(5)", "Busy(6)")))
    after = ask(pbx, "core show channels concise").splitlines()
    assert {line.split("!")[0] for line in before} == {line.split("!")[0] for line in after}
    ask(pbx, "channel request hangup all")


def test_without_a_running_asterisk_the_files_are_tried_and_take_effect_at_its_start(tmp_path):
    settings = small.settings_in(tmp_path)
    done = apply(settings, candidate(settings, 1))
    assert not done.running and store.in_force(settings) == 1
    refused(settings, candidate(settings, 2, pjsip=small.PJSIP.replace("max_contacts = 1", "max_contacts = many")))
    assert store.in_force(settings) == 1


def test_the_shadow_leaves_no_process_and_no_folder(pbx, number):
    apply(pbx, candidate(pbx, number, pjsip=small.PJSIP.replace('"Bruno"', '"Bruno Lima"')))
    assert not list(pbx.run.glob("shadow-*"))
    found = subprocess.run(["pgrep", "-f", f"{pbx.run}/shadow-"], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_a_carrier_that_cannot_be_reached_in_the_trial_is_no_mistake(pbx, number):
    """In a network of its own nobody answers a REGISTER or an OPTIONS; the files are good all the same."""
    hurried = small.TRUNKS.replace("type = registration", "type = registration\nmax_random_initial_delay = 0")
    hurried = hurried.replace("sip:127.0.0.9:5099", "sip:203.0.113.9")
    hurried = hurried.replace("type = aor", "type = aor\nqualify_frequency = 1")
    apply(pbx, candidate(pbx, number))
    done = apply(pbx, candidate(pbx, number + 1, trunks=hurried))
    assert done.looked_at == 2  # aor and registration; endpoint and identify stay as they were
    assert "203.0.113.9" in ask(pbx, "pjsip show registration trunk-7")
    apply(pbx, candidate(pbx, number + 2))


def test_an_address_of_the_office_network_can_be_bound_in_the_trial(tmp_path):
    settings = small.settings_in(tmp_path, BENTEVI_BIND="10.99.8.7")
    files = small.files(settings)
    apply(settings, Candidate(1, files))
    with shadow.booted(settings, store.folder(settings, 1) / "etc", files) as (trial, isolated):
        assert isolated and f"10.99.8.7:{settings.sip_port}" in trial.ask("pjsip list transports")


def test_where_namespaces_are_refused_the_trial_goes_on_with_a_warning(pbx, number, tmp_path, monkeypatch):
    (tmp_path / "setpriv").symlink_to("/usr/bin/setpriv")
    monkeypatch.setenv("PATH", str(tmp_path))
    shadow.forget_isolation()
    try:
        done = apply(pbx, candidate(pbx, number, pjsip=small.PJSIP.replace('"Ana"', '"Ana Maria"')))
    finally:
        shadow.forget_isolation()
    assert "refuses network namespaces" in done.warning
    assert "Ana Maria" in ask(pbx, "pjsip show endpoint 2001")


def python(program, *arguments):
    """Another process of ours, so that it can be killed."""
    argv = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    surroundings = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, env=surroundings)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from appliance.telephony.revision import Candidate, apply
    from tests.telephony import small
    import dataclasses, json

    settings = small.settings_in(Path(sys.argv[1]), **json.loads(sys.argv[2]))
    changed = small.PJSIP.replace("[2002](phone)", "[2002](phone)\\nallow = !all,gsm")
    wanted = Candidate(int(sys.argv[3]), small.files(settings, pjsip=changed), small.SECRET_FILES)

    def die(step):
        moment = f"{step.name} {step.state}"
        if moment == "reload started" and sys.argv[4].startswith("return"):
            file = settings.revisions / f"{wanted.number:06d}" / "etc" / "bentevi" / "extensions.pjsip.conf"
            file.write_text(file.read_text().replace("gsm", "g722"))
        if moment == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)

    apply(settings, wanted, die)
"""
STEPS = ("write", "shadow", "switch", "reload", "look", "return")
MOMENTS = [f"{step} {state}" for step in STEPS for state in ("started", "done")]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_the_old_or_the_new_revision_is_complete(pbx, number, moment):
    good = number
    apply(pbx, candidate(pbx, good))
    numbers = {"SIP": pbx.sip_port, "AMI": pbx.ami_port, "AGI": pbx.agi_port, "WS": pbx.ws_port}
    ports = {f"BENTEVI_{word}_PORT": str(port) for word, port in numbers.items()}
    killed = python(KILLED, str(pbx.home), json.dumps(ports), str(number + 1), moment)
    assert killed.wait(60) == -signal.SIGKILL
    linked = store.in_force(pbx)
    assert linked in (good, number + 1)
    wanted = small.files(pbx)
    complete = store.files_of(pbx, linked)
    assert set(complete) == set(wanted)
    revision.recover(pbx, good)
    assert store.in_force(pbx) == good and store.files_of(pbx, good) == wanted
    assert value(pbx, "2002", "allow") == "(alaw|ulaw)"
    assert not list(pbx.revisions.glob("*.new")) and not list(pbx.run.glob("shadow-*"))


def test_killed_inside_the_shadow_its_asterisk_dies_too(pbx, number):
    program = """
        import sys, time
        from pathlib import Path
        from appliance.telephony import revision, shadow, store
        from tests.telephony import small
        settings = small.settings_in(Path(sys.argv[1]))
        number = store.in_force(settings)
        files, etc = store.files_of(settings, number), store.folder(settings, number) / "etc"
        with shadow.booted(settings, etc, files) as (trial, isolated):
            print(trial.folder, flush=True)
            time.sleep(60)
    """
    process = python(program, str(pbx.home))
    folder = Path(process.stdout.readline().strip())
    control = folder / "run" / "asterisk.ctl"
    assert runtime.is_running(control)
    process.kill()
    process.wait()
    ends_at = time.monotonic() + 5
    while runtime.is_running(control) and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert not runtime.is_running(control)
    shadow.clear(pbx)
    assert not folder.exists()


def test_a_difference_names_rows_and_shows_no_secret(pbx):
    old = small.files(pbx)
    pjsip, auths = small.PJSIP.replace('"Bruno"', '"Bruno Lima"'), small.AUTHS.replace("s2002", "neu")
    new = small.files(pbx, pjsip=pjsip, auths=auths)
    found = difference(old, new, small.SECRET_FILES)
    assert [one.file for one in found] == ["bentevi/extensions.pjsip.conf"]
    hunk = found[0].hunks[0]
    assert hunk.origin == ("extensions", 2)
    assert '-callerid = "Bruno" <2002>' in hunk.lines and '+callerid = "Bruno Lima" <2002>' in hunk.lines


def test_a_line_leads_to_its_row_and_template(pbx):
    files = small.files(pbx)
    source = store.trace(files, "bentevi/extensions.pjsip.conf", 18)
    assert (source.template, source.word, source.row_id) == ("extensions.pjsip.conf.j2", "extensions", 2)


def test_what_asterisk_knows_is_learned_once(pbx):
    known = learning.known(pbx)
    assert {"dial", "queue", "confbridge", "voicemail"} <= known.applications
    assert "system" not in known.applications and "SHELL" not in known.functions
    assert "max_contacts" in known.pjsip["aor"] and "alaw" in known.codecs
    assert list((pbx.asterisk / "data").glob("known-*.json"))


def test_many_threads_ask_the_manager_and_each_gets_its_own_answer(pbx):
    wrong = []
    with Connection().open(pbx.ami_port, "bentevi-actions", small.SECRETS.ami_actions) as ami:

        def work(mine: int) -> None:
            for turn in range(30):
                ami.ask({"Action": "DBPut", "Family": "t", "Key": f"{mine}-{turn}", "Val": f"{mine}.{turn}"})
                answer = ami.ask({"Action": "DBGet", "Family": "t", "Key": f"{mine}-{turn}"})
                if [event["Val"] for event in answer.events] != [f"{mine}.{turn}"]:
                    wrong.append((mine, turn, answer))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not wrong
        assert "queue-12" in ami.ask({"Action": "Command", "Command": "queue show queue-12"}).output
        listed = ami.ask({"Action": "QueueStatus", "Queue": "queue-12"})
        assert {event.get("Name") for event in listed.events if event["Event"] == "QueueMember"} == {"Ana", "Bruno"}
        with pytest.raises(ValueError, match="line break"):
            ami.ask({"Action": "Ping", "X": "1\r\nAction: Command"})


def test_a_listener_survives_its_own_mistakes_and_texts_that_stop_pyst2(pbx):
    heard = []

    def on_event(event):
        heard.append(event.get("Text"))
        raise RuntimeError("a mistake of a handler")

    with Connection(on_event).open(pbx.ami_port, "bentevi-events", small.SECRETS.ami_events) as listener:
        with Connection().open(pbx.ami_port, "bentevi-actions", small.SECRETS.ami_actions) as ami:
            for text in ("one", "x status will follow", "three"):
                assert ami.ask({"Action": "UserEvent", "UserEvent": "Trial", "Text": text}).succeeded
        ends_at = time.monotonic() + 3
        while "three" not in heard and time.monotonic() < ends_at:
            time.sleep(0.01)
        assert [text for text in heard if text] == ["one", "x status will follow", "three"]
        assert listener.ask({"Action": "Ping"}).succeeded


def test_a_manager_that_does_not_answer_is_busy(pbx):
    with pytest.raises(Busy):
        Connection().open(small.free_port(), "nobody", "x")
    with pytest.raises(Busy):
        Connection().open(pbx.ami_port, "bentevi-actions", "wrong")


def test_old_revisions_are_removed_but_never_the_one_in_force(tmp_path):
    settings = small.settings_in(tmp_path)
    for number in (1, 2, 3, 4):
        store.write(settings, number, candidate(settings, number).files, {})
    store.link(settings, 1)
    assert revision.prune(settings, keep=2) == [2]


def test_a_prompt_that_does_not_exist_is_refused_once_ours_are_made(pbx, number):
    sounds = pbx.asterisk / "data" / "sounds"
    prompts.install(pbx)
    try:
        (sounds / "pt_BR" / "bem-vindo.wav").touch()
        spoken = small.DIALPLAN.replace("1,Answer()", "1,Playback(bem-vindo&digits/1&tchau)")
        why = refused(pbx, candidate(pbx, number, dialplan=spoken))
        assert [(one.code, one.parameters["value"]) for one in why.findings] == [("missing_sound", "tchau")]
    finally:
        shutil.rmtree(sounds / "pt_BR")
