"""One connection to a provider: a request written and its answer read, and never more than one at a time.

Theory of operation. Whoever waits, for the head or for more of the body, waits on one future, which every event
that matters to it wakes; a read takes all that has come. There is one timer: it looks at the deadline in force, and
is moved only when it would come too late, so that neither a request nor a chunk costs a timer. A request too large
for one write is written on by `resume_writing`, whoever waits for what meanwhile, which is why an early answer is
heard.
"""

import asyncio
import select
from collections.abc import Callable
from time import monotonic
from typing import cast

from relay.adapters.outbound.http.breaks import broken_before_answer, broken_in_answer, no_answer, stalled
from relay.adapters.outbound.http.http1.answer_head import ends_with_connection
from relay.adapters.outbound.http.http1.answer_parser import AnswerParser
from relay.adapters.outbound.http.interface import Timeouts
from relay.domain.errors import UpstreamError

IDLE_S = 20.0
"""Shorter than most servers keep an idle connection, so that the one who closes it is the relay."""

MAX_UNREAD_BYTES = 64 * 1024

READ_BYTES = 64 * 1024
"""Of one read from the socket. uvloop's own are four times that, and what a slow client does not take of a read is
held several times over: as bytes and as events, on its way out and behind that."""

WRITE_BYTES = 256 * 1024

_NEVER = float("inf")


class Connection(asyncio.BufferedProtocol):
    """A protocol for `create_connection`. `let_go` is called once, when the connection is no more.

    `buffer` is filled and emptied within one callback, so that connections may share it.
    `answer` and `head_at` speak of the request last begun, `connect_s` and `tls_s` of how the connection was made.
    """

    def __init__(self, let_go: Callable[["Connection"], None], buffer: memoryview) -> None:
        self.answer = AnswerParser()
        self.head_at = 0.0
        self.connect_s = 0.0
        self.tls_s: float | None = None
        self._let_go = let_go
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poller: select.poll | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._failure: UpstreamError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER
        self._deadline = _NEVER
        self._idle_s = self._longest_s = IDLE_S
        self._idle_until = _NEVER
        self._unread_bytes = 0
        self._unsent: memoryview | None = None
        self._is_in_use = True
        self._is_write_paused = False
        self._is_read_paused = False
        self._has_write_failed = False
        self._has_body_begun = False

    def begin(self, start: bytes, rest: bytes, timeouts: Timeouts, deadline: float) -> None:
        """Write a request; `rest` is what of its body is not in `start`. The head is due at `deadline`."""
        self.answer.begin()
        self._failure = self._unsent = None
        self._has_body_begun = self._has_write_failed = False
        self._is_in_use = True
        self._unread_bytes = 0
        self._deadline = deadline
        self._idle_s = timeouts.idle_s
        self._longest_s = min(timeouts.first_byte_s, timeouts.idle_s, IDLE_S)
        self._watch()
        transport = self._transport
        if transport is None or transport.is_closing():
            self._has_write_failed = True
            self._fail(broken_before_answer())
            return
        transport.write(start)
        if rest:
            self._unsent = memoryview(rest)
            self._write_on()
        self._has_write_failed = transport.is_closing()

    async def answered(self) -> None:
        """Wait for the head. Raises `TimedOut`, `Interrupted` and `Malformed`."""
        answer = self.answer
        while not answer.has_head:
            if self._failure is not None:
                raise self._failure
            waiter = self._waiter = self._loop.create_future()
            try:
                await waiter
            finally:
                self._waiter = None

    async def read(self) -> bytes | None:
        """All of the body that has come and was not read, as `HttpResponse.read`."""
        chunks = self.answer.chunks
        while not chunks:
            if self.answer.is_complete:
                return None
            if self._failure is not None:
                raise self._failure
            await self._more()
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._has_body_begun = True
        self._deadline = _NEVER
        self._unread_bytes = 0
        if self._is_read_paused:
            self._resume_reading()
        return data

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """As `HttpResponse.flow`: the bytes are handed over in the callback that brings them."""
        answer = self.answer
        if answer.chunks or answer.is_complete or self._failure is not None or not self._has_body_begun:
            return
        self._deadline = monotonic() + self._idle_s
        self._take = take
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = self._take = None

    @property
    def is_at_end(self) -> bool:
        """True when every byte of the answer was read."""
        return self.answer.is_complete and not self.answer.chunks

    def may_send_again(self) -> bool:
        """True when the failed request cannot have been read whole, and nothing of an answer came."""
        return not self.answer.has_begun and (self._has_write_failed or self._is_unsent())

    def release(self) -> bool:
        """Have the connection wait for another request; False when it cannot, and is closed."""
        answer, transport = self.answer, self._transport
        is_whole = answer.is_complete and answer.may_stay_open and not answer.is_spoilt
        if transport is None or transport.is_closing() or not is_whole or self._is_unsent():
            self.abort()
            return False
        answer.chunks.clear()
        if self._is_read_paused:
            self._resume_reading()
        self._is_in_use = False
        self._deadline = _NEVER
        self._idle_until = monotonic() + IDLE_S
        return True

    def is_quiet(self) -> bool:
        """True for an idle connection that is still open, has not expired, and has nothing to say.

        The socket itself is asked: the loop may not have come to see that the provider has closed it.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or monotonic() >= self._idle_until:
            return False
        return self._poller is None or not self._poller.poll(0)

    def abort(self) -> None:
        """Close at once, whatever is under way. Idempotent."""
        self._unsent = None
        self._break()
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `asyncio.Protocol.connection_made`."""
        self._transport = cast(asyncio.Transport, transport)  # a stream's, which uvloop's does not say
        if transport.get_extra_info("sslcontext") is None:
            self._transport.set_write_buffer_limits(0)  # so that a request is known to have left
        descriptor = transport.get_extra_info("socket").fileno()
        if descriptor >= 0:
            self._poller = select.poll()
            self._poller.register(descriptor, select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """As `asyncio.Protocol.connection_lost`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer = self.answer
        if exc is None and self._failure is None and answer.has_head and ends_with_connection(answer.head):
            answer.is_complete = True
        self._break()
        self._poller = None
        self._wake()
        self._let_go(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """As `asyncio.BufferedProtocol.get_buffer`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """As `asyncio.BufferedProtocol.buffer_updated`."""
        data = bytes(self._buffer[:nbytes])
        answer = self.answer
        if answer.is_complete or self._failure is not None:
            answer.is_spoilt = True
            if not self._is_in_use:
                self.abort()
            return
        had_head = answer.has_head
        flaw = answer.feed(data)
        if answer.has_head and not had_head:
            self.head_at = monotonic()
            self._wake()
        if answer.chunks and self._take is not None and flaw is None and not answer.is_complete:
            self._hand_over(self._take)
        elif answer.chunks:
            self._unread_bytes += len(data)
            # Even if somebody waits: until they run, the loop reads on, dozens of times in a turn.
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self._pause_reading()
            self._wake()
        elif answer.is_complete:
            self._wake()
        if flaw is not None:
            self._fail(flaw)

    def _hand_over(self, take: Callable[[bytes], bool]) -> None:
        chunks = self.answer.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._deadline = monotonic() + self._idle_s
        try:
            if take(data):
                return
        except Exception as error:
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(error)
        self._take = None
        self._wake()

    def eof_received(self) -> None:
        """As `asyncio.Protocol.eof_received`: a provider that will not answer is not written to any further."""
        if self._is_write_paused and self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """As `asyncio.Protocol.pause_writing`."""
        self._is_write_paused = True

    def resume_writing(self) -> None:
        """As `asyncio.Protocol.resume_writing`."""
        self._is_write_paused = False
        if self._unsent is not None:
            self._write_on()

    async def _more(self) -> None:
        """Wait until something has come of the body, or its end."""
        now = monotonic()
        if self._has_body_begun:
            self._deadline = now + self._idle_s
        elif now >= self._deadline:
            self._fail(no_answer())
            return
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, failure: UpstreamError) -> None:
        if self._failure is None:
            self._failure = failure
        self.abort()

    def _break(self) -> None:
        """The connection ends: whoever waits for what was not complete learns that it never will be."""
        if self._failure is None and not self.answer.is_complete:
            self._failure = broken_in_answer() if self.answer.has_head else broken_before_answer()

    def _watch(self) -> None:
        """Have the timer look at the deadline before it can have passed."""
        now = monotonic()
        look_at = min(self._deadline, now + self._longest_s)
        if self._timer is None or look_at < self._timer_at:
            self._set_timer(look_at, now)

    def _set_timer(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(at - now, 0.001), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = monotonic()
        due = self._deadline if self._is_in_use else self._idle_until
        if now < due:
            self._set_timer(min(due, now + self._longest_s), now)
        elif not self._is_in_use:
            self.abort()
        elif self._waiter is not None:
            self._fail(stalled() if self._has_body_begun else no_answer())
        else:
            self._set_timer(now + self._longest_s, now)

    def _is_unsent(self) -> bool:
        return self._unsent is not None or self._is_write_paused

    def _write_on(self) -> None:
        unsent, transport = self._unsent, self._transport
        while unsent is not None and transport is not None and not self._is_write_paused:
            if transport.is_closing():
                return
            piece, unsent = unsent[:WRITE_BYTES], unsent[WRITE_BYTES:] or None
            self._unsent = unsent
            transport.write(piece)

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._is_read_paused and not self._transport.is_closing():
            self._is_read_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._is_read_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
