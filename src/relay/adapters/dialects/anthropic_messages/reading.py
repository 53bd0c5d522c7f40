"""From Anthropic's events to canonical ones: what a provider's answer means, streamed or whole.

Blocks come one after the other, but an index is believed only as far as it tells blocks apart. A block of a type
that has no canonical form is kept as it is. The stop word is held until the end: usage comes with it, and an error
may follow.
"""

from dataclasses import dataclass, field

from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.anthropic_messages.errors import failure_in
from relay.adapters.dialects.anthropic_messages.messages import NAME
from relay.adapters.dialects.anthropic_messages.usage import UsageReader
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.members import NONE, Members, is_said, items, json_text, members, text
from relay.domain.chat import Citation, Opaque
from relay.domain.errors import Interrupted
from relay.domain.events import (
    Finished,
    FinishReason,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    UsageReported,
)

REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
}

_KINDS: dict[str, PartKind] = {
    "text": "text",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "tool_use": "tool_call",
}
_DELTAS: dict[str, tuple[PartKind, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("tool_call", "partial_json"),
}
"""The kind of part that a delta is of, and the member that holds its text."""


@dataclass(slots=True)
class _Block:
    """A block being read; one without a kind is kept as it is."""

    slot: int
    kind: PartKind | None
    raw: Raw
    is_open: bool = False
    length: int = 0
    pieces: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)


class AnswerReader:
    """Events of one answer; implements `sse_answers.AnswerReader`."""

    def __init__(self) -> None:
        self.has_finished = False
        self._is_started = False
        self._usage = UsageReader()
        self._blocks: dict[str, _Block] = {}
        self._count = 0
        self._has_calls = False
        self._word = ""
        self._explanation = ""

    def take(self, event: Members, events: list[StreamEvent]) -> None:
        """Append what the event means. Raises the provider's own failure when it is one."""
        match text(event.get("type")):
            case "content_block_delta":
                self._delta(event, events)
            case "content_block_start":
                self._begin(event.get("index", NONE), event.get("content_block", NONE), events)
            case "content_block_stop":
                self._end_block(self._blocks.pop(_index(event), None), events)
            case "message_start":
                self._start(members(event.get("message")), events)
            case "message_delta":
                self._stop(members(event.get("delta")), events, usage=members(event.get("usage")))
            case "message_stop":
                self.has_finished = True
            case "message":
                self.take_whole(event, events)
            case "error":
                raise failure_in(event)
            case _ if is_said(event.get("error")):
                raise failure_in(event)
            case _:
                pass

    def take_whole(self, answer: Members, events: list[StreamEvent]) -> None:
        """Append a whole answer. Raises the provider's own failure when it is one."""
        if text(answer.get("type")) == "error" or is_said(answer.get("error")):
            raise failure_in(answer)
        self._start(answer, events)
        for block in items(answer.get("content")):
            self._begin(NONE, block, events)
            self._end_block(self._blocks.pop(bytes(NONE).decode(), None), events)
        self._stop(answer, events, usage={})

    def end(self, events: list[StreamEvent]) -> None:
        """Append what the end of the bytes means. Raises `Interrupted`, or what an unknown stop word stands for."""
        if not self.has_finished:
            raise Interrupted("the provider's stream ended before its finish marker")
        reason = REASONS.get(self._word)
        if reason is None and self._word and not self._count:
            raise upstream_failure(502, "the provider gave up on its answer")
        for block in list(self._blocks.values()):
            self._end_block(block, events)
        self._blocks.clear()
        if self._explanation:
            slot = self._next()
            events.append(PartStarted(index=slot, kind="refusal"))
            events.append(PartDelta(index=slot, text=self._explanation))
            events.append(PartEnded(index=slot))
        events.append(
            Finished(
                reason=settled_reason(reason or "stop", has_calls=self._has_calls), raw_reason=self._word
            )
        )

    def _start(self, message: Members, events: list[StreamEvent]) -> None:
        self._begin_answer(events, message)
        self._count_usage(members(message.get("usage")), events)

    def _begin_answer(self, events: list[StreamEvent], message: Members) -> None:
        if not self._is_started:
            self._is_started = True
            events.append(Started(id=text(message.get("id")), model=text(message.get("model"))))

    def _stop(self, told: Members, events: list[StreamEvent], usage: Members) -> None:
        self._begin_answer(events, {})
        self._count_usage(usage, events)
        if word := text(told.get("stop_reason")):
            self._word = word
            self.has_finished = True
        self._explanation = text(members(told.get("stop_details")).get("explanation")) or self._explanation

    def _count_usage(self, report: Members, events: list[StreamEvent]) -> None:
        if (usage := self._usage.take(report)) is not None:
            events.append(UsageReported(usage=usage))

    def _begin(self, index: Raw, raw: Raw, events: list[StreamEvent]) -> None:
        self._begin_answer(events, {})
        key = bytes(index).decode()
        self._end_block(self._blocks.pop(key, None), events)
        content = members(raw)
        kind = text(content.get("type"))
        if not kind:
            return
        block = self._blocks[key] = _Block(self._next(), _KINDS.get(kind), raw)
        match kind:
            case "text":
                self._say(block, text(content.get("text")), events)
                block.citations += [
                    cited for item in items(content.get("citations")) for cited in _cited(item)
                ]
            case "thinking":
                self._say(block, text(content.get("thinking")), events)
                self._seal(block, text(content.get("signature")), events)
            case "redacted_thinking":
                if data := text(content.get("data")):
                    self._open(block, events)
                    events.append(SignatureDelta(index=block.slot, text=data, kind="sealed"))
            case "tool_use":
                self._has_calls = True
                block.is_open = True
                call_id, name = text(content.get("id")), text(content.get("name"))
                events.append(PartStarted(index=block.slot, kind="tool_call", call_id=call_id, name=name))
            case _:
                pass

    def _delta(self, event: Members, events: list[StreamEvent]) -> None:
        block = self._blocks.get(_index(event))
        if block is None:
            return
        delta = members(event.get("delta"))
        kind = text(delta.get("type"))
        if kind in _DELTAS:
            of, member = _DELTAS[kind]
            said = text(delta.get(member))
            if block.kind == of:
                self._say(block, said, events)
            elif block.kind is None and of == "tool_call":
                block.pieces.append(said)
        elif kind == "signature_delta" and block.kind == "thinking":
            self._seal(block, text(delta.get("signature")), events)
        elif kind == "citations_delta" and block.kind == "text":
            block.citations += _cited(delta.get("citation", NONE))

    def _say(self, block: _Block, said: str, events: list[StreamEvent]) -> None:
        if said:
            self._open(block, events)
            block.length += len(said)
            events.append(PartDelta(index=block.slot, text=said))

    def _seal(self, block: _Block, signature: str, events: list[StreamEvent]) -> None:
        if signature:
            self._open(block, events)
            events.append(SignatureDelta(index=block.slot, text=signature))

    def _open(self, block: _Block, events: list[StreamEvent]) -> None:
        if not block.is_open and block.kind is not None:
            block.is_open = True
            origin = NAME if block.kind == "thinking" else None
            events.append(PartStarted(index=block.slot, kind=block.kind, origin=origin))

    def _end_block(self, block: _Block | None, events: list[StreamEvent]) -> None:
        if block is None:
            return
        if block.kind is None:
            events.append(OpaqueReported(index=block.slot, part=_opaque(block)))
            return
        if block.kind == "tool_call" and not block.length:
            self._say(block, _arguments(members(block.raw).get("input", NONE)), events)
        if block.is_open:
            whole = tuple(
                Citation(url=each.url, title=each.title, end=block.length) for each in block.citations
            )
            events.append(PartEnded(index=block.slot, citations=whole))

    def _next(self) -> int:
        self._count += 1
        return self._count - 1


def settled_reason(reason: FinishReason, *, has_calls: bool) -> FinishReason:
    """Calls decide between `stop` and `tool_calls`, not the word."""
    if reason in ("stop", "tool_calls"):
        return "tool_calls" if has_calls else "stop"
    return reason


def _index(event: Members) -> str:
    return bytes(event.get("index", NONE)).decode()


def _cited(item: Raw) -> list[Citation]:
    """A source with an address; a place in a document of the caller's own has none."""
    told = members(item)
    url = text(told.get("url"))
    return [Citation(url=url, title=text(told.get("title")))] if url else []


def _arguments(value: Raw) -> str:
    """The arguments in a block that came whole: an object, or its text as some servers write it."""
    if not is_said(value):
        return ""
    return text(value) or json_text(value)


def _opaque(block: _Block) -> Opaque:
    """The block, with the input that came in pieces."""
    streamed = "".join(block.pieces)
    if not streamed:
        return Opaque(origin=NAME, json=json_text(block.raw))
    try:
        lenient.loads(streamed.encode())
    except (lenient.Undecodable, UnicodeEncodeError):
        return Opaque(origin=NAME, json=json_text(block.raw))
    whole = splice.assemble({**members(block.raw), "input": Raw(streamed.encode())})
    return Opaque(origin=NAME, json=json_text(Raw(whole)))
