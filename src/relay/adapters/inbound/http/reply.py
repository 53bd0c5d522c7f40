"""Answers on their way out: the port `Reply`, streamed and whole.

Theory of operation. The head leaves with the first bytes of content, so that a failure before them still has
the status line. An event-stream client that waited long gets the head and a comment earlier, and further
signs of life while nothing else comes: proxies cut silent connections. Behind the first content such a sign is
the event that the dialect has for it, if it has one; before it, strict clients take no event but the first. From
then on failures are in-band. NDJSON has no comments: its clients get nothing before content.
"""

import asyncio

from relay.adapters.dialects.base import COMMENT, ClientDialect, Scene, StreamEncoder, WireError
from relay.adapters.inbound.http.asgi import lines_of
from relay.adapters.inbound.http.errors import error_headers
from relay.adapters.inbound.http.heads import STREAM_LINES, Telling
from relay.adapters.inbound.http.outlet import Head, Outlet
from relay.application.ports import Piece, ReplyHead
from relay.domain.errors import RelayError
from relay.domain.events import Failed, StreamEvent
from relay.domain.folding import fold

KEEP_ALIVE_S = 15.0
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class StreamedReply:
    """One stream to one client; also the pulse that keeps it alive. `failure` is what was said in-band."""

    def __init__(
        self,
        outlet: Outlet,
        telling: Telling,
        dialect: ClientDialect,
        scene: Scene,
        *,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self.failure: RelayError | None = None
        self._outlet = outlet
        self._telling = telling
        self._dialect = dialect
        self._scene = scene
        self._encoder: StreamEncoder | None = None
        self._last_bytes = b"\n\n"
        self._waiting = b""
        self._has_begun = False
        self._now = asyncio.get_running_loop().time
        self._silent_since = self._now()
        self._keep_alive_s = keep_alive_s if dialect.framing == "sse" else None

    @property
    def begun(self) -> bool:
        """As `Reply.begun`."""
        return self._outlet.started

    def prepare(self, head: ReplyHead) -> None:
        """As `Reply.prepare`. What an earlier attempt has fed to the encoder is forgotten with it."""
        self._telling.prepare(head)
        if not self._outlet.started:
            self._encoder = None

    async def write(self, piece: Piece) -> None:
        """As `Reply.write`: one message for the whole piece, none when it has no bytes."""
        if data := self._encoded(piece):
            await self._put(data)

    def pass_on(self, piece: Piece) -> bool:
        """As `Reply.pass_on`."""
        data = self._encoded(piece)
        if not data:
            return True
        if self._outlet.put_now(self._head, data):
            self._note(data)
            return True
        self._waiting += data
        return False

    async def catch_up(self) -> None:
        """As `Reply.catch_up`."""
        if self._waiting:
            data, self._waiting = self._waiting, b""
            await self._put(data)

    async def finish(self, piece: Piece) -> None:
        """As `Reply.finish`."""
        data = self._encoded(piece)
        if piece.raw is None:
            data += self._opened_encoder().close()
        await self._put(data, last=True)

    async def fail(self, error: RelayError) -> None:
        """As `Reply.fail`: the dialect's error in the stream, and its end."""
        self.failure = error
        await self._put(self._opened_encoder().send(Failed(error=error)), last=True)

    def due_in(self) -> float | None:
        """As `Pulse.due_in`."""
        now = self._now()
        if (since := self._outlet.sending_since) is not None:
            return since + self._outlet.stall_s - now
        if self._keep_alive_s is None:
            return self._outlet.stall_s
        return self._silent_since + self._keep_alive_s - now

    async def beat(self) -> None:
        """As `Pulse.beat`: a sign of life for a silent client, the end for one that takes nothing."""
        now = self._now()
        if (since := self._outlet.sending_since) is not None:
            if now - since >= self._outlet.stall_s:
                self._outlet.cut()
        elif self._keep_alive_s is not None and now - self._silent_since >= self._keep_alive_s:
            self._silent_since = now
            if self._last_bytes.endswith(_EVENT_ENDS):
                await self._put(self._dialect.keep_alive if self._has_begun else COMMENT)

    def _encoded(self, piece: Piece) -> bytes:
        self._has_begun = True
        if piece.raw is not None:
            return piece.raw
        encoder = self._opened_encoder()
        return b"".join([encoder.send(event) for event in piece.events])

    def _opened_encoder(self) -> StreamEncoder:
        if self._encoder is None:
            self._encoder = self._dialect.encoder(self._scene)
        return self._encoder

    async def _put(self, data: bytes, *, last: bool = False) -> None:
        await self._outlet.put(self._head, data, last=last)
        self._note(data)

    def _note(self, data: bytes) -> None:
        self._last_bytes = data or self._last_bytes
        self._silent_since = self._now()

    def _head(self) -> Head:
        lines = self._telling.lines(self._dialect.stream_content_type, total=False)
        return Head(200, lines + STREAM_LINES, None)


class WholeAnswer:
    """What leaves in one go. It needs no pulse: there is nothing to say before it is there."""

    def __init__(self, outlet: Outlet, telling: Telling, content_type: str) -> None:
        self._outlet = outlet
        self._telling = telling
        self._content_type = content_type

    @property
    def begun(self) -> bool:
        """As `AnyReply.begun`."""
        return self._outlet.started

    def prepare(self, head: ReplyHead) -> None:
        """As `AnyReply.prepare`."""
        self._telling.prepare(head)

    async def put(self, body: bytes) -> None:
        """The head and the whole body."""
        head = Head(200, self._telling.lines(self._content_type, total=True), len(body))
        await self._outlet.put(lambda: head, body, last=True)

    async def fail(self, error: RelayError) -> None:
        """As `AnyReply.fail`: no answer of this kind has a head without being complete."""

    def due_in(self) -> float | None:
        """As `Pulse.due_in`: never."""
        return None

    async def beat(self) -> None:
        """As `Pulse.beat`: never called."""


class WholeReply(WholeAnswer):
    """A chat that is not streamed."""

    def __init__(self, outlet: Outlet, telling: Telling, dialect: ClientDialect, scene: Scene) -> None:
        super().__init__(outlet, telling, dialect.whole_content_type)
        self._dialect = dialect
        self._scene = scene
        self._events: list[StreamEvent] = []

    def prepare(self, head: ReplyHead) -> None:
        """As `Reply.prepare`. What an earlier attempt has brought is forgotten."""
        super().prepare(head)
        self._events.clear()

    async def write(self, piece: Piece) -> None:
        """As `Reply.write`, from a provider that only streams: kept until the end."""
        self._events.extend(piece.events)

    def pass_on(self, piece: Piece) -> bool:
        """As `Reply.pass_on`."""
        self._events.extend(piece.events)
        return True

    async def catch_up(self) -> None:
        """As `Reply.catch_up`: nothing was given to the client."""

    async def finish(self, piece: Piece) -> None:
        """As `Reply.finish`. Raises as `fold` when the events are no whole answer."""
        body = piece.raw
        if body is None:
            body = self._dialect.encode_response(fold((*self._events, *piece.events)), self._scene)
        await self.put(body)


async def refuse(outlet: Outlet, telling: Telling, error: RelayError, wire: WireError) -> None:
    """Answer with the error's own status, as `wire` spells it; for an outlet that has not started."""
    said = [
        field for field in error_headers(error, wire, telling.request_id) if field[0] != b"content-length"
    ]
    lines = lines_of(said) + telling.attempt_lines() + telling.timing_line(total=True)
    await outlet.put(lambda: Head(wire.status, lines, len(wire.body)), wire.body, last=True)
