"""Events put in a row for a wire on which one part ends before the next begins.

Canonical parts may be open side by side, and one that comes late may belong before others. What was written cannot
be taken back, so that here parts stand in the order in which they were said: text that another part interrupts goes
on as a part of its own behind it, and a tool call, which cannot be taken apart, holds up what comes before its end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from relay.domain.events import (
    Finished,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    StreamEvent,
)

type PartEvent = PartStarted | PartDelta | SignatureDelta | PartEnded | OpaqueReported


@dataclass(slots=True)
class _Part:
    """A part that has begun; `index` is that of its piece being written, if any, `was_written` if ever one was."""

    started: PartStarted
    index: int | None = None
    was_written: bool = False


class Sequencer:
    """The events of one choice in a row.

    What a text cites is left out where it is known only after its last piece has ended.
    """

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}
        self._current: _Part | None = None
        self._count = 0
        self._held: list[PartEvent] = []

    def push(self, event: StreamEvent) -> list[StreamEvent]:
        """What may be written now."""
        row: list[StreamEvent] = []
        match event:
            case PartStarted() | PartDelta() | SignatureDelta() | PartEnded() | OpaqueReported():
                self._take(event, row)
            case Finished():
                self._interrupt(row)
                while self._held:
                    self._release(row)
                    self._interrupt(row)
                row.append(event)
            case _:
                row.append(event)
        return row

    def goes_on(self, event: PartDelta) -> bool:
        """Whether this is more of the part being written, so that it need not be pushed."""
        return self._current is not None and self._current.started.index == event.index and bool(event.text)

    def _take(self, event: PartEvent, row: list[StreamEvent]) -> None:
        if isinstance(event, PartStarted):
            self._parts[event.index] = _Part(event)
        if self._waits(event):
            self._held.append(event)
            return
        match event:
            case PartStarted(kind="tool_call"):
                self._open(self._parts[event.index], row)
            case PartStarted():
                pass
            case PartDelta(text=""):
                pass
            case PartDelta() | SignatureDelta():
                part = self._parts[event.index]
                self._open(part, row)
                row.append(replace(event, index=part.index or 0))
            case PartEnded():
                self._end(event, row)
            case OpaqueReported():
                self._interrupt(row)
                row.append(replace(event, index=self._next()))

    def _waits(self, event: PartEvent) -> bool:
        """Whether a call that is being written is in the way."""
        current = self._current
        return (
            current is not None
            and current.started.kind == "tool_call"
            and current.started.index != event.index
        )

    def _open(self, part: _Part, row: list[StreamEvent]) -> None:
        if part is self._current:
            return
        self._interrupt(row)
        part.index = self._next()
        part.was_written = True
        self._current = part
        row.append(replace(part.started, index=part.index))

    def _end(self, event: PartEnded, row: list[StreamEvent]) -> None:
        part = self._parts[event.index]
        if not part.was_written:
            self._open(part, row)
        if part is not self._current:
            return
        self._current = None
        row.append(replace(event, index=part.index or 0))
        self._release(row)

    def _release(self, row: list[StreamEvent]) -> None:
        held, self._held = self._held, []
        for event in held:
            self._take(event, row)

    def _interrupt(self, row: list[StreamEvent]) -> None:
        if self._current is not None:
            row.append(PartEnded(index=self._current.index or 0, choice=self._current.started.choice))
            self._current = None

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def in_a_row(events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
    """All events of one choice in a row."""
    sequencer = Sequencer()
    for event in events:
        yield from sequencer.push(event)
