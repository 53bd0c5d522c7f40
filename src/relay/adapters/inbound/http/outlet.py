"""The client's end of one answer: a head, body parts, an end; what is sent to a client that left is swallowed."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from relay.adapters.inbound.http.asgi import DirectAnswer, Send, fields_of
from relay.adapters.inbound.http.hangup import Departure

STALL_S = 120.0
"""A client that takes nothing for this long is cut: its answer holds a provider's connection."""


class Head(NamedTuple):
    """The head of an answer: its status, its fields as lines, the length of the body, if that is known."""

    status: int
    lines: bytes
    length: int | None


def no_abort() -> None:
    """What servers without the extension offer: a stalled client is merely no longer waited for."""


class Outlet:
    """Sends in order, from the call and from the keep-alive beat, and never raises for a client that is gone.

    `started` is true once the head has left, `ended` once the last part was handed over; the client's leaving
    after that is no departure. `abort` drops the connection at once. `direct`, where the server has it, takes what
    the client takes without waiting.
    """

    __slots__ = (
        "_abort",
        "_direct",
        "_is_sending",
        "_send",
        "_turn",
        "departure",
        "ended",
        "sending_since",
        "stall_s",
        "started",
        "status",
    )

    def __init__(
        self,
        send: Send,
        departure: Departure,
        *,
        stall_s: float = STALL_S,
        abort: Callable[[], None] = no_abort,
        direct: DirectAnswer | None = None,
    ) -> None:
        self.status = 0
        self.started = False
        self.ended = False
        self.stall_s = stall_s
        self.sending_since: float | None = None
        self.departure = departure
        self._send = send
        self._abort = abort
        self._direct = direct
        self._is_sending = False
        self._turn: asyncio.Lock | None = None

    async def put(self, head: Callable[[], Head], body: bytes, *, last: bool = False) -> None:
        """Send more of the body, behind the head that `head` makes if none has left yet."""
        if self.put_now(head, body, last=last):
            return
        if not last:
            await self._put_in_turn(head, body, last=False)
        else:
            try:
                async with asyncio.timeout(self.stall_s):
                    await self._put_in_turn(head, body, last=True)
            except TimeoutError:
                self.cut()

    def put_now(self, head: Callable[[], Head], body: bytes, *, last: bool = False) -> bool:
        """As `put`, if it need not wait; else false, and nothing was sent."""
        direct = self._direct
        if direct is None or self._is_sending or not direct.is_writable():
            return False
        self._put_at_once(direct, head, body, last=last)
        return True

    def cut(self) -> None:
        """Give up on a client that takes nothing."""
        self._abort()
        self.departure.leave()

    def _put_at_once(
        self, direct: DirectAnswer, head: Callable[[], Head], body: bytes, *, last: bool
    ) -> None:
        if self.ended or self.departure.happened:
            return
        if not self.started:
            made = head()
            self.status = made.status
            direct.begin(made.status, made.lines, made.length)
            self.started = True
        if last:
            self.ended = True
            self.departure.settle()
        direct.put(body, is_last=last)

    async def _put_in_turn(self, head: Callable[[], Head], body: bytes, *, last: bool) -> None:
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            self._is_sending = True
            try:
                await self._put(head, body, last=last)
            finally:
                self._is_sending = False

    async def _put(self, head: Callable[[], Head], body: bytes, *, last: bool) -> None:
        if self.ended or self.departure.happened:
            return
        self.sending_since = asyncio.get_running_loop().time()
        try:
            if not self.started:
                await self._start(head())
            if last:
                self.ended = True
                self.departure.settle()
            await self._send({"type": "http.response.body", "body": body, "more_body": not last})
        except OSError:
            self.departure.leave()
        finally:
            self.sending_since = None

    async def _start(self, head: Head) -> None:
        self.status = head.status
        headers = fields_of(head.lines)
        if head.length is not None:
            headers.append((b"content-length", b"%d" % head.length))
        await self._send({"type": "http.response.start", "status": head.status, "headers": headers})
        self.started = True
