"""What a person at a leg can do with mouth, ears and keys; every question is asked again until true or too late."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Union

from tests import media
from tests.wire import Wire

HEARING_SECONDS = 3.0
BUFFER_SECONDS = 0.1

Heard = Union[int, "Voice"]


class Voice:
    """Ears and mouth of one leg. `frequency` is this leg's own tone: no other leg of the test plays it."""

    def __init__(self, wire: Wire, host: str) -> None:
        self.wire = wire
        self.media = media.Rtp(wire, host)
        self.frequency = media.own_frequency()

    # -- mouth

    def speak(self, frequency: int = 0) -> None:
        """Plays a tone, this leg's own unless another is given, until `be_quiet`."""
        with self.wire.changed:
            self.media.frequency = frequency or self.frequency

    def be_quiet(self) -> None:
        with self.wire.changed:
            self.media.frequency = 0

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Plays the own tone inside the block; afterwards what was played before."""
        before = self.media.frequency
        self.speak()
        try:
            yield
        finally:
            with self.wire.changed:
                self.media.frequency = before

    # -- ears

    def hears(self, what: Heard, within_seconds: float = HEARING_SECONDS) -> bool:
        """Whether a frequency, or another leg (which speaks meanwhile), is heard from now on within the time."""
        if isinstance(what, Voice):
            with what.speaking():
                return self.hears(what.frequency, within_seconds)
        since = time.monotonic()
        return self.wire.comes_true(lambda: self.has_heard(what, since), within_seconds)

    def has_heard(self, frequency: int, since: float = 0.0) -> bool:
        """Whether the tone was heard for a quarter of a second since an instant (monotonic seconds)."""
        return media.holds_tone(self.media.samples(since), frequency)

    def hears_silence(self, for_seconds: float = 0.6, within_seconds: float = HEARING_SECONDS) -> bool:
        """Whether nothing louder than -50 dBFS comes for that long; no packets at all is silence too."""
        begun = time.monotonic()

        def is_quiet() -> bool:
            now = time.monotonic()
            samples = self.media.samples(now - for_seconds)
            is_long_enough = now - begun >= for_seconds
            return is_long_enough and all(media.level_dbfs(b) < media.QUIET_DBFS for b in media.blocks(samples))

        return self.wire.comes_true(is_quiet, max(within_seconds, for_seconds))

    def hears_sound(self, for_seconds: float = 0.3, within_seconds: float = HEARING_SECONDS) -> bool:
        """Whether anything (music, a prompt, a voice) is heard for so many seconds in all."""
        since = time.monotonic()

        def is_loud() -> bool:
            blocks = media.blocks(self.media.samples(since))
            loud_count = sum(media.level_dbfs(block) >= media.QUIET_DBFS for block in blocks)
            return loud_count * media.BLOCK_SECONDS >= for_seconds

        return self.wire.comes_true(is_loud, within_seconds)

    def level(self, since: float = 0.0) -> float:
        """Loudness in dBFS of all that was heard since an instant (monotonic seconds); -100 when nothing was."""
        return media.level_dbfs(self.media.samples(since))

    def tone_shares(self, frequency: int, since: float = 0.0) -> list[float]:
        """Share of energy at the frequency in each 40 ms block since an instant (monotonic seconds)."""
        return [media.tone_share(block, frequency) for block in media.blocks(self.media.samples(since))]

    def talks_with(self, other: "Voice", within_seconds: float = HEARING_SECONDS) -> bool:
        """Whether both legs, speaking at once with different tones, hear each other within the time."""
        with self.speaking(), other.speaking():
            since = time.monotonic()

            def both_hear() -> bool:
                return self.has_heard(other.frequency, since) and other.has_heard(self.frequency, since)

            return self.wire.comes_true(both_hear, within_seconds)

    # -- keys

    def press(self, keys: str, within_seconds: float = 20.0) -> None:
        """Presses keys one after the other, 0.24 s each, and returns when the last one was sent or the leg is over."""
        self._wait(lambda: self.media.remote, within_seconds, "audio to press keys in")
        if not self.media.event_type:
            raise AssertionError(f"{self}: the exchange did not agree to key presses (telephone-event)")
        with self.wire.changed:
            self.media.press(keys)
        self._wait(lambda: not self.media.is_pressing, within_seconds, f"the keys {keys} to be sent")

    def digits(self, count: int = 0, within_seconds: float = 3.0, pause_seconds: float = 0.4) -> str:
        """All keys heard on this leg so far.

        Waits until `count` came, or without a count until none came for `pause_seconds`. Fewer at the deadline are
        returned as they are: the comparison in the test tells.
        """
        begun = time.monotonic()

        def are_complete() -> bool:
            last = max([begun, *(at for at, _ in self.media.keys)])
            return len(self.media.keys) >= count > 0 or (not count and time.monotonic() - last >= pause_seconds)

        self.wire.comes_true(are_complete, within_seconds)
        with self.wire.changed:
            return "".join(key for _, key in self.media.keys)

    def _wait(self, ready, within_seconds: float, what: str) -> None:
        """Raises StillWaiting with the leg's messages after the deadline."""
        raise NotImplementedError
