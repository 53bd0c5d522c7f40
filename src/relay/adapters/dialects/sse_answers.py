"""Answers that come as server-sent events, each a JSON object: how they are decoded and tapped in any dialect.

A provider may send a whole answer, or an error alone, as plain JSON in place of a stream: both are read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from relay.adapters.dialects.base import MAX_EVENT_BYTES, StreamEncoder, Tapped
from relay.adapters.dialects.framing import SseEvent, SseSplitter
from relay.adapters.dialects.members import Members, object_in, values_in
from relay.domain.errors import Interrupted, Malformed, UpstreamError
from relay.domain.events import ChatResponse, Failed, Finished, StreamEvent, UsageReported
from relay.domain.folding import fold

_BLANK = b"\xef\xbb\xbf \t\r\n"
"""White space and the bytes of a BOM: what may stand before a body's first byte."""

DONE = b"[DONE]"
"""The last event of OpenAI's streams, and of others that follow them."""

_STREAM_STARTS = (b"data:", b":", b"event:")

type Hook = Callable[[Members], None]


class AnswerReader(Protocol):
    """What a dialect makes of one answer; each method appends events and raises `UpstreamError`."""

    has_finished: bool
    """Whether a finish marker was seen."""

    def take(self, event: Members, events: list[StreamEvent]) -> None:
        """One event of a stream."""
        ...

    def take_whole(self, answer: Members, events: list[StreamEvent]) -> None:
        """A whole answer in place of a stream."""
        ...

    def end(self, events: list[StreamEvent]) -> None:
        """The end of the bytes. Raises `Interrupted` when no finish marker was seen."""
        ...


class SseDecoder(ABC):
    """Server-sent events, or a JSON body in their place, into canonical events; a subclass knows what they say.

    After the end of the answer or a failure the rest is ignored.
    """

    def __init__(self) -> None:
        self._splitter = SseSplitter()
        self._body: bytearray | None = None
        self._is_begun = False
        self._is_over = False
        self.is_complete = False

    @property
    def answered_whole(self) -> bool:
        """True when the provider sent plain JSON in place of a stream."""
        return self._body is not None

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """As `StreamDecoder.feed`."""
        events: list[StreamEvent] = []
        try:
            if not self._is_over and not self._keeps_as_body(data):
                self._take(self._splitter.feed(data), events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> Sequence[StreamEvent]:
        """As `StreamDecoder.close`."""
        events: list[StreamEvent] = []
        if self._is_over:
            return events
        try:
            self._take_rest(events)
            if not self._is_over:
                self._finish(events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    @abstractmethod
    def _take(self, sse_events: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        """More of the stream. Raises `UpstreamError`."""

    @abstractmethod
    def _take_body(self, body: bytes, events: list[StreamEvent]) -> None:
        """The body in its place. Raises `UpstreamError`."""

    @abstractmethod
    def _end(self, events: list[StreamEvent]) -> None:
        """The end of the answer. Raises `Interrupted` when no finish marker was seen."""

    def _finish(self, events: list[StreamEvent]) -> None:
        self._end(events)
        self._is_over = self.is_complete = True

    def _take_rest(self, events: list[StreamEvent]) -> None:
        """An event cut off in the middle says nothing; whether the answer is complete, its finish marker says."""
        if self._body is not None:
            self._take_body(bytes(self._body), events)
            return
        with suppress(Malformed):
            self._take(self._splitter.close(), events)

    def _fail(self, error: UpstreamError, events: list[StreamEvent]) -> None:
        self._is_over = True
        events.append(Failed(error=error))

    def _keeps_as_body(self, data: bytes) -> bool:
        """Whether these bytes belong to a plain JSON body: no line of a stream begins with a bracket."""
        if not self._is_begun:
            data = data.lstrip(_BLANK)
            self._is_begun = bool(data)
            if data[:1] in (b"{", b"["):
                self._body = bytearray()
        if self._body is None:
            return False
        self._body += data
        if len(self._body) > MAX_EVENT_BYTES:
            raise Malformed(f"the provider's answer exceeds {MAX_EVENT_BYTES} bytes")
        return True


class Decoder(SseDecoder):
    """Events that are objects, as `reader` reads them; `on_event` is told of all that were read without fault."""

    def __init__(self, reader: AnswerReader, on_event: Hook | None = None) -> None:
        super().__init__()
        self._reader = reader
        self._on_event = on_event

    def _take(self, sse_events: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        for sse in sse_events:
            data = sse.data.strip()
            if not data or data == DONE:
                continue
            found = object_in(data)
            self._reader.take(found, events)
            self._tell(found)

    def _take_body(self, body: bytes, events: list[StreamEvent]) -> None:
        for found in values_in(body.strip(_BLANK)):
            self._reader.take_whole(found, events)
            self._tell(found)

    def _end(self, events: list[StreamEvent]) -> None:
        self._reader.end(events)

    def _tell(self, found: Members) -> None:
        if self._on_event is not None:
            self._on_event(found)


class Tap:
    """Events passed on as `frame` writes them. From the first finish marker on they are held until the end.

    So what fails behind it does not end as if it had not. A whole answer in place of a stream is written anew by an
    `encoder`; without one it passes as an event.
    """

    def __init__(
        self,
        reader: AnswerReader,
        *,
        frame: Callable[[Members], bytes],
        encoder: Callable[[], StreamEncoder] | None = None,
    ) -> None:
        self._reader = reader
        self._frame = frame
        self._encoder = encoder
        self._decoder = Decoder(reader, on_event=self._pass)
        self._ready: list[bytes] = []
        self._held: list[bytes] = []
        self._is_closed = False

    def feed(self, data: bytes) -> Tapped:
        """As `StreamTap.feed`."""
        events = self._decoder.feed(data)
        return Tapped(events=events, raw=self._taken())

    def close(self) -> Tapped:
        """As `StreamTap.close`."""
        events = self._decoder.close()
        raw = self._taken()
        if self._is_closed or not self._decoder.is_complete:
            return Tapped(events=events, raw=raw)
        self._is_closed = True
        if self._decoder.answered_whole and self._encoder is not None:
            encoder = self._encoder()
            return Tapped(events=events, raw=b"".join(map(encoder.send, events)) + encoder.close())
        return Tapped(events=events, raw=raw + b"".join(self._held))

    def _pass(self, event: Members) -> None:
        (self._held if self._reader.has_finished else self._ready).append(self._frame(event))

    def _taken(self) -> bytes:
        raw = b"".join(self._ready)
        self._ready.clear()
        return raw


def read_whole(reader: AnswerReader, body: bytes) -> ChatResponse:
    """A whole answer, or a stream in its place. Raises `Malformed`, also when it is not finished, or a failure."""
    decoder = Decoder(reader)
    if not body.lstrip(_BLANK).startswith((b"{", b"[", *_STREAM_STARTS)):
        object_in(body)  # raises `Malformed`
    try:
        return fold([*decoder.feed(body), *decoder.close()])
    except Interrupted:
        raise Malformed("the provider's answer is not finished") from None


def glanced(read: Callable[[bytes], ChatResponse], body: bytes) -> Sequence[StreamEvent] | None:
    """The counts and the finish of an answer, as `Dialect.glance` promises them."""
    try:
        response = read(body)
    except UpstreamError:
        return None
    if response.usage is None or response.usage.output_tokens is None:
        return None
    first = response.choices[0]
    return UsageReported(usage=response.usage), Finished(reason=first.finish, raw_reason=first.raw_finish)
