"""What is in flight: how much, whether more is let in, and how to end it all when the relay stops."""

import asyncio

MAX_IN_FLIGHT = 256


class LiveCall:
    """A call that the relay's stop may interrupt, run by the task that made it."""

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        self._task = task
        self._is_interrupted = False

    def interrupt(self) -> None:
        """Cancel what the call awaits; it still ends its answer and its books."""
        if self._task is not None and not self._is_interrupted:
            self._is_interrupted = True
            self._task.cancel()

    def was_interrupted(self) -> bool:
        """True when a cancellation just caught is the interruption, which is then over."""
        if not self._is_interrupted or self._task is None:
            return False
        return self._task.uncancel() == 0


class Traffic:
    """Shared by the gate, the chat routes, the readiness check and the server. One per listener."""

    def __init__(self, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self.draining = False
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self._calls: set[LiveCall] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def enter(self) -> bool:
        """Take a place; false when there is none."""
        if self.in_flight >= self.max_in_flight:
            return False
        self.in_flight += 1
        self._empty.clear()
        return True

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        if not self.in_flight:
            self._empty.set()

    def begin(self) -> LiveCall:
        """The current task's call, which `interrupt` will reach until `finish`."""
        call = LiveCall(asyncio.current_task())
        self._calls.add(call)
        return call

    def finish(self, call: LiveCall) -> None:
        """The call is over."""
        self._calls.discard(call)

    def drain(self) -> None:
        """Let nothing more in."""
        self.draining = True

    def interrupt(self) -> None:
        """End the calls that still run: in-band where their answer has begun, with 503 where not."""
        for call in tuple(self._calls):
            call.interrupt()

    async def emptied(self) -> None:
        """Wait until nothing is in flight."""
        await self._empty.wait()
