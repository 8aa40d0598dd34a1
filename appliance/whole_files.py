"""Files that are written whole or not at all: whoever reads one, or comes after a power cut, finds the old or the new one."""

import os
import tempfile
from pathlib import Path


def write(file: Path, content: bytes | str) -> bool:
    """Replace a file in one rename, for nobody else to read; False when it held that already. Its folder is made. Safe from several processes."""
    told = content.encode() if isinstance(content, str) else content
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists() and file.read_bytes() == told:
        return False
    handle, fresh = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(told)
            out.flush()
            os.fsync(out.fileno())
        os.replace(fresh, file)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
    return True
