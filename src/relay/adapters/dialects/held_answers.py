"""Answers held until they are complete, then written in the order of their parts and in the pieces they came in.

For dialects that no client of the relay's is served in: a part that comes late may still go before others, which
a stream of ordered parts cannot take back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from relay.domain.chat import Opaque, ToolCall
from relay.domain.errors import Interrupted, RelayError
from relay.domain.events import (
    ChatResponse,
    Failed,
    Finished,
    LogprobsReported,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import Folding

type Pieces = Mapping[int, Sequence[Sequence[str]]]
"""The pieces of text of each part, in the order of the parts, by the index of the choice."""


class HeldEncoder:
    """A `StreamEncoder` of what `write` makes of an answer and its pieces, and `fail` of a failure."""

    def __init__(
        self, write: Callable[[ChatResponse, Pieces], bytes], fail: Callable[[RelayError], bytes]
    ) -> None:
        self._write = write
        self._fail = fail
        self._folding = Folding()
        self._pieces: dict[int, dict[int, list[str]]] = {}
        self._has_failed = False

    def send(self, event: StreamEvent) -> bytes:
        """Nothing, but for a failure."""
        if self._has_failed:
            return b""
        match event:
            case Failed(error=error):
                self._has_failed = True
                return self._fail(error)
            case PartStarted(index=index) | OpaqueReported(index=index):
                self._pieces.setdefault(event.choice, {})[index] = []
            case PartDelta(index=index, text=text):
                self._pieces[event.choice][index].append(text)
            case (
                Started() | SignatureDelta() | PartEnded() | LogprobsReported() | UsageReported() | Finished()
            ):
                pass
            case _:
                assert_never(event)
        self._folding.add(event)
        return b""

    def close(self) -> bytes:
        """The whole stream; nothing of an answer that failed or is not complete."""
        if self._has_failed:
            return b""
        try:
            response = self._folding.response()
        except Interrupted:
            return b""
        return self._write(response, {choice: _in_order(parts) for choice, parts in self._pieces.items()})


def whole_pieces(response: ChatResponse) -> Pieces:
    """Each part in one piece; calls and opaque parts have none."""
    return {
        choice.index: [[] if isinstance(part, ToolCall | Opaque) else [part.text] for part in choice.parts]
        for choice in response.choices
    }


def _in_order(parts: Mapping[int, list[str]]) -> list[list[str]]:
    return [parts[index] for index in sorted(parts)]
