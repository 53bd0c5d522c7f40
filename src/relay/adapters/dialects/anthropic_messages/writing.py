"""Answers into a client's bytes, streamed or whole.

Blocks come one after the other, with indexes without gaps, each event named as its type is: the official clients
take nothing else. A call's arguments are written when they are complete, as an object in any case.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.anthropic_messages.errors import in_band_error
from relay.adapters.dialects.anthropic_messages.messages import NAME
from relay.adapters.dialects.anthropic_messages.norm import (
    call_ids,
    cited,
    message_id,
    surviving_parts,
    word_of,
)
from relay.adapters.dialects.anthropic_messages.usage import written
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.adapters.dialects.openai_chat.ids import CallIds
from relay.adapters.dialects.sequential import Sequencer
from relay.domain.chat import Citation, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Failed,
    Finished,
    LogprobsReported,
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
from relay.domain.usage import Usage


def encode_response(response: ChatResponse, scene: Scene) -> bytes:
    """The body of an answer that is not streamed; only the first choice, as there is no place for more."""
    choice = next((choice for choice in response.choices if choice.index == 0), None)
    parts = surviving_parts(choice.parts) if choice else ()
    ids = call_ids(scene.id)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    message = wire.WrittenMessage(
        id=message_id(scene.id),
        model=scene.model,
        content=tuple(_block(part, ids) for part in parts),
        stop_reason=word_of(choice.finish if choice else "stop", has_calls=has_calls),
        usage=written(response.usage),
    )
    return lenient.encode(message)


@dataclass(slots=True)
class _OpenPart:
    """A part being written; what is not written in pieces is collected."""

    started: PartStarted
    is_open: bool = False
    arguments: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)


class Encoder:
    """Canonical events into Anthropic's."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._ids = call_ids(scene.id)
        self._sequencer = Sequencer()
        self._part = _OpenPart(PartStarted(index=-1, kind="text"))
        self._block_count = 0
        self._has_calls = False
        self._is_begun = False
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._has_failed = False

    def send(self, event: StreamEvent) -> bytes:
        """The events of this event, often none; those of every choice but the first are left out."""
        if self._has_failed:
            return b""
        match event:
            case PartDelta() if self._part.is_open and event.choice == 0 and self._sequencer.goes_on(event):
                return self._delta(_DELTAS[self._part.started.kind](event.text))  # as nearly all are
            case Failed(error=error):
                self._has_failed = True
                return in_band_error(error)
            case UsageReported(usage=usage):
                self._usage = usage if self._usage is None else self._usage.merged(usage)
            case Started() | LogprobsReported():
                pass
            case _ if event.choice == 0:
                return b"".join(
                    frame for each in self._sequencer.push(event) for frame in self._written(each)
                )
            case _:
                pass
        return b""

    def close(self) -> bytes:
        """The stop word with the counts, and the end; nothing after a failure."""
        if self._has_failed:
            return b""
        reason = self._finished.reason if self._finished is not None else "stop"
        word = word_of(reason, has_calls=self._has_calls)
        end = wire.MessageDelta(delta=wire.StopDelta(stop_reason=word), usage=written(self._usage))
        return self._begun() + _frame(end) + _frame(wire.MessageStop())

    def _written(self, event: StreamEvent) -> Iterator[bytes]:
        match event:
            case PartDelta():
                yield from self._more(event)
            case SignatureDelta():
                self._seal(event)
            case PartStarted():
                self._part = _OpenPart(event)
            case PartEnded(citations=citations):
                yield from self._end(citations)
            case OpaqueReported(part=part) if part.origin == NAME:
                yield from self._whole_block(msgspec.Raw(settled(part.json).encode()))
            case OpaqueReported():
                pass
            case Finished():
                self._finished = event
                yield self._begun()
            case Started() | UsageReported() | LogprobsReported() | Failed():
                pass
            case _:
                assert_never(event)

    def _more(self, event: PartDelta) -> Iterator[bytes]:
        part = self._part
        match part.started.kind:
            case "text" | "refusal":
                yield from self._opened(part, wire.WrittenText(text=""))
                yield self._delta(wire.TextDelta(event.text))
            case "thinking":
                yield from self._opened(part, wire.WrittenThinking(thinking="", signature=""))
                yield self._delta(wire.ThinkingDelta(event.text))
            case "tool_call":
                part.arguments.append(event.text)
            case _:
                assert_never(part.started.kind)

    def _seal(self, event: SignatureDelta) -> None:
        """Kept for the end, as clients take one signature of a block.

        Seals of other dialects mean nothing to Anthropic's clients, nor do those of texts and calls.
        """
        part = self._part
        if part.started.origin != NAME or not event.text:
            return
        (part.sealed if event.kind == "sealed" else part.signature).append(event.text)

    def _end(self, citations: tuple[Citation, ...]) -> Iterator[bytes]:
        part = self._part
        if part.started.kind == "tool_call":
            yield from self._call(part)
            return
        if part.signature:
            yield from self._opened(part, wire.WrittenThinking(thinking="", signature=""))
            yield self._delta(wire.SignatureDelta(signature="".join(part.signature)))
        if part.is_open:
            if part.started.kind == "text":
                for citation in cited(citations):
                    yield self._delta(wire.CitationsDelta(citation=_citation(citation)))
            yield self._stop_block()
        if part.sealed:
            yield from self._whole_block(wire.WrittenRedacted(data="".join(part.sealed)))

    def _call(self, part: _OpenPart) -> Iterator[bytes]:
        self._has_calls = True
        call_id = self._ids.of(part.started.call_id)
        yield self._begun()
        yield self._start_block(
            wire.WrittenToolUse(id=call_id, name=part.started.name, input=msgspec.Raw(b"{}"))
        )
        arguments = lenient.clean_text(object_text("".join(part.arguments)))
        yield self._delta(wire.InputJsonDelta(partial_json=arguments))
        yield self._stop_block()

    def _opened(self, part: _OpenPart, block: wire.WrittenBlock) -> Iterator[bytes]:
        if not part.is_open:
            part.is_open = True
            yield self._begun()
            yield self._start_block(block)

    def _whole_block(self, block: wire.WrittenBlock) -> Iterator[bytes]:
        yield self._begun()
        yield self._start_block(block)
        yield self._stop_block()

    def _begun(self) -> bytes:
        """The beginning of the message, once: with the counts that are known by then."""
        if self._is_begun:
            return b""
        self._is_begun = True
        message = wire.WrittenMessage(
            id=message_id(self._scene.id),
            model=self._scene.model,
            content=(),
            stop_reason=None,
            usage=written(self._usage),
        )
        return _frame(wire.MessageStart(message))

    def _start_block(self, block: wire.WrittenBlock) -> bytes:
        return _frame(wire.BlockStart(index=self._block_count, content_block=block))

    def _delta(
        self,
        delta: wire.TextDelta
        | wire.ThinkingDelta
        | wire.SignatureDelta
        | wire.InputJsonDelta
        | wire.CitationsDelta,
    ) -> bytes:
        return _frame(wire.BlockDelta(index=self._block_count, delta=delta))

    def _stop_block(self) -> bytes:
        self._block_count += 1
        return _frame(wire.BlockStop(index=self._block_count - 1))


_DELTAS: Mapping[PartKind, Callable[[str], wire.TextDelta | wire.ThinkingDelta]] = {
    "text": wire.TextDelta,
    "refusal": wire.TextDelta,
    "thinking": wire.ThinkingDelta,
}
"""More of what is written in pieces."""

_NAME = re.compile(r"[A-Za-z0-9_.]{1,64}")


def frame(payload: bytes, name: str) -> bytes:
    """One event, named as its type is, if that is a name."""
    return sse_frame(payload, name if _NAME.fullmatch(name) else "")


def _frame(event: wire.WrittenEvent) -> bytes:
    return sse_frame(lenient.encode(event), str(event.__struct_config__.tag))


def _block(part: AnswerPart, ids: CallIds) -> wire.WrittenBlock:
    match part:
        case Text():
            citations = tuple(_citation(citation) for citation in part.citations)
            return wire.WrittenText(text=part.text, citations=citations or None)
        case Thinking(sealed=sealed) if sealed:
            return wire.WrittenRedacted(data=sealed)
        case Thinking():
            return wire.WrittenThinking(thinking=part.text, signature=part.signature)
        case ToolCall():
            return wire.WrittenToolUse(
                id=ids.of(part.id), name=part.name, input=msgspec.Raw(part.arguments.encode())
            )
        case Opaque():
            return msgspec.Raw(part.json.encode())
        case Refusal():
            raise AssertionError("no surviving part is one")
        case _:
            assert_never(part)


def _citation(citation: Citation) -> wire.WrittenCitation:
    return wire.WrittenCitation(url=citation.url, title=citation.title or None)
