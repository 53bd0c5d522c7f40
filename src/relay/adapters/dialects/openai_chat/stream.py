"""A provider's stream: bytes in, events out."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from relay.adapters.dialects.base import MAX_EVENT_BYTES
from relay.adapters.dialects.framing import SseEvent, SseSplitter
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.chunks import read_chunk
from relay.adapters.dialects.openai_chat.reading import AnswerReader, read_whole
from relay.domain.errors import Malformed, UpstreamError
from relay.domain.events import Failed, StreamEvent
from relay.domain.folding import unfold

DONE = b"[DONE]"
_BLANK = b"\xef\xbb\xbf \t\r\n"
"""White space and the bytes of a BOM: what may stand before a body's first byte."""

type ChunkHook = Callable[[wire.Chunk, bytes], None]


class Decoder:
    """Server-sent events into canonical events.

    What providers send in place of a stream is read too: an error object or a whole answer as plain JSON. After
    `[DONE]` or a failure the rest is ignored. `on_chunk` is told of every chunk that was read without fault,
    with its bytes.
    """

    def __init__(self, on_chunk: ChunkHook | None = None) -> None:
        self._splitter = SseSplitter()
        self._reader = AnswerReader()
        self._on_chunk = on_chunk
        self._body: bytearray | None = None
        self._is_begun = False
        self._is_over = False
        self.is_complete = False

    @property
    def answered_whole(self) -> bool:
        """True when the provider sent plain JSON in place of a stream."""
        return self._body is not None

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """Events completed by these bytes; a broken stream yields `Failed` last, then nothing."""
        events: list[StreamEvent] = []
        try:
            if not self._is_over and not self._keeps_as_body(data):
                self._take(self._splitter.feed(data), events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> Sequence[StreamEvent]:
        """Events completed by the end of the bytes; `Failed(Interrupted)` when no finish word was seen."""
        events: list[StreamEvent] = []
        if self._is_over:
            return events
        try:
            if self._body is not None:
                events.extend(unfold(read_whole(bytes(self._body))))
                self._is_over = self.is_complete = True
            else:
                self._take_rest(events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def _take(self, sse_events: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        for sse in sse_events:
            data = sse.data.strip()
            if not data:
                continue
            if data == DONE:
                self._end(events)
                return
            chunk = read_chunk(data, is_error=sse.event == "error")
            self._reader.take(chunk, events)
            if self._on_chunk is not None:
                self._on_chunk(chunk, data)

    def _take_rest(self, events: list[StreamEvent]) -> None:
        """An event cut off in the middle says nothing; whether the answer is complete, its finish word says."""
        with suppress(Malformed):
            self._take(self._splitter.close(), events)
        if not self._is_over:
            self._end(events)

    def _end(self, events: list[StreamEvent]) -> None:
        self._reader.end(events)
        self._is_over = self.is_complete = True

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
