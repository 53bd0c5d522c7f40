"""Parts of an answer on their way into items, which are written one after the other.

The one whose turn it is goes out as it comes; what comes of others beside it waits, the first in order next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from relay.domain.chat import ToolSpec
from relay.domain.events import (
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
)

type PartEvent = PartStarted | PartDelta | SignatureDelta | PartEnded | OpaqueReported


@dataclass(slots=True)
class Turn:
    """A part's events so far that were not written."""

    waiting: list[PartEvent] = field(default_factory=list)
    is_ended: bool = False


class InTurn:
    """Part events in, part events out: those of one part at a time."""

    def __init__(self) -> None:
        self._turns: dict[int, Turn] = {}
        self._live: int | None = None

    def next(self, event: PartEvent) -> Iterator[PartEvent]:
        """What may be written now that this event has come."""
        if self._live == event.index:
            yield event
            if isinstance(event, PartEnded):
                yield from self._advance()
            return
        turn = self._turns.setdefault(event.index, Turn())
        turn.waiting.append(event)
        turn.is_ended = isinstance(event, PartEnded | OpaqueReported)
        if self._live is None:
            yield from self._advance()

    def _advance(self) -> Iterator[PartEvent]:
        """The turns that are over, and what there is of the next one."""
        self._live = None
        while self._live is None and self._turns:
            index = min(self._turns)
            turn = self._turns.pop(index)
            yield from turn.waiting
            if not turn.is_ended:
                self._live = index


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the request declared its tools: by their canonical name, the group and whether they take text."""

    by_name: dict[str, ToolSpec]

    def of(self, name: str) -> tuple[str, str | None]:
        """A tool's name as the client knows it, and the namespace it is in."""
        spec = self.by_name.get(name)
        if spec is None or not spec.namespace or not name.startswith(f"{spec.namespace}__"):
            return name, None
        return name.removeprefix(f"{spec.namespace}__"), spec.namespace

    def takes_text(self, call: PartStarted) -> bool:
        """Whether a call is one of a tool that takes plain text."""
        spec = self.by_name.get(call.name)
        return call.freeform or (spec is not None and spec.freeform)
