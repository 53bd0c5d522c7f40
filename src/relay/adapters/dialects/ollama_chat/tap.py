"""Same-dialect streams passed through: lines as they came, under the name the client used, and metered."""

from collections.abc import Iterator

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import Scene, Tapped
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.lines import LineFeed, LineReader
from relay.adapters.dialects.ollama_chat.shape import CHAT, LineShape
from relay.domain.errors import UpstreamError
from relay.domain.events import Failed, StreamEvent

_encoder = msgspec.json.Encoder()


class Tap:
    """One stream; its events are the decoder's.

    A line is taken apart only when the model's name is not where Ollama's servers put it, at the start.
    """

    def __init__(self, scene: Scene, shape: LineShape = CHAT) -> None:
        self._lines = LineFeed(shape)
        self._reader = LineReader()
        self._wanted = scene.model
        self._found = scene.model
        self._start = self._new_start = _start(scene.model)
        self._last = b""

    def feed(self, data: bytes) -> Tapped:
        """The line that ends the answer is kept back."""
        return self._tapped(self._lines.feed(data))

    def close(self) -> Tapped:
        """The line that ends the answer."""
        tapped = self._tapped(self._lines.close())
        last, self._last = self._last, b""
        return Tapped(events=tapped.events, raw=tapped.raw + last)

    def _tapped(self, lines: Iterator[tuple[bytes, wire.Line]]) -> Tapped:
        events: list[StreamEvent] = []
        passed: list[bytes] = []
        try:
            for data, line in lines:
                events += self._reader.take(line)
                renamed = self._renamed(data, line) + b"\n"
                if line.done:
                    self._last = renamed
                else:
                    passed.append(renamed)
        except UpstreamError as error:
            events.append(Failed(error=error))
        return Tapped(events=events, raw=b"".join(passed))

    def _renamed(self, data: bytes, line: wire.Line) -> bytes:
        if line.model != self._wanted:
            if line.model != self._found and line.model is not None:
                self._found = line.model
                self._start = _start(line.model)
            if data.startswith(self._start):
                data = self._new_start + data[len(self._start) :]
            else:
                members = splice.top_level(data)
                members["model"] = splice.raw(self._wanted)
                return splice.assemble(members)
        return lenient.escape_separators(data)


def _start(model: str) -> bytes:
    """How a line of this model begins."""
    return b'{"model":' + _encoder.encode(model)
