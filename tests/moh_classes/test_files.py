"""Music groups: files sent at creation and later, heard and taken out on the page, and what Asterisk is told."""

import io

import pytest

from appliance import settings, sounds, tune
from appliance.db import db
from appliance.moh_classes import config
from appliance.resource import TABLE
from tests import media
from tests.build import make
from tests.sounds import samples, tone
from tests.visitor import text_of

pytestmark = pytest.mark.usefixtures("app")


def sent(folder, *frequencies):
    """Files as a browser sends them: two kinds."""
    endings = (".wav", ".mp3")
    return [(io.BytesIO(tone(folder / f"tom{frequency}{endings[place % 2]}", frequency)), f"tom{frequency}{endings[place % 2]}")
            for place, frequency in enumerate(frequencies)]  # fmt: skip


def test_files_are_sent_at_creation_and_later_and_taken_out_again(carla, tmp_path):
    """QUE-27: several at once, WAV and MP3, in order; each has a player; removing one leaves the other."""
    saved = carla.send("/moh_classes/new", {"name": "Calma", "file": sent(tmp_path, 1250, 1850)})
    assert saved.status_code == 302, text_of(saved)
    group = TABLE["moh_classes"].find("Calma")
    assert TABLE["moh_classes"].show(group)["files"] == ["tom1250", "tom1850"]
    carla.send(f"/moh_classes/{group.id}", {"name": "Calma", "files": ["tom1250", "tom1850"], "file": sent(tmp_path, 1250)})
    sounds.make_waiting()
    db.session.refresh(group)
    assert TABLE["moh_classes"].show(group)["files"] == ["tom1250", "tom1850", "tom1250 2"], "a name that is taken gets a number"
    text = config.musiconhold_conf()
    assert f"[moh-{group.id}]\nmode = playlist\n" in text and text.count("\nentry = ") == 3 and ".wav" not in text
    page = carla.get(f"/moh_classes/{group.id}").text
    assert page.count("<audio") == 3
    first = group.files[0]
    assert carla.get(f"/moh_classes/{group.id}/sounds/{first}").headers["X-Accel-Redirect"].startswith("/_audio/")
    carla.send(f"/moh_classes/{group.id}/sounds/{first}/remove")
    db.session.refresh(group)
    assert TABLE["moh_classes"].show(group)["files"] == ["tom1850", "tom1250 2"]
    assert carla.get(f"/moh_classes/{group.id}/sounds/{first}").status_code == 404


def test_what_is_no_sound_is_told_and_plays_nothing(carla):
    """QUE-27: the library says why; the group goes on with what it has."""
    group = make("moh_classes", name="Calma")
    answer = carla.open(f"/api/v1/moh_classes/{group.id}/file", method="POST", data={"file": (io.BytesIO(b"no sound" * 99), "x.wav")},
                        headers={"X-CSRFToken": carla.csrf()})  # fmt: skip
    assert answer.status_code == 202 and answer.json["files"] == ["x"]
    sounds.make_waiting()
    assert TABLE["audio_prompts"].find("x").state == "failed"
    assert f"entry = {tune.file(settings.load()).with_suffix('')}" in config.musiconhold_conf(), "the exchange's own tune instead"


def test_the_exchanges_own_tune_is_there_and_is_music(home):
    """QUE-08: what is heard where no group is chosen."""
    heard = samples(tune.file(settings.load()))
    levels = [media.level_dbfs(block) for block in media.blocks(heard)]
    assert len(heard) > 20 * media.RATE and -35 < media.level_dbfs(heard) < -10
    assert sum(level > media.QUIET_DBFS for level in levels) > 0.8 * len(levels)
    assert not media.holds_tone(heard[: 8 * media.RATE], 425)
