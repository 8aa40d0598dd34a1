"""Files that people send: what is taken, what is refused with which words, and that nothing is lost."""

import io
import os
import struct
import time

import pytest
from flask_babel import force_locale

from appliance import prompts, settings, sitefile, sounds
from appliance.audio_prompts import files, intake, sound
from appliance.audio_prompts.model import FAILED, READY, REASONS, WAITING, AudioPrompt
from appliance.db import db
from appliance.errors import Refused
from appliance.resource import TABLE
from tests import media
from tests.build import change, make
from tests.sounds import holds, pitch_hz, samples, tone
from tests.visitor import person, text_of
from tests.wire import the_wire

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def prompt(app):
    return make("audio_prompts", name="Aviso")


def take(row, content, name="x.wav"):
    """A file sent and made, as the worker does it."""
    intake.upload(row, io.BytesIO(content), name)
    db.session.commit()
    sounds.make_one(row.id)
    db.session.refresh(row)
    return row


def riff(rate, channels, bits, data):
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * bits // 8 & 0xFFFFFFFF, channels * bits // 8 & 0xFFFF, bits)
    return b"RIFF" + struct.pack("<I", len(data) + 36) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize("kind", [
    {"rate": 8000}, {"rate": 44100, "channels": 2}, {"rate": 48000, "bits": 24}, {"rate": 22050, "channels": 2, "bits": 32},
    {"rate": 44100, "channels": 2, "ending": ".mp3"}, {"rate": 16000, "ending": ".mp3"},
])
def test_every_ordinary_sound_is_taken_with_its_tone(prompt, tmp_path, kind):
    """IVR-28."""
    ending = kind.pop("ending", ".wav")
    row = take(prompt, tone(tmp_path / f"t{ending}", 1250, **kind), f"t{ending}")
    assert row.state == READY, row.reason
    assert holds(files.folder() / row.file, 1250) and 2.8 < row.seconds < 3.3 and len(row.peaks) == 400


def bad_files(folder):
    good = tone(folder / "good.wav", 650)
    mp3 = tone(folder / "good.mp3", 650)
    return {
        "a text": (b"hello " * 1000, "not_sound"), "a picture": (b"\x89PNG\r\n\x1a\n" + os.urandom(3000), "not_sound"),
        "a zip": (b"PK\x03\x04" + os.urandom(3000), "not_sound"), "a script": (b"#!/bin/sh\nrm -rf /\n", "not_sound"),
        "an MP3 of noise": (b"ID3" + os.urandom(5000), "broken"), "a cut WAV": (good[:30] + b"\0" * 10, "broken"),
        "no sample": (riff(8000, 1, 16, b""), "broken"), "a click": (riff(8000, 1, 16, b"\x40\x20" * 800), "short"),
        "silence": (riff(8000, 1, 16, bytes(32000)), "silent"), "eleven minutes": (riff(8000, 1, 8, os.urandom(8000 * 660)), "long"),
        "one sample a second": (riff(1, 1, 8, os.urandom(2_000_000)), "long"), "60,000 channels": (riff(8000, 60000, 16, os.urandom(240_000)), "broken"),
        "an MP3 cut in its head": (mp3[:100], "broken"),
    }


def test_what_cannot_be_taken_is_told_and_the_sound_before_stays(carla, prompt, tmp_path):
    """IVR-28: broken, wrong, too long, unpacking to much: clear words, nothing lost, nothing left lying."""
    before = take(prompt, tone(tmp_path / "a.wav", 1250), "bom.wav")
    file, seconds = before.file, before.seconds
    for what, (content, reason) in bad_files(tmp_path).items():
        row = take(prompt, content)
        assert (row.state, row.reason) == (FAILED, reason), what
        assert (row.file, row.seconds, row.label) == (file, seconds, "bom.wav"), what
        with force_locale("pt_BR"):
            words = str(REASONS[reason])
        db.session.rollback()
        page = text_of(carla.get(f"/audio_prompts/{prompt.id}"))
        assert words in page and "O som anterior continua valendo" in page, what
    db.session.rollback()
    row_id = prompt.id
    db.session.rollback()
    assert (files.folder() / file).exists()
    assert the_wire().comes_true(lambda: not list(files.folder().glob("*.part")), 20), "the worker took the same jobs; nothing stays of it either"
    assert not list(intake.incoming().glob(f"{row_id}-*"))


def test_a_file_that_is_too_large_is_refused_before_anything_is_kept(prompt, monkeypatch):
    monkeypatch.setattr(intake, "LARGEST_BYTES", 1000)
    with pytest.raises(Refused):
        intake.upload(prompt, io.BytesIO(bytes(1001)), "x.wav")
    with pytest.raises(Refused):
        intake.upload(prompt, io.BytesIO(b""), "x.wav")
    assert not list(intake.incoming().glob(f"{prompt.id}-*")) and prompt.state != WAITING


@pytest.mark.parametrize("name,label", [
    ("../../etc/passwd", "passwd"), ("C:\\sons\\aviso.wav", "aviso.wav"), ("a\r\nb.wav", "ab.wav"), ("<script>.wav", "<script>.wav"), ("x" * 300, "x" * 100),
])
def test_the_name_of_a_file_is_only_shown(carla, prompt, tmp_path, name, label):
    row = take(prompt, tone(tmp_path / "a.wav", 1250), name)
    assert row.label == label and row.file.startswith(f"{row.id}-")
    db.session.rollback()
    assert "<script>.wav" not in carla.get(f"/audio_prompts/{prompt.id}").text


def test_the_form_sends_a_file_and_keeps_what_was_typed_when_it_is_refused(carla, tmp_path):
    form = {"name": "Aviso", "voice_speed": "150", "description": "Fora do horário"}
    refused = carla.send("/audio_prompts/new", form | {"file": (io.BytesIO(b""), "vazio.wav")})
    assert refused.status_code == 422 and "O arquivo está vazio" in text_of(refused) and 'value="Fora do horário"' in refused.text
    assert TABLE["audio_prompts"].find("Aviso") is None
    db.session.rollback()
    assert carla.send("/audio_prompts/new", form | {"file": (io.BytesIO(tone(tmp_path / "a.wav", 650)), "a.wav")}).status_code == 302
    sounds.make_waiting()
    row = TABLE["audio_prompts"].find("Aviso")
    assert row.state == READY and row.label == "a.wav"
    db.session.rollback()


def test_only_who_may_open_the_library_hears_it(client, carla, prompt, tmp_path):
    """IVR-28: the page and the sound itself; nginx sends it only when the page said so."""
    row = take(prompt, tone(tmp_path / "a.wav", 650), "a.wav")
    path, file = f"/audio_prompts/{row.id}/sound", row.file
    db.session.rollback()
    assert carla.get(path).headers["X-Accel-Redirect"] == f"/_audio/{file}"
    davi = person(client, "davi2", modules=["extensions"])
    for denied in (path, f"/audio_prompts/{prompt.id}/_sound", f"/api/v1/audio_prompts/{prompt.id}/file"):
        assert davi.get(denied).status_code == 403, denied
    db.session.rollback()
    assert davi.send(f"/audio_prompts/{prompt.id}/call", {"extension": "1", "kind": "play"}).status_code == 403
    assert client.application.test_client().get(path).status_code in (302, 401)


def test_the_api_takes_a_file_and_tells_what_became_of_it(carla, prompt, tmp_path):
    path = f"/api/v1/audio_prompts/{prompt.id}/file"
    content = tone(tmp_path / "a.mp3", 650)
    sent = carla.post(path, data={"file": (io.BytesIO(content), "a.mp3")}, headers={"X-CSRFToken": carla.csrf()})
    assert sent.status_code == 202 and sent.json["state"] == "waiting"
    sounds.make_waiting()
    assert carla.get(path).json["state"] == "ready" and carla.get(path).json["file"] == "a.mp3"
    assert carla.post(path, headers={"X-CSRFToken": carla.csrf()}).status_code == 422


def test_a_text_is_spoken_by_the_voice_chosen_and_again_when_another_is(carla):
    """IVR-30: a man's voice and a woman's differ by half an octave and more; chosen on the form, by the API and in a site file."""
    text = "Olá! Não há avaliação à vista; pressione três para informações."
    row_id = make("audio_prompts", name="Aviso", text=text).id
    sounds.make_waiting()
    row = TABLE["audio_prompts"].get(row_id)
    low, first = pitch_hz(samples(files.folder() / row.file)), row.file
    db.session.rollback()
    page = carla.get(f"/audio_prompts/{row_id}").text
    assert '<option value="male" selected>' in page and '<option value="female"' in page
    form = {"name": "Aviso", "text": text, "voice": "female", "voice_speed": "150"}
    assert carla.send(f"/audio_prompts/{row_id}", form).status_code == 302
    sounds.make_waiting()
    row = TABLE["audio_prompts"].get(row_id)
    assert row.file != first
    high = pitch_hz(samples(files.folder() / row.file))
    assert high > low * 1.4, (low, high)
    db.session.rollback()
    assert carla.get(f"/api/v1/audio_prompts/{row_id}").json["voice"] == "female"
    assert carla.send(f"/audio_prompts/{row_id}", form | {"voice": "robot"}).status_code == 422
    dumped = sitefile.dump()
    assert "voice: female" in dumped
    sitefile.load(dumped.replace("voice: female", "voice: male"))
    assert TABLE["audio_prompts"].get(row_id).state == WAITING
    db.session.rollback()


def test_a_text_is_spoken_again_when_it_changes_but_not_over_a_file(prompt, tmp_path):
    """IVR-28, IVR-30."""
    row = change(TABLE["audio_prompts"].get(prompt.id), text="Bom dia.")
    sounds.make_waiting()
    db.session.refresh(row)
    first = row.file
    assert row.state == READY and row.source == "text"
    change(row, description="outra coisa")
    assert row.state == READY, "nothing to speak"
    change(row, text="Boa tarde, tudo bem?")
    sounds.make_waiting()
    db.session.refresh(row)
    assert row.file != first
    with pytest.raises(Refused):
        change(row, text="")
    db.session.rollback()
    row = take(db.session.get(AudioPrompt, prompt.id), tone(tmp_path / "a.wav", 650), "a.wav")
    change(row, text="Boa noite.")
    assert row.state == READY and row.source == "file"


def test_a_sound_in_use_is_not_deleted_and_its_file_goes_only_when_nobody_names_it(prompt, tmp_path, monkeypatch):
    """IVR-28: used by a list, named by a row, named by a kept revision."""
    from appliance import applying

    row = take(prompt, tone(tmp_path / "a.wav", 650), "a.wav")
    first = row.file
    used = make("blacklists", name="Trotes", inbound_prompt="Aviso")
    with pytest.raises(Refused, match="Trotes"):
        TABLE["audio_prompts"].delete(row)
    db.session.rollback()
    monkeypatch.setattr(files, "LEFT_OVER_SECONDS", -1)
    second = take(db.session.get(AudioPrompt, prompt.id), tone(tmp_path / "b.wav", 900), "b.wav").file
    db.session.rollback()
    files.tidy()
    assert not (files.folder() / first).exists() and (files.folder() / second).exists()
    assert applying.now("named").state == "done"
    TABLE["blacklists"].delete(TABLE["blacklists"].get(used.id))
    TABLE["audio_prompts"].delete(TABLE["audio_prompts"].get(prompt.id))
    db.session.commit()
    files.tidy()
    assert (files.folder() / second).exists(), "a revision can be gone back to"


def test_made_twice_is_made_once_and_what_came_later_wins(prompt, tmp_path):
    intake.upload(prompt, io.BytesIO(tone(tmp_path / "a.wav", 650)), "a.wav")
    db.session.commit()
    old = files.wanted(prompt.id)
    made = files.make(old)
    intake.upload(prompt, io.BytesIO(tone(tmp_path / "b.wav", 900)), "b.wav")
    db.session.commit()
    assert not files.settle(old, made), "the row waits for another file by now"
    db.session.rollback()
    sounds.make_one(prompt.id)
    sounds.make_one(prompt.id)
    row = db.session.get(AudioPrompt, prompt.id)
    assert holds(files.folder() / row.file, 900)
    db.session.rollback()


# ---------------------------------------------------------------------------------------------------------- our own prompts


def test_every_prompt_of_ours_is_there_8_khz_and_loud_enough():
    """Prompts are never missing silently: each is a voice or tone of plausible length and level."""
    folder = settings.load().asterisk / "data" / "sounds" / "pt_BR"
    for name, (_text, is_tone) in prompts.texts("pt_BR").items():
        found = samples(folder / f"{name}.wav")
        assert (0.04 if is_tone else 0.15) < len(found) / 8000 < 20, name
        if not is_tone:
            assert -28 < media.level_dbfs(found) < -12, name


def test_english_has_every_prompt_of_ours_too():
    """An exchange set to English says nothing in Portuguese; where Asterisk looks then, there is a sound."""
    ours = {name for name in prompts.texts("pt_BR") if name.startswith("bentevi/")}
    assert set(prompts.texts("en")) == ours
    folder = settings.load().asterisk / "data" / "sounds"
    assert all((folder / f"{name}.wav").stat().st_size > 8000 for name in ours)


def test_every_prompt_the_dialplan_names_is_ours():
    """What Asterisk would otherwise say in silence: hand-written and generated contexts name only prompts with a Portuguese text."""
    import re

    named = set()
    for path in (prompts.TEXTS.parent / "dialplan").glob("*.conf"):
        for found in re.findall(r"(?:Playback|Background|Read)\(([^)]*)\)", path.read_text()):
            named |= {word for word in re.split(r"[,&]", found) if "/" in word and "$" not in word}
    from appliance.blacklists.config import OUTBOUND_SOUND

    assert named and named | {OUTBOUND_SOUND, "beep"} <= set(prompts.texts("pt_BR"))


def test_prompts_are_made_again_when_they_are_gone():
    folder = settings.load().asterisk / "data" / "sounds" / "pt_BR"
    (folder / ".made-of").unlink()
    (folder / "beep.wav").unlink()
    prompts.install(settings.load())
    assert (folder / "beep.wav").exists()


def test_a_text_is_spoken_with_the_same_bytes_at_another_time(tmp_path):
    """SYS-16, IVR-28: two builds of the image hold the same prompts."""
    sound.speak("A caixa postal está cheia", 150, tmp_path / "first.wav")
    time.sleep(1.1)  # the noise that hides rounding is drawn anew each second
    sound.speak("A caixa postal está cheia", 150, tmp_path / "second.wav")
    assert (tmp_path / "first.wav").read_bytes() == (tmp_path / "second.wav").read_bytes()
