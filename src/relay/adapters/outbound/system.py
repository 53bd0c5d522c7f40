"""Time, identity and chance, as the operating system gives them."""

import os
import secrets
import struct
import time

_RANDOM_BITS = 74
_STEP_MASK = (1 << 32) - 1
_LOW_MASK = (1 << 48) - 1
_WORDS = struct.Struct("=512Q")


class SystemClock:
    """Implements `application.ports.Clock`."""

    def unix_ms(self) -> int:
        """See `Clock.unix_ms`."""
        return time.time_ns() // 1_000_000

    def unix_ns(self) -> int:
        """See `Clock.unix_ns`."""
        return time.time_ns()

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()


class UuidV7Ids:
    """Implements `application.ports.Ids` by RFC 9562, section 6.2, method 2.

    Ids rise within a process also inside one millisecond and when the wall clock steps back: then the random
    part of the last id is increased by a random amount, carrying into the time if ever it overflows.
    """

    def __init__(self) -> None:
        self._milliseconds = 0
        self._random = 0
        self._start = ""
        self._words: list[int] = []

    def new(self) -> str:
        """See `Ids.new`."""
        milliseconds = time.time_ns() // 1_000_000
        words = self._words
        if len(words) < 2:  # many at once: each read of them is a call into the kernel
            words.extend(_WORDS.unpack(os.urandom(_WORDS.size)))
        if milliseconds > self._milliseconds:
            random = words.pop() << 10 | words.pop() & 0x3FF
            self._begin(milliseconds)
        else:
            random = self._random + 1 + (words.pop() & _STEP_MASK)
            if random >> _RANDOM_BITS:
                random &= (1 << _RANDOM_BITS) - 1
                self._begin(self._milliseconds + 1)
        self._random = random
        return (
            f"{self._start}{random >> 62:03x}-{0x8000 | random >> 48 & 0x3FFF:04x}-{random & _LOW_MASK:012x}"
        )

    def _begin(self, milliseconds: int) -> None:
        """What the ids of a millisecond begin with: 48 bits of time and the version."""
        self._milliseconds = milliseconds
        self._start = f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7"


class SystemEntropy:
    """Implements `application.manage.keys.Entropy`."""

    def random_bytes(self, count: int) -> bytes:
        """See `Entropy.random_bytes`."""
        return secrets.token_bytes(count)
