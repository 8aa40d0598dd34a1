"""Music groups (músicas de espera): what callers hear while they wait (QUE-27).

The files themselves are sounds of the audio library: they are converted, named by digest, played and tidied there.
"""

import re
from collections.abc import Iterator
from typing import IO, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from appliance.audio_prompts import intake
from appliance.audio_prompts import model as audio_prompts
from appliance.audio_prompts.model import AudioPrompt
from appliance.db import Base, db
from appliance.errors import Refused
from appliance.fields import Name, Text, field
from appliance.links import References
from appliance.resource import Resource, Upload

MOST_FILES = 50


class MohClass(Base):
    """A group of music. Without a ready file the exchange's own tune is heard."""

    __tablename__ = "moh_classes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = field(Name(40), _l("Name"), unique=True, also="Nome Música Espera", help=_l("Chosen by this name in the queues."))
    description: Mapped[str] = field(Text(200), _l("Description"), optional=True, also="Descrição", help=_l("For yourselves: what kind of music it is."))
    files: Mapped[list[int]] = field(
        References("audio_prompts"), _l("Files"), optional=True, also="Arquivos carregados Áudio",
        help=_l("Sounds of the audio library, heard one after the other in this order. None: the exchange's own tune."),
    )

    def check(self) -> None:
        """Not more files than a caller could ever hear."""
        if len(self.files) > MOST_FILES:
            raise Refused(_("At most %(most)s files fit into a group.", most=MOST_FILES), field="files")


def class_name(moh_class_id: int | None) -> str:
    """What Asterisk calls a group; its own tune is the class `default`."""
    return f"moh-{moh_class_id}" if moh_class_id else "default"


def take(row: Any, stream: IO[bytes], name: str) -> None:
    """A file that is sent becomes a sound of the library and the last one of the group. Raises Refused as the library does."""
    own = {"name": _free_name(name), "description": _("Music on hold: %(name)s", name=row.name)[:200]}
    prompt = audio_prompts.resource.create(own)
    intake.upload(prompt, stream, name)
    resource.update(row, {"files": [*resource.show(row)["files"], own["name"]]})


def _free_name(name: str) -> str:
    """The file's name without its ending, with a number behind it when the library has that name."""
    shown = re.split(r"[\\/]", name)[-1].rpartition(".")[0] or name
    plain = re.sub(r"[\x00-\x1f\x7f]|\$[{\[]", "", shown).strip()[:50] or "?"
    return next(one for one in _numbered(plain) if db.session.scalar(select(AudioPrompt.id).where(AudioPrompt.name == one)) is None)


def _numbered(plain: str) -> Iterator[str]:
    yield plain
    number = 2
    while True:
        yield f"{plain} {number}"
        number += 1


resource = Resource(
    MohClass, word="moh_classes", label=_l("Music on hold"), one=_l("music on hold"), new=_l("New music on hold"), key="name",
    group="telephony", icon="music", columns=["name", "description", "files"], search=["name", "description"],
    tabs={_l("General"): ["name", "description", "files"]},
    upload=Upload(take, ".wav,.mp3,audio/wav,audio/mpeg", several=True, help=_l(
        "WAV or MP3, several at once if you like; each at most 10 minutes and 40 MB. They are added behind the files above.")),
    empty=_l("A group of music is what callers hear while they wait. Create one and send WAV or MP3 files; without one the exchange's own tune plays."),
    also="Músicas de Espera música MOH",
)
