"""An answer on its way in: chunks of HTTP become pieces.

Theory of operation. A streamed answer goes chunk by chunk through the dialect's decoder, or through its tap
when the bytes may pass. The content type is not asked: what the provider really sent shows in its first byte,
and codecs read a whole answer in place of a stream. Once the codec has seen the finish, the answer is complete:
a connection that breaks then, or stays open, costs the caller nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import anyio

from relay.adapters.dialects.base import Dialect, Scene, StreamDecoder, StreamTap, Tapped
from relay.adapters.outbound.http.held_response import HeldResponse
from relay.adapters.outbound.http.interface import HttpResponse, Phases, read_body
from relay.application.ports import Piece
from relay.domain.errors import Interrupted, Malformed, RelayError, TimedOut, UpstreamError
from relay.domain.events import ChatResponse, Failed, Finished, PartStarted, StreamEvent
from relay.domain.folding import fold, unfold

TAIL_S = 1.0
"""How long a finished answer is read on, so that its connection can be used again."""

_BLANK = b" \t\r\n"
_STARTS = {
    "sse": (b"d", b"e", b"i", b"r", b":", b"{", b"[", b"\xef"),
    "ndjson": (b"{", b"\xef"),
}
"""First bytes of `data`, `event`, `id`, `retry`, a comment, a whole answer or error, a byte order mark."""


type Glance = Callable[[bytes], Sequence[StreamEvent] | None]
"""`Dialect.glance`, or a stricter one."""


class Reading(NamedTuple):
    """How an answer shall be read: as a stream or whole, its bytes passed on or not, and for whom.

    A whole answer that `glance` understands passes in any case.
    """

    dialect: Dialect
    scene: Scene
    stream: bool
    passes: bool
    glance: Glance | None


class HttpExchange(HeldResponse):
    """An `Exchange` over HTTP; `leave` is called once, when the connection is let go of."""

    def __init__(
        self, response: HttpResponse, reading: Reading, losses: tuple[str, ...], leave: Callable[[], None]
    ) -> None:
        super().__init__(response, leave)
        self.status = response.status
        self.passes = reading.passes
        self.losses = losses
        self._reading = reading
        self._tap = _tap(reading) if reading.stream else None
        self._unfinished: set[int] = set()
        self._has_begun = False
        self._tail_ends_at: float | None = None
        self._failure: RelayError | None = None

    @property
    def phases(self) -> Phases:
        """How long it took until the provider's head was there."""
        return self._response.phases

    async def read(self) -> Piece:
        """As `Exchange.read`."""
        if self._failure is not None:
            raise self._failure
        if self._tap is None:
            piece = _whole_piece(self._reading, await read_body(self._response))
        else:
            piece = await self._next_piece(self._tap)
        if piece.last:
            await self.aclose()
        return piece

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        """As `Exchange.flow`. Up to the finish: how long the connection may stay open after it is for `read`."""
        if self._tap is not None and self._failure is None and self._tail_ends_at is None:
            await self._response.flow(partial(self._flowed, self._tap, take))

    def _flowed(self, tap: StreamTap, take: Callable[[Piece], bool], chunk: bytes) -> bool:
        try:
            piece = self._piece(tap.feed(chunk))
        except UpstreamError as error:
            self._failure = error
            return False
        if (piece.events or piece.raw) and not take(piece):
            return False
        return self._failure is None and self._tail_ends_at is None

    async def _next_piece(self, tap: StreamTap) -> Piece:
        while True:
            broken: UpstreamError | None = None
            try:
                if self._tail_ends_at is None:
                    chunk = await self._response.read()
                else:
                    chunk = await self._rest()
            except (Interrupted, TimedOut) as error:
                chunk, broken = None, error
            if chunk is None:
                return self._piece(tap.close(), last=True, broken=broken)
            if not self._has_begun:
                self._check_start(chunk)
            piece = self._piece(tap.feed(chunk))
            if piece.events or piece.raw:
                return piece

    async def _rest(self) -> bytes | None:
        """What comes within the tail; `None` when that is over."""
        with anyio.move_on_at(self._tail_ends_at or 0.0):
            return await self._response.read()
        return None

    def _check_start(self, chunk: bytes) -> None:
        """Error pages and the like are refused before they count as an answer that broke off."""
        if not (first := chunk.lstrip(_BLANK)[:1]):
            return
        self._has_begun = True
        if first not in _STARTS[self._reading.dialect.framing]:
            raise Malformed("the provider's answer is not a stream of its dialect")

    def _piece(self, tapped: Tapped, *, last: bool = False, broken: UpstreamError | None = None) -> Piece:
        """What was tapped, as a piece. A failure among it is raised, at once or after what came before it.

        `broken` says how the connection ended before the answer did, if the codec finds it incomplete.
        """
        events = tapped.events
        if events and isinstance(events[-1], Failed):
            self._failure = broken or events[-1].error
            events, last = events[:-1], False
            if not events and not tapped.raw:
                raise self._failure
        for event in events:
            if isinstance(event, PartStarted):
                self._unfinished.add(event.choice)
            elif isinstance(event, Finished):
                self._see_finish(event.choice)
        return Piece(events=events, raw=tapped.raw if self.passes else None, last=last)

    def _see_finish(self, choice: int) -> None:
        self._unfinished.discard(choice)
        if not self._unfinished and self._tail_ends_at is None:
            # Also seen in the callbacks of a connection, where anyio knows of no loop.
            self._tail_ends_at = asyncio.get_running_loop().time() + TAIL_S


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


def _whole_piece(reading: Reading, body: bytes) -> Piece:
    if reading.glance is not None and (events := reading.glance(body)) is not None:
        renamed = reading.dialect.rename_response(body, reading.scene.model)
        return Piece(events=events, raw=renamed, last=True)
    answer = _decoded(reading.dialect, body)
    raw = _renamed(reading, body, answer) if reading.passes else None
    return Piece(events=tuple(unfold(answer)), raw=raw, last=True)


def _decoded(dialect: Dialect, body: bytes) -> ChatResponse:
    """The whole answer in a body; some servers stream whatever was asked for."""
    try:
        return dialect.decode_response(body)
    except Malformed as malformed:
        decoder = dialect.decoder()
        try:
            return fold((*decoder.feed(body), *decoder.close()))
        except (Malformed, Interrupted):
            raise malformed from None


def _renamed(reading: Reading, body: bytes, answer: ChatResponse) -> bytes:
    """The bytes for a client of the same dialect: the provider's own, where they are a whole answer."""
    try:
        return reading.dialect.rename_response(body, reading.scene.model)
    except Malformed:
        return reading.dialect.encode_response(answer, reading.scene)
