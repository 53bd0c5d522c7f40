"""An answer on its way in: chunks of HTTP become pieces, whichever form the provider chose to answer in.

Theory of operation. A streamed answer goes chunk by chunk through the dialect's decoder, or through its tap
when the bytes may pass. What the provider really sent is told by the first byte that is not blank, never by
the content type: a whole answer where a stream was asked for, or a stream where a whole answer was, is
converted. Once every choice has finished, the answer is complete: a connection that breaks then, or stays
open, costs the caller nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from relay.adapters.dialects.base import Dialect, Scene, StreamDecoder, StreamTap, Tapped
from relay.adapters.outbound.http.interface import HttpResponse, read_body
from relay.application.ports import Piece
from relay.domain.errors import Interrupted, Malformed, RelayError, TimedOut
from relay.domain.events import ChatResponse, Failed, Finished, PartStarted, StreamEvent, UsageReported
from relay.domain.folding import fold, unfold

TAIL_S = 1.0
"""How long a finished and counted answer is read on, so that its connection can be used again."""

_BLANK = b" \t\r\n"
_JSON_STARTS = (b"{", b"[")
_STREAM_STARTS = {"sse": (b"d", b"e", b"i", b"r", b":", b"\xef"), "ndjson": (b"{", b"\xef")}
"""First bytes of `data:`, `event:`, `id:`, `retry:`, a comment or an object, or of a byte order mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How an answer shall be read: as a stream or whole, its bytes passed on or not, and for whom."""

    dialect: Dialect
    scene: Scene
    stream: bool
    passes: bool


class HttpExchange:
    """An `Exchange` over HTTP; `leave` is called once, when the connection is let go of."""

    def __init__(
        self, response: HttpResponse, reading: Reading, losses: tuple[str, ...], leave: Callable[[], None]
    ) -> None:
        self.status = response.status
        self.passes = reading.passes
        self.losses = losses
        self._response = response
        self._reading = reading
        self._leave = leave
        self._tap = _tap(reading)
        self._progress = _Progress()
        self._has_begun = False
        self._tail_ends_at: float | None = None
        self._failure: RelayError | None = None
        self._is_closed = False

    async def read(self) -> Piece:
        """As `Exchange.read`."""
        if self._failure is not None:
            raise self._failure
        if self._reading.stream:
            piece = await self._read_stream()
        else:
            piece = self._whole(await read_body(self._response))
        if piece.last:
            await self.aclose()
        return piece

    async def aclose(self) -> None:
        """As `Exchange.aclose`."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._response.aclose()
        finally:
            self._leave()

    async def _read_stream(self) -> Piece:
        while True:
            chunk = await self._next_chunk()
            if chunk is None:
                return self._piece(self._tap.close(), last=True)
            if not self._has_begun and (first := chunk.lstrip(_BLANK)[:1]):
                self._has_begun = True
                if self._reading.dialect.framing == "sse" and first in _JSON_STARTS:
                    return self._whole(chunk + await read_body(self._response))
                if first not in _STREAM_STARTS[self._reading.dialect.framing]:
                    raise Malformed("the provider's answer is not a stream of its dialect")
            piece = self._piece(self._tap.feed(chunk))
            if piece.events or piece.raw:
                return piece

    async def _next_chunk(self) -> bytes | None:
        """The next chunk; `None` at the end, or once a complete answer goes no further."""
        try:
            if self._tail_ends_at is None:
                return await self._response.read()
            with anyio.move_on_at(self._tail_ends_at):
                return await self._response.read()
        except (Interrupted, TimedOut):
            if not self._progress.is_finished:
                raise
        return None

    def _piece(self, tapped: Tapped, *, last: bool = False) -> Piece:
        """What was tapped, as a piece; a failure among it is raised, at once or after what came before it."""
        events = tapped.events
        for place, event in enumerate(events):
            if isinstance(event, Failed):
                self._failure = event.error
                events, last = events[:place], False
                break
        if self._failure is not None and not events and not tapped.raw:
            raise self._failure
        self._progress.see(events)
        if self._progress.is_counted and self._tail_ends_at is None:
            self._tail_ends_at = anyio.current_time() + TAIL_S
        return Piece(events=events, raw=tapped.raw if self.passes else None, last=last)

    def _whole(self, body: bytes) -> Piece:
        answer, is_plain = _decoded(self._reading.dialect, body)
        events = tuple(unfold(answer))
        raw = None
        if self.passes:
            raw = _passed(self._reading, body if is_plain else None, answer, events)
        return Piece(events=events, raw=raw, last=True)


class _Progress:
    """How far a stream has come."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self.is_finished = False
        self.is_counted = False

    def see(self, events: Sequence[StreamEvent]) -> None:
        """`is_finished`: every choice that was begun is complete; `is_counted`: and its usage has come since."""
        for event in events:
            match event:
                case PartStarted(choice=choice):
                    self._open.add(choice)
                    self.is_finished = False
                case Finished(choice=choice):
                    self._open.discard(choice)
                    self.is_finished = not self._open
                case _:
                    pass
        if self.is_finished and any(isinstance(event, UsageReported) for event in events):
            self.is_counted = True


class _Untapped:
    """A decoder in the form of a tap that passes nothing on."""

    def __init__(self, decoder: StreamDecoder) -> None:
        self._decoder = decoder

    def feed(self, data: bytes) -> Tapped:
        return Tapped(events=self._decoder.feed(data), raw=b"")

    def close(self) -> Tapped:
        return Tapped(events=self._decoder.close(), raw=b"")


def _tap(reading: Reading) -> StreamTap:
    dialect = reading.dialect
    return dialect.tap(reading.scene) if reading.passes else _Untapped(dialect.decoder())


def _decoded(dialect: Dialect, body: bytes) -> tuple[ChatResponse, bool]:
    """The whole answer in a body, and whether it was written as one."""
    if dialect.framing == "sse":
        first = body.lstrip(_BLANK)[:1]
        if first and first in _STREAM_STARTS["sse"] and first != b"\xef":
            return _folded(dialect, body), False
        return dialect.decode_response(body), True
    try:
        return dialect.decode_response(body), True
    except Malformed:
        if b"\n" not in body.strip():
            raise
        return _folded(dialect, body), False


def _folded(dialect: Dialect, body: bytes) -> ChatResponse:
    decoder = dialect.decoder()
    return fold((*decoder.feed(body), *decoder.close()))


def _passed(
    reading: Reading, plain: bytes | None, answer: ChatResponse, events: Sequence[StreamEvent]
) -> bytes:
    """The bytes for a client of the same dialect: the provider's own where they have the form asked for."""
    if reading.stream:
        encoder = reading.dialect.encoder(reading.scene)
        return b"".join((*map(encoder.send, events), encoder.close()))
    if plain is None:
        return reading.dialect.encode_response(answer, reading.scene)
    return reading.dialect.rename_response(plain, reading.scene.model)
