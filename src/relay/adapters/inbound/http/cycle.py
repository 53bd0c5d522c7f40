"""One request on a connection and its answer: ASGI's messages on one side, bytes on the other.

It stands where uvicorn's own request would, for what that costs: the head of an answer leaves in one write with
the first bytes of the body, a body that is there is had without waiting, and the client's leaving is told to
whoever listens instead of being awaited by a task of its own.
"""

import asyncio
import logging
import re
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from relay.adapters.inbound.http.asgi import App, Message, RawHeaders, Scope, lines_of

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_CLOSES = b"connection: close\r\n"
_UNFIT = re.compile(rb"[\r\n\0]")
_BODYLESS = (204, 304)
_FAILED_HEADERS = [(b"content-length", b"0"), (b"connection", b"close")]

_log = logging.getLogger(__name__)


class RequestCycle:
    """See the module. uvicorn's protocol sets and reads the public attributes and calls `set` at news of any kind.

    `flow` is the connection's, `close` ends it gently, `on_response` is called once the answer is complete.
    """

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        *,
        close: Callable[[], None],
        on_response: Callable[[], None],
        expects_continue: bool,
        keep_alive: bool,
    ) -> None:
        self.scope = scope
        self.disconnected = False
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.message_event = self  # what uvicorn's protocol calls `set` of
        self._transport = transport
        self._flow = flow
        self._close = close
        self._on_response = on_response
        self._expects_continue = expects_continue
        self._has_news = False
        self._waiter: asyncio.Future[None] | None = None
        self._react: Callable[[], None] | None = None
        self._head = b""
        self._is_chunked = False
        self._owed_bytes = 0

    async def run(self, app: App, running: set[asyncio.Task[None]]) -> None:
        """Have it answered, by one of the `running` tasks. What is not answered in full ends the connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:
            _log.error("unforeseen in the listener: %s", type(error).__name__)
        finally:
            if not (self.response_complete or self.disconnected):
                self._give_up()
            if (task := asyncio.current_task()) is not None:
                running.discard(task)

    def set(self) -> None:
        """There is news: more of the body, its end, or the client's leaving."""
        self._has_news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self.disconnected and self._react is not None:
            self._react()

    def on_leave(self, react: Callable[[], None]) -> None:
        """The extension `LEAVE`: call this when the client leaves before the answer is complete."""
        self._react = react
        if self.disconnected:
            react()

    def whole_body(self) -> bytes | None:
        """The extension `BODY`: the request's body if all of it is there and nothing of it was taken."""
        if self.more_body or not self._has_news or self.disconnected:
            return None
        self._has_news = self._expects_continue = False
        body = bytes(self.body)
        self.body.clear()
        return body

    def is_writable(self) -> bool:
        """As `DirectAnswer.is_writable`."""
        return not self._flow.write_paused

    def begin(self, status: int, lines: bytes, length: int | None) -> None:
        """As `DirectAnswer.begin`. The head waits for the first bytes of the body."""
        self.response_started = True
        self._expects_continue = False
        if status in _BODYLESS:
            self._owed_bytes = 0
        elif length is None:
            self._is_chunked = True
            lines += b"transfer-encoding: chunked\r\n"
        else:
            self._owed_bytes = length
            lines += b"content-length: %d\r\n" % length
        if _CLOSES in lines:
            self.keep_alive = False
        elif not self.keep_alive:
            lines += _CLOSES
        self._head = b"%b%b\r\n" % (STATUS_LINE[status], lines)

    def put(self, body: bytes, *, is_last: bool) -> None:
        """As `DirectAnswer.put`."""
        if not self.disconnected:
            self._send_body(body, is_last=is_last)

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        if self._expects_continue and not self._transport.is_closing():
            self._expects_continue = False
            self._transport.write(_CONTINUE)
        while not (self._has_news or self.disconnected or self.response_complete):
            self._flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._has_news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = bytes(self.body)
        self.body.clear()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """ASGI's `send`. Raises `RuntimeError` for what is no answer to a request."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        if self.response_complete or self.response_started != (message["type"] == "http.response.body"):
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        if self.response_started:
            self._send_body(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            self._start(message["status"], message.get("headers", ()))

    def _start(self, status: int, headers: RawHeaders) -> None:
        """Make the head; it waits for the body's first bytes, but not beyond this turn of the loop."""
        self.response_started = True
        self._expects_continue = False
        has_length = closes = False
        for name, value in headers:
            if name == b"content-length":
                has_length, self._owed_bytes = True, int(value)
            elif name == b"connection":
                closes = b"close" in value.lower()
        lines = lines_of(headers)
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines += _CLOSES
        if self.scope["method"] == "HEAD" or status in _BODYLESS:
            self._owed_bytes = 0
        elif not has_length:
            self._is_chunked = True
            lines += b"transfer-encoding: chunked\r\n"
        if any(_UNFIT.search(part) for field in headers for part in field):
            raise RuntimeError("a header of the answer holds a line end")
        self._head = b"%b%b\r\n" % (STATUS_LINE[status], lines)
        asyncio.get_running_loop().call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._head and not self.disconnected:
            self._transport.write(self._head)
        self._head = b""

    def _send_body(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._is_chunked:
            end = _LAST_CHUNK if is_last else b""
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        else:
            self._owed_bytes -= len(body)
            if self._owed_bytes < 0 or (is_last and self._owed_bytes):
                raise RuntimeError("the body of the answer has another length than was said")
        if data := head + body if head else body:
            self._transport.write(data)
        if is_last:
            self.response_complete = True
            self.set()
            if not self.keep_alive:
                self._close()
            self._on_response()

    def _give_up(self) -> None:
        """End a connection that is owed an answer: with a bare 500 where nothing was said yet."""
        if not self.response_started and not self._transport.is_closing():
            self.keep_alive = False
            self._start(500, _FAILED_HEADERS)
        self._send_head()
        self._transport.close()
