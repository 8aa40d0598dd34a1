"""Music groups → classes of musiconhold.conf."""

from types import SimpleNamespace

from sqlalchemy import select

from appliance import settings, tune
from appliance.audio_prompts import files
from appliance.db import db
from appliance.moh_classes.model import MohClass, class_name
from appliance.telephony.render import render


def musiconhold_conf() -> str:
    """Every group with its ready files in order."""
    classes = [
        SimpleNamespace(word="moh_classes", id=row.id, name=class_name(row.id),
                        files=[sound for sound in map(files.playable, row.files) if sound])
        for row in db.session.scalars(select(MohClass).order_by(MohClass.id))
    ]
    return render("moh_classes.musiconhold.conf.j2", classes=classes, tune=str(tune.file(settings.load()).with_suffix("")))
