"""Notices that a client has left, and tells the use case."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from relay.adapters.inbound.http.asgi import Receive


class Departure:
    """The port `Hangup`: happens at most once, and not any more once the answer is complete."""

    __slots__ = ("_happened", "_is_settled", "_react")

    def __init__(self) -> None:
        self._happened = False
        self._is_settled = False
        self._react: Callable[[], None] = _nothing

    @property
    def happened(self) -> bool:
        """True once the client has left."""
        return self._happened

    def listen(self, react: Callable[[], None]) -> None:
        """As `Hangup.listen`."""
        self._react = react
        if self._happened:
            react()

    def settle(self) -> None:
        """The answer is complete: servers report a disconnect after it, which means nothing."""
        self._is_settled = True

    def leave(self) -> None:
        """The client has left; later calls do nothing."""
        if not (self._happened or self._is_settled):
            self._happened = True
            self._react()


class Pulse(Protocol):
    """What has to be done from time to time while an answer is awaited."""

    def due_in(self) -> float | None:
        """Seconds until `beat` wants to be called; `None` for never."""
        ...

    async def beat(self) -> None:
        """Do it. Never raises."""
        ...


async def watch(receive: Receive, departure: Departure, pulse: Pulse) -> None:
    """Wait for the client to leave, with a beat in between. Runs beside the call and is cancelled after it.

    The request's body must have been read: the next message is then the disconnect. It is one plain task
    and not a group around the call, which would wrap the call's errors and cancel it with the client's
    leaving, while a call that is not streamed is read to its end for its usage.
    """
    while True:
        try:
            async with asyncio.timeout(pulse.due_in()):
                message = await receive()
        except TimeoutError:
            await pulse.beat()
        else:
            if message["type"] == "http.disconnect":
                departure.leave()
                return


def _nothing() -> None:
    """The reaction before anyone listens."""
