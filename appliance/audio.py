"""Sound files by programs of the system (sox, lame, espeak-ng), each at low priority and under limits of time, memory and size."""

import array
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from appliance.errors import Refused

RATE = 8000         # of everything Asterisk plays and records here
SAMPLE_BYTES = 2
HEAD_BYTES = 44     # of the WAVs that Asterisk and sox write
PEAKS = 400         # columns of a drawing, whatever the length
ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
MEMORY_BYTES, FILE_BYTES = 512 * 2**20, 200 * 2**20


def pipe(*commands: list[str], seconds: float, given: bytes = b"") -> None:
    """Run commands, each reading what the one before writes; the first reads `given` (never an argument: that is in the list of processes).

    Raises Refused with the last words of the first that failed, or when they take longer than `seconds`. One that was cut off because
    the next had enough did not fail.
    """
    limits = ["nice", "-n", "10", "prlimit", f"--as={MEMORY_BYTES}", f"--fsize={FILE_BYTES}", f"--cpu={int(seconds) + 1}", "--"]
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as words:
        source.write(given)
        source.seek(0)
        running: list[subprocess.Popen[bytes]] = []
        for command in commands:
            reads = running[-1].stdout if running else source
            writes = subprocess.PIPE if command is not commands[-1] else subprocess.DEVNULL
            running.append(subprocess.Popen([*limits, *command], stdin=reads, stdout=writes, stderr=words, env=ENVIRONMENT))
            if running[1:] and running[-2].stdout:
                running[-2].stdout.close()  # only the next one holds it, so that its end reaches the one before
        ends_at = time.monotonic() + seconds
        try:
            for process in reversed(running):
                process.wait(max(0.1, ends_at - time.monotonic()))
        except subprocess.TimeoutExpired as why:
            raise Refused(f"took more than {seconds:.0f} s") from why
        finally:
            for process in running:
                process.kill()
                process.wait()
        failed = next((one for one in running if one.returncode not in (0, -signal.SIGPIPE)), None)
        if failed:
            words.seek(0)
            said = words.read().decode("utf-8", "replace").strip().splitlines()
            raise Refused(said[-1][:200] if said else f"ended with {failed.returncode}")


def samples_of(wav: Path) -> int:
    """How many samples an 8 kHz mono WAV holds, by the size of the file: a header written by a killed Asterisk lies.

    0 when it holds none yet. Raises Refused for what is no such WAV.
    """
    with open(wav, "rb") as file:
        head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return 0
    right = head[:4] == b"RIFF" and head[8:12] == b"WAVE" and head[20:22] == b"\x01\x00" and head[22:24] == b"\x01\x00"
    if not right or int.from_bytes(head[24:28], "little") != RATE or int.from_bytes(head[34:36], "little") != 16:
        raise Refused("not the 8 kHz WAV that Asterisk writes")
    return (wav.stat().st_size - HEAD_BYTES) // SAMPLE_BYTES


def peaks(wav: Path, samples: int) -> bytes:
    """The loudest sample of each of PEAKS parts (255 the loudest possible), read piece by piece: hours take no more memory than seconds."""
    found = bytearray()
    with open(wav, "rb") as file:
        file.seek(HEAD_BYTES)
        for part in range(PEAKS):
            count = samples * (part + 1) // PEAKS - samples * part // PEAKS
            piece = array.array("h")
            piece.frombytes(file.read(count * SAMPLE_BYTES))
            if sys.byteorder == "big":
                piece.byteswap()
            loudest = max(max(piece), -min(piece)) if piece else 0
            found.append(min(255, loudest * 256 // 32768))
    return bytes(found)
