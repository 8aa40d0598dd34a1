"""Sounds of the library as telephones hear them, and sounds that a telephone records."""

import io
import wave

import pytest

from appliance import db as ground
from appliance.audio_prompts import files
from appliance.audio_prompts.model import READY, RECORDED, SPOKEN, WAITING, AudioPrompt
from appliance.db import db
from appliance.resource import TABLE
from tests import media
from tests.build import change, company, make, make_extension, make_inbound_route, make_outbound_route, make_profile, make_trunk
from tests.sounds import holds, samples, tone
from tests.visitor import text_of
from tests.wire import the_wire

pytestmark = pytest.mark.pbx


def until(ready, seconds, said):
    """Wait for it, asking ten times a second."""
    assert the_wire().comes_true(ready, seconds), said()


def made(name):
    """The row once the worker has made its sound, detached, so that reading it opens no transaction."""

    def row():
        db.session.rollback()
        ground.read_only()
        found = db.session.query(AudioPrompt).filter_by(name=name).one()
        db.session.expunge(found)
        db.session.rollback()
        return found

    until(lambda: row().state == READY, 30, lambda: f"{name}: {row().state} {row().reason}")
    return row()


def upload(carla, name, content, filename, **values):
    answer = carla.send("/audio_prompts/new", {"name": name, "voice_speed": "150", "file": (io.BytesIO(content), filename), **values})
    assert answer.status_code == 302, text_of(answer)
    return answer


@pytest.fixture
def way_out(pbx, carrier):
    company(area_code="48")
    make_trunk("A", carrier.port)
    make_outbound_route("Saída", {"mask": "X.", "trunk": "A"})
    return make_extension("1001", dialing_profile=make_profile("Completo", "Saída").name)


def test_an_mp3_and_a_wav_are_stored_as_8_khz_mono_and_heard_by_telephones(pbx, carla, phone, carrier, way_out, tmp_path):
    """IVR-28, RTE-10, RTE-05: 44.1 kHz stereo MP3 to who dials a listed number, 8 kHz mono WAV to a listed caller."""
    upload(carla, "Não pode", tone(tmp_path / "a.mp3", 1250, rate=44100, channels=2), "Não pode (final).mp3")
    upload(carla, "Recusado", tone(tmp_path / "b.wav", 650), "../../etc/recusado.wav")
    for name in ("Não pode", "Recusado"):
        row = made(name)
        with wave.open(str(files.folder() / row.file)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        assert 2.8 < row.seconds < 3.3
    assert row.label == "recusado.wav"
    make("blacklists", name="Trotes", numbers=[{"number": "4833334444"}], inbound_prompt="Recusado", outbound_prompt="Não pode")
    change(TABLE["outbound_routes"].find("Saída"), blacklists=["Trotes"])
    make_inbound_route("Entrada", "A", {"default": True, "destination": {"extension": "1001"}}, blacklists=["Trotes"])
    pbx.apply()
    ana = phone(way_out)
    call = ana.call("4833334444")
    assert call.hears(1250, within_seconds=5)
    assert call.wait_refused() == 403
    caller = carrier.call("4830139018", caller="4833334444")
    assert caller.hears(650, within_seconds=5)
    assert caller.wait_refused() == 403


def test_a_replaced_sound_is_heard_after_the_apply_and_a_call_that_hears_the_old_one_hears_it_to_its_end(
        pbx, carla, phone, carrier, way_out, tmp_path):
    """IVR-28: files are named by their content, so a call and an older revision keep theirs."""
    upload(carla, "Aviso", tone(tmp_path / "a.wav", 1250, seconds=6), "a.wav")
    first = made("Aviso")
    make("blacklists", name="Trotes", numbers=[{"number": "4833334444"}], outbound_prompt="Aviso")
    change(TABLE["outbound_routes"].find("Saída"), blacklists=["Trotes"])
    pbx.apply()
    ana = phone(way_out)
    during = ana.call("4833334444")
    assert during.hears(1250, within_seconds=5)
    answer = carla.send(f"/audio_prompts/{first.id}", {"name": "Aviso", "voice_speed": "150", "file": (io.BytesIO(tone(tmp_path / "b.wav", 650)), "b.wav")})
    assert answer.status_code == 302
    pbx.apply()
    assert during.hears(1250), "the old sound goes on"
    assert made("Aviso").file != first.file
    assert during.wait_refused() == 403
    assert ana.call("4833334444").hears(650, within_seconds=5)
    assert (files.folder() / first.file).exists(), "an older revision names it"


def test_a_text_is_spoken_and_heard(pbx, carla, phone, way_out):
    """IVR-30, IVR-28: with accents, at two speeds; heard by who dials a listed number."""
    text = "Estamos fechados. Ligue amanhã, a partir das oito horas: atenção, não há plantão."
    make("audio_prompts", name="Fechado", text=text, voice_speed=150)
    make("audio_prompts", name="Devagar", text=text, voice_speed=90)
    make("blacklists", name="Trotes", numbers=[{"number": "4833334444"}], outbound_prompt="Fechado")
    change(TABLE["outbound_routes"].find("Saída"), blacklists=["Trotes"])
    pbx.apply()
    fast, slow = made("Fechado"), made("Devagar")
    assert fast.source == SPOKEN and 3 < fast.seconds < 10 and slow.seconds > fast.seconds * 1.3
    level = media.level_dbfs(samples(files.folder() / fast.file))
    assert -28 < level < -14, f"{level} dBFS"
    call = phone(way_out).call("4833334444")
    assert call.hears_sound(2.5, within_seconds=8)


def test_an_extension_is_rung_and_hears_the_sound(pbx, carla, phone, tmp_path):
    """IVR-28: “call me and play”."""
    ana = make_extension("1001")
    upload(carla, "Aviso", tone(tmp_path / "a.wav", 1250), "a.wav")
    row = made("Aviso")
    pbx.apply()
    answer = carla.send(f"/audio_prompts/{row.id}/call", {"extension": "1001", "kind": "play"})
    assert "Nenhum telefone está registrado no ramal 1001" in text_of(carla.get(answer.location)), "refused before anything rings"
    answer = carla.send(f"/audio_prompts/{row.id}/call", {"extension": "9999", "kind": "play"})
    assert "Não existe o ramal" in text_of(carla.get(answer.location))
    handset = phone(ana)
    wait_registered("1001")
    assert carla.send(f"/audio_prompts/{row.id}/call", {"extension": "1001", "kind": "play"}).status_code == 302
    call = handset.answer()
    assert call.hears(1250, within_seconds=5)
    call.wait_ended(within_seconds=10)
    wait_said(carla, row.id, "Foi tocado")


def wait_registered(number):
    from appliance import live

    until(lambda: live.now().rows("extensions").get(number, {}).get("contacts"), 10, lambda: f"{number} is not registered")


def wait_said(carla, prompt_id, text):
    until(lambda: text in text_of(carla.get(f"/audio_prompts/{prompt_id}/_sound")), 15,
                    lambda: text_of(carla.get(f"/audio_prompts/{prompt_id}/_sound")))


@pytest.fixture
def recording(pbx, carla, phone):
    """Ana's handset rung to record a new sound: (row's id, her call, answered)."""
    ana = make_extension("1001")
    row = make("audio_prompts", name="Gravado")
    pbx.apply()
    handset = phone(ana)
    wait_registered("1001")
    answer = carla.send(f"/audio_prompts/{row.id}/call", {"extension": "1001", "kind": "record"})
    assert answer.status_code == 302
    call = handset.answer()
    wait_said(carla, row.id, "Atendeu")
    assert call.hears(1400, within_seconds=15), "no tone to speak after"
    return row.id, call


def test_a_sound_is_recorded_by_telephone_heard_back_and_kept(carla, recording):
    """IVR-28: after the tone, until #, heard back, 1 keeps it."""
    row_id, call = recording
    call.speak(1850)
    the_wire().comes_true(lambda: False, 1.5)
    call.be_quiet()
    call.press("#")
    assert call.hears(1850, within_seconds=6), "it is heard back"
    call.press("1")
    row = made("Gravado")
    assert row.source == RECORDED and row.label == "1001" and holds(files.folder() / row.file, 1850)
    assert not holds(files.folder() / row.file, 1400), "the tone is not in it"
    wait_said(carla, row_id, "A gravação foi guardada")


def test_what_ends_with_hanging_up_is_kept_and_what_is_not_accepted_is_dropped(carla, recording):
    """IVR-28."""
    row_id, call = recording
    call.speak(1850)
    the_wire().comes_true(lambda: False, 1.0)
    call.be_quiet()
    call.press("#")
    assert call.hears(1850, within_seconds=6)
    call.hang_up()
    wait_said(carla, row_id, "A gravação não foi guardada")
    assert db.session.get(AudioPrompt, row_id).file == ""
    db.session.rollback()


def test_a_recording_that_ends_with_hanging_up_is_kept(carla, recording):
    _row_id, call = recording
    call.speak(1850)
    the_wire().comes_true(lambda: False, 1.5)
    call.hang_up()
    row = made("Gravado")
    assert holds(files.folder() / row.file, 1850)


def test_nobody_takes_the_telephone_up(pbx, carla, phone):
    ana, row = make_extension("1001"), make("audio_prompts", name="Gravado")
    pbx.apply()
    handset = phone(ana)
    handset.when_called = 486
    wait_registered("1001")
    assert carla.send(f"/audio_prompts/{row.id}/call", {"extension": "1001", "kind": "record"}).status_code == 302
    wait_said(carla, row.id, "Ninguém atendeu")


def test_a_sound_that_waits_survives_a_killed_worker(pbx, carla, tmp_path):
    """IVR-28: whatever is killed, the file that was sent becomes the sound."""
    from tests.records import kill

    kill("worker")
    upload(carla, "Aviso", tone(tmp_path / "a.wav", 1250), "a.wav")
    assert db.session.query(AudioPrompt).one().state in (WAITING, READY)
    db.session.rollback()
    assert holds(files.folder() / made("Aviso").file, 1250)
