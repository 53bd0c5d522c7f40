"""How many calls to one provider may be in flight: a provider that hangs holds up its own calls only."""

import anyio

from relay.domain.errors import Overloaded

WAIT_S = 2.0


class Bulkhead:
    """Room for `limit` calls. Each `enter` that returned is followed by exactly one `leave`."""

    def __init__(self, limit: int, *, wait_s: float = WAIT_S) -> None:
        self._limit = limit
        self._wait_s = wait_s
        self._room = anyio.Semaphore(limit, fast_acquire=True)

    async def enter(self) -> None:
        """Take a place, waiting for one if need be. Raises `Overloaded` when none comes free in time."""
        try:
            self._room.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()

    def leave(self) -> None:
        """Give the place back."""
        self._room.release()

    async def _wait(self) -> None:
        try:
            with anyio.fail_after(self._wait_s):
                await self._room.acquire()
        except TimeoutError:
            message = f"{self._limit} calls to the provider are in flight already"
            raise Overloaded(message, code="provider_busy") from None
