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


class Beating:
    """Beats a pulse whenever it is due, until `stop`. Between beats it is a timer and no task."""

    __slots__ = ("_loop", "_pulse", "_task", "_timer")

    def __init__(self, pulse: Pulse, due_in_s: float) -> None:
        self._pulse = pulse
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(due_in_s, self._beat)
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Beat no more, not even to the end of a beat that has begun."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _beat(self) -> None:
        self._task = self._loop.create_task(self._beaten())

    async def _beaten(self) -> None:
        await self._pulse.beat()
        self._task = None
        due_in_s = self._pulse.due_in()
        self._timer = None if due_in_s is None else self._loop.call_later(due_in_s, self._beat)


async def watch(receive: Receive, departure: Departure) -> None:
    """Wait for the client to leave, where the server does not tell by itself: a task beside the call.

    The request's body must have been read: the next message is then the disconnect. It is one plain task
    and not a group around the call, which would wrap the call's errors and cancel it with the client's
    leaving, while a call that is not streamed is read to its end for its usage.
    """
    while (await receive())["type"] != "http.disconnect":
        pass
    departure.leave()


def _nothing() -> None:
    """The reaction before anyone listens."""
