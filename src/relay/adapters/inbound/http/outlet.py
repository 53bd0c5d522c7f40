"""The client's end of one answer: a head, body parts, an end; what is sent to a client that left is swallowed."""

import asyncio
from collections.abc import Callable

from relay.adapters.inbound.http.asgi import Message, RawHeaders, Send
from relay.adapters.inbound.http.hangup import Departure

STALL_S = 120.0
"""A client that takes nothing for this long is cut: its answer holds a provider's connection."""


def no_abort() -> None:
    """What servers without the extension offer: a stalled client is merely no longer waited for."""


def never() -> bool:
    """Whether sending need not wait, of servers without the extension: nobody knows."""
    return False


class Outlet:
    """Sends in order, from the call and from the keep-alive beat, and never raises for a client that is gone.

    `started` is true once the head has left, `ended` once the last part was handed over; the client's leaving
    after that is no departure. `abort` drops the connection at once, `is_writable` tells that
    sending will not wait.
    """

    def __init__(
        self,
        send: Send,
        departure: Departure,
        *,
        stall_s: float = STALL_S,
        abort: Callable[[], None] = no_abort,
        is_writable: Callable[[], bool] = never,
    ) -> None:
        self.status = 0
        self.started = False
        self.ended = False
        self.stall_s = stall_s
        self.sending_since: float | None = None
        self.departure = departure
        self._send = send
        self._abort = abort
        self._is_writable = is_writable
        self._turn = asyncio.Lock()

    async def put(self, start: Callable[[], Message], body: bytes, *, last: bool = False) -> None:
        """Send more of the body, behind the head that `start` makes if none has left yet."""
        if not last or (self._is_writable() and not self._turn.locked()):
            await self._put(start, body, last=last)
            return
        try:
            async with asyncio.timeout(self.stall_s):
                await self._put(start, body, last=True)
        except TimeoutError:
            self.cut()

    def cut(self) -> None:
        """Give up on a client that takes nothing."""
        self._abort()
        self.departure.leave()

    async def _put(self, start: Callable[[], Message], body: bytes, *, last: bool) -> None:
        async with self._turn:
            if self.ended or self.departure.happened:
                return
            self.sending_since = asyncio.get_running_loop().time()
            try:
                if not self.started:
                    head = start()
                    self.status = head["status"]
                    await self._send(head)
                    self.started = True
                if last:
                    self.ended = True
                    self.departure.settle()
                await self._send({"type": "http.response.body", "body": body, "more_body": not last})
            except OSError:
                self.departure.leave()
            finally:
                self.sending_since = None


def start_message(status: int, headers: RawHeaders) -> Message:
    """The head of an answer."""
    return {"type": "http.response.start", "status": status, "headers": headers}
