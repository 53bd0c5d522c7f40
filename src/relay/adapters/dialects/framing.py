"""Frames out of bytes: server-sent events and newline-delimited JSON, bounded and cut-proof.

Both splitters work on bytes and only on the line ends their standards name: text-mode line iterators also
split on U+2028 and U+0085, which are legal inside JSON strings. SSE follows the WHATWG event-stream grammar
(LF, CRLF or CR; comments; several `data:` lines joined by LF; a BOM at the start).
"""

from typing import NamedTuple

from relay.adapters.dialects.base import MAX_EVENT_BYTES
from relay.domain.errors import Malformed

_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One dispatched event; `event` is empty when the stream did not name it."""

    event: str
    data: bytes


class LineSplitter:
    """Complete lines out of a byte stream, without their line ends; empty lines are left out.

    Splits on LF alone (a CR before it is dropped), as NDJSON says.
    """

    def __init__(self, limit_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rest = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines these bytes complete. Raises `Malformed` when one grows over the limit."""
        self._rest += data
        end = self._rest.rfind(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._rest)
            self._check(self._rest)
            return []
        complete = bytes(self._rest[:end])
        del self._rest[: end + 1]
        self._searched = len(self._rest)
        lines = [line for raw in complete.split(b"\n") if (line := raw.removesuffix(b"\r"))]
        for line in lines:
            self._check(line)
        self._check(self._rest)
        return lines

    def close(self) -> list[bytes]:
        """The last line, when the stream ended without a line end."""
        line = bytes(self._rest).removesuffix(b"\r")
        self._rest.clear()
        return [line] if line else []

    def _check(self, line: bytes | bytearray) -> None:
        if len(line) > self._limit_bytes:
            raise Malformed(f"a line of the provider's stream exceeds {self._limit_bytes} bytes")


class SseSplitter:
    """Dispatched events out of a byte stream; comments, `id:` and `retry:` are left out."""

    def __init__(self, limit_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rest = bytearray()
        self._searched = 0
        self._after_cr = False
        self._at_start = True
        self._event = ""
        self._data = bytearray()
        self._has_data = False

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events these bytes complete. Raises `Malformed` when one grows over the limit."""
        if (regular := self._regular(data)) is not None:
            return regular
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if data.endswith(b"\r"):
            self._after_cr = True
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._rest += data
        end = self._rest.rfind(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._rest)
            self._check(len(self._rest))
            return []
        complete = bytes(self._rest[:end])
        del self._rest[: end + 1]
        self._searched = len(self._rest)
        events = [event for line in complete.split(b"\n") if (event := self._line(line)) is not None]
        self._check(len(self._rest))
        return events

    def _regular(self, data: bytes) -> list[SseEvent] | None:
        """The events of bytes that are whole events of one line of data each, as nearly all are; else `None`.

        A line with the event's name may stand before that of its data.
        """
        is_between = not (self._at_start or self._after_cr or self._rest or self._has_data or self._event)
        if not is_between or len(data) > self._limit_bytes:
            return None
        if data.endswith(b"\r\n\r\n"):
            data = data.replace(b"\r\n", b"\n")
        if not data.endswith(b"\n\n") or b"\r" in data:
            return None
        events: list[SseEvent] = []
        for line in data[:-2].split(b"\n\n"):
            name = b""
            if line.startswith(b"event: "):
                name, _, line = line[7:].partition(b"\n")
            if not line.startswith(b"data:") or b"\n" in line:
                return None
            events.append(
                SseEvent(
                    name.decode(errors="replace") if name else "",
                    line[6:] if line.startswith(b"data: ") else line[5:],
                )
            )
        return events

    def close(self) -> list[SseEvent]:
        """An event left undispatched: providers do end streams without the closing blank line."""
        events = [self._line(bytes(self._rest)), self._line(b"")]
        self._rest.clear()
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> SseEvent | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            if self._has_data:
                self._data += b"\n"
            self._has_data = True
            self._data += value
            self._check(len(self._data))
        elif name == b"event":
            self._event = value.decode(errors="replace")
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._event, bytes(self._data)) if self._has_data else None
        self._event, self._has_data = "", False
        self._data.clear()
        return event

    def _check(self, size: int) -> None:
        if size > self._limit_bytes:
            raise Malformed(f"an event of the provider's stream exceeds {self._limit_bytes} bytes")


def sse_frame(payload: bytes, event: str = "") -> bytes:
    """One SSE event around a single-line payload."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), payload) if event else b"data: %b\n\n" % payload
