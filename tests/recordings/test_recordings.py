"""Recordings after the call: small files, seals, who may listen, what goes when."""

import os
import subprocess
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import select

from appliance import alarms, changes, resource, settings
from appliance.calls import totals
from appliance.calls.model import ANSWERED, INBOUND, Call
from appliance.db import db
from appliance.recording_policy.model import RecordingPolicy
from appliance.recordings import chain, check, files
from appliance.recordings.model import DAMAGED, EMPTY, MISSING, READY, REMOVED, WAITING, Recording
from jobs import recordings as jobs
from tests.build import change, make_cost_centre, make_user
from tests.visitor import person, text_of

START = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clean(app):
    for folder in (files.folder(), files.raw_folder()):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        folder.mkdir(parents=True)


def make_call(number: int = 1) -> Call:
    """A conversation that is over."""
    call = Call(
        node="bentevi", linkedid=f"bentevi-1.{number}", protocol=f"20261120{number:06}", state=ANSWERED, direction=INBOUND, started_at=START,
        answered_at=START, ended_at=START + timedelta(seconds=60), from_number="5548999998888", from_name="", from_cost_centre="",
        to_number="554830139001", to_name="", reached_number="1001", reached_name="Ana", to_cost_centre="", trunk="A", hang_up_side="caller",
        recording_count=1,
    )
    db.session.add(call)
    db.session.flush()
    totals.add(totals.contribution(call))
    return call


def tone(file: Path, seconds: float, frequency: int = 700) -> None:
    """A WAV as Asterisk writes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["sox", "-n", "-r", "8000", "-c", "1", "-b", "16", str(file), "synth", str(seconds), "sine", str(frequency), "gain", "-6"],
                   check=True)
    if seconds == 0:
        with wave.open(str(file), "wb") as empty:
            empty.setparams((1, 2, 8000, 0, "NONE", ""))


def make_recording(number: int = 1, seconds: float = 2, converted: bool = True, **values) -> Recording:
    """A recording of a call of its own, as the records of the call left it; converted unless told otherwise."""
    name = f"20261120/bentevi-1.{number}-1795.wav"
    tone(files.raw_folder() / name, seconds, 500 + 50 * number)
    recording = Recording(call_id=make_call(number).id, uniqueid=f"bentevi-1.{number}", raw_name=name, state=WAITING,
                          **{"started_at": START + timedelta(minutes=number)} | values)
    db.session.add(recording)
    db.session.commit()
    if converted:
        jobs.convert(recording.id)
    return recording


def browser_of(user) -> requests.Session:
    """A real login through nginx."""
    base = f"http://127.0.0.1:{settings.load().http_port}"
    login = user.login
    db.session.commit()
    visitor = requests.Session()
    visitor.headers["Referer"] = base
    page = visitor.get(f"{base}/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = visitor.post(f"{base}/login", data={"csrf_token": token, "login": login, "password": "Senha#4tes"})
    assert "/login" not in urlsplit(answer.url).path
    visitor.base = base
    return visitor


def test_a_recording_becomes_small_has_a_waveform_and_the_big_file_goes(app):
    """EXT-20: converted off the call's road."""
    raw = files.raw_folder() / "20261120/bentevi-1.1-1795.wav"
    recording = make_recording(seconds=3)
    assert (recording.state, recording.seconds) == (READY, 3)
    small = files.folder() / recording.name
    assert recording.size_bytes == small.stat().st_size < 3 * 16000 / 4
    heard = float(subprocess.run(["soxi", "-D", str(small)], capture_output=True, text=True).stdout or 3)
    assert abs(heard - 3) < 0.2
    assert recording.waveform and len(recording.waveform) == 400 and min(recording.waveform) > 100
    assert not raw.exists()


def test_converting_twice_and_dying_in_between_leaves_one_whole_recording(app, monkeypatch):
    """Every process may die: before the row is sealed the whole work is done again, after it nothing."""
    recording = make_recording(converted=False)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            jobs.convert(recording.id)
    db.session.rollback()
    assert db.session.get_one(Recording, recording.id).state == WAITING
    jobs.convert(recording.id)
    seal = recording.seal
    jobs.convert(recording.id)
    assert (recording.state, recording.place, recording.seal) == (READY, 1, seal)


def test_a_header_cut_off_by_a_crash_costs_nothing(app):
    """A killed Asterisk leaves length 0 in the header: the sound is taken from the file."""
    recording = make_recording(converted=False, seconds=4)
    raw = files.raw_folder() / recording.raw_name
    content = bytearray(raw.read_bytes())
    content[4:8] = content[40:44] = bytes(4)
    raw.write_bytes(content)
    os.utime(raw, (0, 0))
    jobs.convert(recording.id)
    assert (recording.state, recording.seconds) == (READY, 4)


@pytest.mark.parametrize(("content", "state"), [(None, MISSING), (b"\0" * 5000, DAMAGED), (b"RIFF", EMPTY)])
def test_missing_damaged_and_empty_files_say_so(app, content, state):
    """Recording missing or damaged: a clear state with its reason; calls are unaffected."""
    recording = make_recording(converted=False)
    raw = files.raw_folder() / recording.raw_name
    raw.unlink()
    if content is not None:
        raw.write_bytes(content)
        os.utime(raw, (0, 0))
    jobs.convert(recording.id)
    assert recording.state == state
    assert bool(recording.reason) == (state != EMPTY)
    assert db.session.get_one(Call, recording.call_id).recording_count == (0 if state == EMPTY else 1)


@pytest.mark.database
def test_the_chain_notices_what_was_exchanged_taken_out_or_rewritten(app):
    """EXT-20: sealed by a chain of digests; each way of tampering is named, nothing else is."""
    recordings = [make_recording(number) for number in range(1, 6)]
    assert chain.verify(files.folder()) == []
    (files.folder() / recordings[0].name).write_bytes(b"another")
    (files.folder() / recordings[1].name).unlink()
    recordings[2].seconds = 99
    db.session.delete(recordings[3])
    db.session.commit()
    assert [(one["place"], one["what"]) for one in chain.verify(files.folder())] == [
        (1, "file differs"), (2, "file missing"), (3, "seal differs"), (4, "place missing"), (5, "seal differs")]


@pytest.mark.database
def test_retention_removes_files_and_keeps_the_chain_whole(app):
    """EXT-20: retention in days; the call and its seal stay."""
    old, new = make_recording(1, started_at=datetime.now(UTC) - timedelta(days=40)), make_recording(2, started_at=datetime.now(UTC))
    change(db.session.get_one(RecordingPolicy, resource.SINGLE_ID), retention_days=30)
    gone = files.folder() / old.name
    assert jobs.remove_old() == 1 and jobs.remove_old() == 0
    assert (old.state, old.reason, new.state) == (REMOVED, "retention", READY)
    assert not gone.exists() and (files.folder() / new.name).exists()
    assert chain.verify(files.folder()) == []


def test_the_quota_takes_the_oldest_down_to_nine_tenths_and_says_so(app):
    """EXT-20: quota with hysteresis."""
    now = datetime.now(UTC)
    recordings = [make_recording(number, started_at=now - timedelta(minutes=20 - number)) for number in range(1, 11)]
    size = recordings[0].size_bytes
    assert jobs.remove_old(quota_bytes=10 * size) == 0 and not alarms.active()
    assert jobs.remove_old(quota_bytes=int(9.5 * size)) == 2
    assert [recording.state for recording in recordings] == [REMOVED] * 2 + [READY] * 8
    assert [alarm.code for alarm in alarms.active()] == ["recordings_quota"]
    assert jobs.remove_old(quota_bytes=int(9.5 * size)) == 0 and not alarms.active()


def test_on_a_full_disk_the_oldest_go_and_the_newest_days_stay(app):
    """SYS-20: whatever filled it; an alarm says how many, until there is room again; the chain stays whole."""
    now = datetime.now(UTC)
    old = [make_recording(number, started_at=now - timedelta(days=30 - number)) for number in range(1, 6)]
    new = make_recording(6, started_at=now - timedelta(days=3))
    size, gone = old[0].size_bytes, files.folder() / old[0].name
    total = 100 * size
    assert jobs.remove_old(disk=(89 * size, total)) == 0 and not alarms.active()
    assert jobs.remove_old(disk=(90 * size, total)) == 2 and not gone.exists()
    assert [one.state for one in old] == [REMOVED] * 2 + [READY] * 3 and old[0].reason == "disk"
    assert [(one.code, one.parameters) for one in alarms.active()] == [("recordings_room", {"percent": 90, "count": 2, "days": 7})]
    assert jobs.remove_old(disk=(97 * size, total)) == 3 and new.state == READY, "the last seven days stay however full it is"
    assert jobs.remove_old(disk=(97 * size, total)) == 0 and alarms.active()[0].parameters["count"] == 5
    change(db.session.get_one(RecordingPolicy, resource.SINGLE_ID), disk_percent=98, least_days=0)
    assert jobs.remove_old(disk=(97 * size, total)) == 0 and not alarms.active()
    assert jobs.remove_old(disk=(98 * size, total)) == 1 and new.state == REMOVED
    assert chain.verify(files.folder()) == []


def test_a_file_whose_row_was_removed_when_the_power_went_is_swept_later(app, monkeypatch):
    """Retention may die between row and file."""
    old = make_recording(1, started_at=datetime.now(UTC) - timedelta(days=400))
    file = files.folder() / old.name
    with monkeypatch.context() as patch:
        patch.setattr(files, "sweep", lambda: 0)
        jobs.remove_old()
    assert file.exists() and old.state == REMOVED
    jobs.remove_old()
    assert not file.exists() and old.name == ""


def test_a_verification_asked_on_the_page_is_done_by_the_worker_and_shown(carla):
    """EXT-20: verify page; a known fault is acknowledged and the next check is clean."""
    recording = make_recording()
    (files.folder() / recording.name).unlink()
    found = check.ask("")
    db.session.commit()
    jobs.verify(found.id)
    assert [alarm.code for alarm in alarms.active()] == ["recordings_broken"]
    page = carla.get("/recordings").text
    assert "1 falha" in page, text_of(carla.get("/recordings"))[-900:]
    assert "falta o arquivo" in page
    assert carla.send(f"/recordings/{recording.id}/acknowledge").status_code == 302
    db.session.expire_all()
    assert recording.state == MISSING and "Carla" in recording.reason
    db.session.rollback()
    found = check.ask("")
    db.session.commit()
    jobs.verify(found.id)
    assert not alarms.active()


def test_the_sound_comes_through_nginx_in_parts_and_listening_is_written_down(carla):
    """EXT-20, REP-04: the player seeks (ranges); who listened stands in the audit trail."""
    recording = make_recording(seconds=6)
    address, content = f"/recordings/{recording.id}", (files.folder() / recording.name).read_bytes()
    visitor = browser_of(make_user("olivia", access_level="manager", modules=["recordings"]))
    answer = visitor.get(f"{visitor.base}{address}/audio", headers={"Range": "bytes=100-199"})
    assert (answer.status_code, len(answer.content), answer.headers["Content-Type"]) == (206, 100, "audio/mpeg")
    assert visitor.get(f"{visitor.base}{address}/audio").content == content
    query = select(changes.Change).where(changes.Change.word == "recordings", changes.Change.action == "listened")
    noted = db.session.scalars(query).all()
    assert [(one.user_name, one.row_title) for one in noted] == [("Olivia", "20261120000001")]
    db.session.rollback()
    assert 'data-wave' in visitor.get(f"{visitor.base}{address}/_player").text


def test_a_signed_link_plays_without_login_until_it_expires_or_its_maker_loses_the_right(app, monkeypatch):
    """EXT-20: signed expiring links."""
    recording = make_recording()
    address, content = f"/recordings/{recording.id}", (files.folder() / recording.name).read_bytes()
    olivia = make_user("olivia", access_level="manager", modules=["recordings"])
    visitor = browser_of(olivia)
    page = visitor.get(f"{visitor.base}{address}/_player").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    part = visitor.post(f"{visitor.base}{address}/link", data={"hours": "1", "csrf_token": token})
    link = part.text.split('value="')[1].split('"')[0]
    assert requests.get(link).content == content
    assert requests.get(link[:-2] + ("AA" if link[-2:] != "AA" else "BB")).status_code == 404
    change(olivia, modules=["extensions"])
    assert requests.get(link).status_code == 410
    change(olivia, modules=["recordings"])
    assert requests.get(link).status_code == 200
    from web import recordings as screen
    late = app.test_client()
    monkeypatch.setattr(screen.ground, "now", lambda: datetime.now(UTC) + timedelta(hours=2))
    assert late.get(urlsplit(link).path).status_code == 410


def test_nobody_without_the_right_hears_anything(client, carla):
    """REP-04: without permission the address of the sound gives 403, whatever is tried; nginx's own place is closed."""
    recording = make_recording()
    davi = person(client, "david", access_level="manager", modules=["reports", "recording_policy", "jobs"])
    paths = [f"/recordings/{recording.id}/audio", f"/recordings/{recording.id}/_player", "/recordings", "/recordings/_checks"]
    assert [davi.get(path).status_code for path in paths] == [403] * 4
    for path in (f"/recordings/{recording.id}/link", f"/recordings/{recording.id}/acknowledge", "/recordings/verify"):
        assert davi.send(path).status_code == 403
    stranger = client.application.test_client()
    assert [stranger.get(path).status_code for path in paths] == [302] * 4
    base = f"http://127.0.0.1:{settings.load().http_port}"
    for path in (f"/_recordings/{recording.name}", f"/static/../recordings/{recording.name}", f"/recordings/{recording.name}",
                 "/listen/", "/listen/x", f"/listen/{recording.id}", f"/recordings/{recording.id}/audio/../audio?x=1"):
        assert requests.get(base + path, allow_redirects=False).status_code in (302, 401, 403, 404), path
    olga = person(client, "olivia", access_level="manager", modules=["recordings"])
    assert olga.send(f"/recordings/{recording.id}/acknowledge").status_code == 403, "only administrators may"
    assert olga.send(f"/recordings/{recording.id}/link", {"hours": "9999"}).status_code == 400
    assert olga.get("/recordings/999/audio").status_code == 404


def test_a_persons_cost_centres_limit_what_is_heard_too(client):
    """USR-18, REP-04: a recording of a call the person may not see is not there, by no address and no link."""
    shop, kitchen = make_cost_centre("Loja"), make_cost_centre("Cozinha")
    recording = make_recording()
    db.session.get_one(Call, recording.call_id).to_cost_centre_id = kitchen.id
    db.session.commit()
    paths = [f"/recordings/{recording.id}/{what}" for what in ("audio", "_player", "link")]
    olivia = make_user("olivia", access_level="manager", modules=["recordings"], cost_centres=["Cozinha"])
    browser = client.application.test_client().is_person(olivia)
    link = urlsplit(browser.send(paths[2], {"hours": "1"}).text.split('value="')[1].split('"')[0]).path
    assert [browser.get(path).status_code for path in (*paths[:2], link)] == [200, 200, 200]
    change(olivia, cost_centres=[shop.name])
    assert [browser.get(path).status_code for path in (*paths[:2], link)] == [404, 404, 404]
    assert browser.send(paths[2], {"hours": "1"}).status_code == 404
