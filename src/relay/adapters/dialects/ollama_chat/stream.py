"""Streams: a provider's bytes to events, and events to a client's lines."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.errors import error_text
from relay.adapters.dialects.ollama_chat.lines import LineFeed, LineReader
from relay.adapters.dialects.ollama_chat.shape import CHAT, LineShape
from relay.adapters.dialects.ollama_chat.writing import (
    ROLE,
    created_at,
    encoded,
    last_line,
    wire_call,
    wire_logprobs,
)
from relay.domain.chat import ToolCall
from relay.domain.errors import UpstreamError
from relay.domain.events import (
    Failed,
    Finished,
    FinishReason,
    LogprobsReported,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage


class Decoder:
    """A provider's stream, bytes in, events out."""

    def __init__(self, shape: LineShape = CHAT) -> None:
        self._lines = LineFeed(shape)
        self._reader = LineReader()

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        """Events completed by these bytes."""
        return self._events(self._lines.feed(data))

    def close(self) -> Sequence[StreamEvent]:
        """Events completed by the end of the bytes."""
        return self._events(self._lines.close())

    def _events(self, lines: Iterator[tuple[bytes, wire.Line]]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        try:
            for _, line in lines:
                events += self._reader.take(line)
        except UpstreamError as error:
            events.append(Failed(error=error))
        return events


@dataclass(slots=True)
class _OpenCall:
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    ended: bool = False


class Encoder:
    """An answer on its way to a client.

    Thinking and text leave as they come, and each call whole on a line of its own. A refusal is text here, so it
    must not overtake any: it waits for the end as long as a part before it may still come.
    """

    def __init__(self, scene: Scene, shape: LineShape = CHAT) -> None:
        self._scene = scene
        self._shape = shape
        self._kinds: dict[int, PartKind] = {}
        self._calls: dict[int, _OpenCall] = {}
        self._unsent: deque[_OpenCall] = deque()
        self._sent_calls = 0
        self._waiting: dict[int, list[str]] = {}
        self._first_ns: int | None = None
        self._usage: Usage | None = None
        self._finish: FinishReason | None = None
        self._failed = False

    def send(self, event: StreamEvent) -> bytes:
        """Bytes for this event; those of every choice but the first are left out."""
        match event:
            case PartDelta():
                return self._delta(event) if event.choice == 0 else b""
            case PartStarted():
                return self._start(event) if event.choice == 0 else b""
            case PartEnded():
                return self._end(event.index) if event.choice == 0 else b""
            case LogprobsReported(tokens=tokens):
                return self._line("", logprobs=tokens) if event.choice == 0 and tokens else b""
            case UsageReported(usage=usage):
                self._usage = usage if self._usage is None else self._usage.merged(usage)
            case Finished():
                return self._end_answer(event.reason) if event.choice == 0 else b""
            case Failed(error=error):
                self._failed = True
                return encoded({"error": error_text(error)}) + b"\n"
            case Started() | SignatureDelta() | OpaqueReported():
                pass
            case _:
                assert_never(event)
        return b""

    def close(self) -> bytes:
        """The last line."""
        if self._failed:
            return b""
        line = last_line(
            self._scene,
            wire.AnswerMessage(role=ROLE, content=""),
            finish=self._finish,
            usage=self._usage,
            first_ns=self._first_ns,
        )
        return self._shape.write(line) + b"\n"

    def _start(self, event: PartStarted) -> bytes:
        self._kinds[event.index] = event.kind
        if event.kind == "tool_call":
            self._calls[event.index] = call = _OpenCall(event.call_id, event.name)
            self._unsent.append(call)
        elif event.kind == "refusal" and not all(map(self._kinds.__contains__, range(event.index))):
            self._waiting[event.index] = []
        return b""

    def _delta(self, event: PartDelta) -> bytes:
        kind = self._kinds[event.index]
        if kind == "tool_call":
            self._calls[event.index].arguments.append(event.text)
            return b""
        if event.index in self._waiting:
            self._waiting[event.index].append(event.text)
            return b""
        if not event.text:
            return b""
        if kind == "thinking":
            return self._line("", thinking=event.text)
        return self._line(event.text)

    def _end(self, index: int) -> bytes:
        """The lines of the calls that are complete; one that began later waits for those before it."""
        if index not in self._calls:
            return b""
        self._calls[index].ended = True
        lines = b""
        while self._unsent and self._unsent[0].ended:
            first = self._unsent.popleft()
            call = ToolCall(id=first.id, name=first.name, arguments="".join(first.arguments))
            lines += self._line("", call=wire_call(self._sent_calls, call))
            self._sent_calls += 1
        return lines

    def _end_answer(self, reason: FinishReason) -> bytes:
        self._finish = reason
        waited = "".join(text for _, texts in sorted(self._waiting.items()) for text in texts)
        return self._line(waited) if waited else b""

    def _line(
        self,
        content: str,
        *,
        thinking: str | None = None,
        call: wire.AnsweredCall | None = None,
        logprobs: Sequence[TokenLogprob] = (),
    ) -> bytes:
        now_ns = self._scene.clock_ns()
        if self._first_ns is None:
            self._first_ns = now_ns
        message = wire.AnswerMessage(
            role=ROLE, content=content, thinking=thinking, tool_calls=[call] if call else None
        )
        line = wire.WrittenLine(
            model=self._scene.model,
            created_at=created_at(now_ns),
            message=message,
            done=False,
            logprobs=wire_logprobs(logprobs) if logprobs else None,
        )
        return self._shape.write(line) + b"\n"
