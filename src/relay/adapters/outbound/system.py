"""Time, identity and chance, as the operating system gives them."""

import os
import secrets
import time

_RANDOM_BITS = 74
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_LOW_MASK = (1 << 62) - 1


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


_NOISE_BYTES = 10


class UuidV7Ids:
    """Implements `application.ports.Ids` by RFC 9562, section 6.2, method 2.

    Ids rise within a process also inside one millisecond and when the wall clock steps back: then the random
    part of the last id is increased by a random amount, carrying into the time if ever it overflows.
    """

    def __init__(self) -> None:
        self._last = 0
        self._noise = b""
        self._used = 0

    def new(self) -> str:
        """See `Ids.new`."""
        if self._used >= len(self._noise):  # many at once: each read of it is a call into the kernel
            self._noise, self._used = os.urandom(_NOISE_BYTES * 256), 0
        noise = int.from_bytes(self._noise[self._used : self._used + _NOISE_BYTES])
        self._used += _NOISE_BYTES
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | noise >> (80 - _RANDOM_BITS)
        if fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
            fresh = self._last + 1 + (noise & 0xFFFF_FFFF)
        self._last = fresh
        return _spelled(fresh)


class SystemEntropy:
    """Implements `application.manage.keys.Entropy`."""

    def random_bytes(self, count: int) -> bytes:
        """See `Entropy.random_bytes`."""
        return secrets.token_bytes(count)


def _spelled(ordered: int) -> str:
    """48 bits of milliseconds and 74 of chance, with version and variant between them, as text."""
    milliseconds = ordered >> _RANDOM_BITS
    upper_random = ordered >> 62 & 0xFFF
    value = milliseconds << 80 | _VERSION_7 | upper_random << 64 | _VARIANT | ordered & _LOW_MASK
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
