"""Where sounds lie, and how a file that somebody sends comes in: kept as it is, for a job to convert."""

import re
import secrets
from pathlib import Path
from typing import IO, Any

from flask_babel import gettext as _

from appliance import changes, lanes, settings
from appliance.errors import Refused

LARGEST_BYTES = 40_000_000   # ten minutes of CD sound are more; MP3 is there for them


def folder() -> Path:
    """The sounds, each named by row and digest; never changed once there."""
    return settings.load().home / "audio"


def incoming() -> Path:
    """What was sent and is not converted yet."""
    return folder() / "incoming"


def upload(row: Any, stream: IO[bytes], name: str) -> None:
    """What a browser or the API sends becomes what the row waits for; nothing of it is read here. Raises Refused when it is too large.

    The name is shown and used for nothing else.
    """
    incoming().mkdir(parents=True, exist_ok=True, mode=0o700)
    own = f"{row.id}-{secrets.token_hex(8)}"
    size = 0
    try:
        with open(incoming() / own, "xb") as file:
            while piece := stream.read(1 << 16):
                size += len(piece)
                if size > LARGEST_BYTES:
                    raise Refused(_("The file is larger than %(most)s MB. Save it as MP3 or cut it.", most=LARGEST_BYTES // 1_000_000), field="file")
                file.write(piece)
        if not size:
            raise Refused(_("The file is empty."), field="file")
    except BaseException:
        (incoming() / own).unlink(missing_ok=True)
        raise
    take(row, own, name)


def take(row: Any, own: str, label: str) -> None:
    """A file of incoming() becomes what the row waits for, with a line in the trail; the worker does the rest after the commit."""
    before = row.label
    shown = re.split(r"[\\/]", label)[-1].strip()
    row.take(own, re.sub(r"[\x00-\x1f\x7f]", "", shown) or "?")
    changes.record("audio_prompts", row.id, row.name, changes.UPDATED, {"file": before}, {"file": row.incoming_label}, pending=True)
    lanes.put("default", "jobs.audio_prompts.make", row.id)
