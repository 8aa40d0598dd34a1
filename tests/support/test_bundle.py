"""The bundle for support holds no secret and no personal data, wherever they are planted; the doctor's findings end in what to do (SYS-19)."""

import io
import re
import tarfile

import pytest
from click.testing import CliRunner

from appliance import alarms, applying, settings
from appliance import db as ground
from appliance.calls.model import Call
from appliance.cli import bentevi
from appliance.db import db
from appliance.resource import SINGLE_ID, TABLE
from appliance.support import doctor, masking
from tests.backups.test_screen import made
from tests.build import change, make, make_extension, make_trunk
from tests.recordings.test_recordings import make_call
from tests.visitor import text_of

SECRETS = ["Segredo-do-tronco-7", "Segredo-do-ramal-8", "Correio-Secreto-9", "chave-s3-muito-secreta", "Senha-dos-Backups-10", "Senha@Davi7"]
PEOPLE = ["Josefina Albuquerque", "josefina.a", "josefina@padaria.example", "529.982.247-25", "Padaria do Zé Bento", "11.222.333/0001-81", "Maria Desconhecida",
          "carrier.secreto.example"]
NUMBERS = ["2077", "48999887766", "(48) 99988-7766", "+55 48 99988-7766", "5548999887766", "4830139001", "200.150.100.50"]
LINES = """[2026-11-27 08:12:49.123] WARNING[4711][C-0000001a]: chan_pjsip.c: Called 2077 from "Maria Desconhecida" <sip:48999887766@200.150.100.50:5060>
[2026-11-27 08:12:50.000] NOTICE: Registration from '"Josefina Albuquerque" <sip:2077@127.0.0.1>' failed; user josefina.a, host carrier.secreto.example
2026-11-27 08:12:51,500 bentevi.web error at /extensions?q=(48) 99988-7766 by josefina@padaria.example, JOSEFINA ALBUQUERQUE, +55 48 99988-7766
connecting postgresql://bentevi:uma-senha-qualquer@db/bentevi password=outra-senha-qualquer Authorization: Digest username="2077", response="0123456789abcdef"
token: 0123456789abcdef0123456789abcdef secret = Segredo-do-tronco-7 $argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$abcdef cpf 529.982.247-25 de 5548999887766
"""


@pytest.fixture
def planted(app):
    """Secrets and personal data in rows, in the folder of secrets and in every log."""
    change(TABLE["company"].get(SINGLE_ID), name="Padaria do Zé Bento", cnpj="11.222.333/0001-81", contact="Josefina Albuquerque")
    make_extension("2077", name="Josefina Albuquerque", password=SECRETS[1])
    make_trunk("Operadora", 5060, host="", authentication="sends_registration", registration=f"4830139001:{SECRETS[0]}@127.0.0.1:5070/4830139001")
    change(TABLE["email"].get(SINGLE_ID), server="smtp.example", sender="josefina@padaria.example", username="josefina.a", password=SECRETS[2])
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="s3", address="https://s3.example/x", username="chaveid", password=SECRETS[3], encryption_password=SECRETS[4])
    make("users", name="Josefina Albuquerque", login="josefina.a", email="josefina@padaria.example", password=SECRETS[5], cpf="529.982.247-25", phone="48999887766")
    call: Call = make_call()
    call.from_name, call.from_number = "Maria Desconhecida", "5548999887766"
    db.session.commit()
    assert applying.now("planted").state == "done"
    change(TABLE["trunks"].find("Operadora"), host="carrier.secreto.example")
    machine = settings.load()
    written = [machine.log / "planted.log", machine.asterisk / "log" / "planted.log"]
    for file in written:
        file.write_text(LINES)
    yield machine
    for file in written:
        file.unlink()


def opened(data):
    """{path: text} of a bundle."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name.removeprefix("bentevi/"): archive.extractfile(entry).read().decode() for entry in archive}


def test_nothing_planted_is_found_in_the_bundle(planted, carla):
    """SYS-19: no password, key, token, name, address, number, however they are written and wherever they stand; times and states stay."""
    answer = carla.send("/backups/bundle", {})
    found = opened(answer.data)
    assert {"READ-ME.txt", "versions.json", "status.json", "doctor.json", "machine.json", "database.json", "logs/log/planted.log",
            "logs/asterisk/log/planted.log"} <= found.keys()
    assert any(path.startswith("configuration/") for path in found)
    everything = re.sub(r"<[a-z]+-[0-9a-f]{6}>", "<mark>", "\n".join(found.values()).lower())  # a mark is a digest: its digits may be any
    keys = [line for file in planted.secrets.rglob("*") if file.is_file() for line in file.read_text().splitlines() if len(line) > 12]
    for text in [*SECRETS, *PEOPLE, *NUMBERS, *keys, "uma-senha-qualquer", "outra-senha-qualquer", "0123456789abcdef", "argon2id"]:
        assert text.lower() not in everything, text
    digits = re.sub(r"[^\d\n]", "", "\n".join(found[path] for path in found if "planted" in path))
    assert "48999887766" not in digits and "4830139001" not in digits
    log = found["logs/log/planted.log"]
    assert log.count("2026-11-27") == 3 and "08:12:49.123" in log and "@127.0.0.1" in log and "chan_pjsip.c" in log, log
    numbers = re.findall(r"<(?:number|name)-\w+>", log)
    assert len(set(numbers)) < len(numbers), "one number has one mask, so that a call can be followed"
    assert '"name": "supervisor"' in found["status.json"] and '"rows"' in found["database.json"]
    assert "pacote para o suporte feito" in text_of(carla.get("/audit")).lower()


def test_a_dry_run_lists_what_the_bundle_would_hold_and_writes_no_file(planted, tmp_path, monkeypatch):
    """SYS-19."""
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(bentevi, ["bundle", "--dry-run"], catch_exceptions=False).stdout
    listed = {line.split()[1]: int(line.split()[0]) for line in said.splitlines()}
    assert {"READ-ME.txt", "doctor.json", "logs/log/planted.log"} <= listed.keys() and listed["READ-ME.txt"] > 100 and not list(tmp_path.iterdir())
    done = CliRunner().invoke(bentevi, ["bundle", "--journal", "-o", "all.tar.gz"], input=LINES, catch_exceptions=False)
    found = opened((tmp_path / "all.tar.gz").read_bytes())["logs/journal.txt"]
    assert done.exit_code == 0 and "08:12:49.123" in found and not any(word in found for word in (*SECRETS, "Josefina", "48999887766"))


def test_the_mask_of_a_word_leaves_other_words_alone():
    """SYS-19: a name inside a longer word, a short number inside a time or a longer number."""
    mask = masking.Mask(["abcd-secret"], ["Ana", "Loja Centro"], ["10", "200"], ["5060"])
    said = mask.text("Banana at 10:10:00, ana calls 200 on 5060; loja  centro, LOJA CENTRO; 2026-11-10 xabcd-secret abcd-secret")
    assert "Banana at 10:10:00" in said and "5060" in said and "2026-11-10" in said and "loja  centro" in said
    assert "LOJA CENTRO" not in said and " ana " not in said and " 200 " not in said and said.endswith("<secret>")


@pytest.mark.parametrize("content", ["", f"{'A' * 43}="], ids=["half written", "of another home"])
def test_a_lost_key_is_a_finding_and_a_restore_says_how(app, monkeypatch, content):
    """SYS-19: half written by a power cut, or another one; the rest of the doctor's look goes on."""
    file = settings.load().secrets / "key"
    kept = file.read_text()
    make_extension("2001", password="um-segredo-8")
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address="/srv/backup", encryption_password="outro-segredo-9")
    db.session.remove()
    ground._cipher.cache_clear()
    file.write_text(content)
    try:
        found = doctor.examine(settings.load())
        refused = CliRunner().invoke(bentevi, ["restore", "--yes"])
    finally:
        file.write_text(kept)
        ground._cipher.cache_clear()
        db.session.remove()
    assert found[0].check == "secrets" and "restore --from" in found[0].todo and len(found) > 1 and not any(one.check == "backups" for one in found)
    assert refused.exit_code == 2 and "--from" in refused.stderr


def test_every_finding_ends_in_what_to_do(app):
    """SYS-19: the doctor looks at processes, tables, disk, files, jobs, backups, alarms; each finding has a way out."""
    machine = settings.load()
    wrong = [one for one in doctor.examine(machine) if one.check in ("processes", "database", "files", "sip")]
    assert not [one for one in wrong if "was started again" not in one.text], "the home of the tests is well, but other tests kill its processes"
    open_file = machine.secrets / "open"
    open_file.write_text("x")
    open_file.chmod(0o644)
    left = machine.home / "before-restore-20261127t000000z"
    left.mkdir()
    made(rehearsal="bad", rehearsal_reason="x", rehearsed_at=doctor.ground.now(), at=doctor.ground.now() - doctor.attempts.OLD * 2)
    alarms.put("records_gap", counted=2, stored=1)
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="disk", address="/srv/backup")
    try:
        found = doctor.examine(machine)
    finally:
        open_file.unlink()
        left.rmdir()
    assert {"files", "disk", "backups", "alarms"} <= {one.check for one in found}
    assert all(one.text and one.todo and one.todo[0].isupper() for one in found) and [one.level for one in found] == sorted(one.level for one in found)
    change(TABLE["backup_policy"].get(SINGLE_ID), kind="none")
    assert any("no backup is made" in one.text for one in doctor.examine(machine))
