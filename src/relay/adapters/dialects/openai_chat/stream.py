"""A provider's stream: bytes in, events out."""

from collections.abc import Callable, Sequence

from relay.adapters.dialects.framing import SseEvent
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.chunks import read_chunk
from relay.adapters.dialects.openai_chat.reading import AnswerReader, read_whole
from relay.adapters.dialects.sse_answers import DONE, SseDecoder
from relay.domain.events import StreamEvent
from relay.domain.folding import unfold

type ChunkHook = Callable[[wire.Chunk, bytes], None]


class Decoder(SseDecoder):
    """Server-sent events into canonical events.

    What providers send in place of a stream is read too: an error object or a whole answer as plain JSON. `[DONE]`
    ends the answer. `on_chunk` is told of every chunk that was read without fault, with its bytes.
    """

    def __init__(self, on_chunk: ChunkHook | None = None) -> None:
        super().__init__()
        self._reader = AnswerReader()
        self._on_chunk = on_chunk

    def _take(self, sse_events: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        for sse in sse_events:
            data = sse.data.strip()
            if not data:
                continue
            if data == DONE:
                self._finish(events)
                return
            chunk = read_chunk(data, is_error=sse.event == "error")
            self._reader.take(chunk, events)
            if self._on_chunk is not None:
                self._on_chunk(chunk, data)

    def _take_body(self, body: bytes, events: list[StreamEvent]) -> None:
        """A whole answer is complete by itself."""
        events.extend(unfold(read_whole(body)))
        self._is_over = self.is_complete = True

    def _end(self, events: list[StreamEvent]) -> None:
        self._reader.end(events)
