"""A whole answer is the fold of its events, and unfolds into them again.

`fold(unfold(response)) == response` for every response: one code path serves streamed and whole answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from relay.domain.chat import Citation, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, RelayError
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
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
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage


@dataclass(slots=True)
class _OpenPart:
    started: PartStarted
    text: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    citations: tuple[Citation, ...] = ()

    def closed(self) -> AnswerPart:
        text, signature, started = "".join(self.text), "".join(self.signature), self.started
        match started.kind:
            case "text":
                return Text(text=text, citations=self.citations, signature=signature)
            case "thinking":
                return Thinking(
                    text=text,
                    signature=signature,
                    sealed="".join(self.sealed),
                    id=started.call_id,
                    origin=started.origin,
                )
            case "tool_call":
                return ToolCall(
                    id=started.call_id,
                    name=started.name,
                    arguments=text,
                    signature=signature,
                    freeform=started.freeform,
                )
            case "refusal":
                return Refusal(text=text)
            case _:
                assert_never(started.kind)


@dataclass(slots=True)
class _OpenChoice:
    parts: dict[int, _OpenPart] = field(default_factory=dict)
    opaque: dict[int, Opaque] = field(default_factory=dict)
    finished: Finished | None = None
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def take(self, event: PartStarted | PartDelta | SignatureDelta | PartEnded | OpaqueReported) -> None:
        match event:
            case PartStarted(index=index):
                self.parts[index] = _OpenPart(event)
            case PartDelta(index=index, text=text):
                self.parts[index].text.append(text)
            case SignatureDelta(index=index, text=text, kind="signature"):
                self.parts[index].signature.append(text)
            case SignatureDelta(index=index, text=text):
                self.parts[index].sealed.append(text)
            case PartEnded(index=index, citations=citations):
                self.parts[index].citations = citations
            case OpaqueReported(index=index, part=part):
                self.opaque[index] = part
            case _:
                assert_never(event)


class Folding:
    """Collects events into a response; `add` one by one, then `response()`."""

    def __init__(self) -> None:
        self._started = Started()
        self._usage: Usage | None = None
        self._failure: RelayError | None = None
        self._choices: dict[int, _OpenChoice] = {}

    def add(self, event: StreamEvent) -> None:
        """Take the next event."""
        match event:
            case Started():
                self._started = event
            case PartStarted() | PartDelta() | SignatureDelta() | PartEnded() | OpaqueReported():
                self._choice(event.choice).take(event)
            case LogprobsReported(tokens=tokens):
                self._choice(event.choice).logprobs.extend(tokens)
            case UsageReported(usage=usage):
                self._usage = usage if self._usage is None else self._usage.merged(usage)
            case Finished():
                self._choice(event.choice).finished = event
            case Failed(error=error):
                self._failure = error
            case _:
                assert_never(event)

    def response(self) -> ChatResponse:
        """The whole answer.

        Raises the `Failed` event's error, or `Interrupted` when a choice (or the only one) never finished.
        """
        if self._failure is not None:
            raise self._failure
        if not self._choices:
            raise Interrupted("the provider's stream ended before an answer began")
        return ChatResponse(
            id=self._started.id,
            model=self._started.model,
            created=self._started.created,
            choices=tuple(_closed(index, self._choices[index]) for index in sorted(self._choices)),
            usage=self._usage,
        )

    def _choice(self, index: int) -> _OpenChoice:
        return self._choices.setdefault(index, _OpenChoice())


def _closed(index: int, choice: _OpenChoice) -> Choice:
    if choice.finished is None:
        raise Interrupted("the provider's stream ended before its finish marker")
    parts = choice.opaque | {slot: part.closed() for slot, part in choice.parts.items()}
    return Choice(
        index=index,
        parts=tuple(parts[slot] for slot in sorted(parts)),
        finish=choice.finished.reason,
        raw_finish=choice.finished.raw_reason,
        logprobs=tuple(choice.logprobs),
    )


def fold(events: Iterable[StreamEvent]) -> ChatResponse:
    """The whole answer that these events spell. Raises as `Folding.response`."""
    folding = Folding()
    for event in events:
        folding.add(event)
    return folding.response()


def unfold(response: ChatResponse) -> Iterator[StreamEvent]:
    """The events of a whole answer, each part in one delta."""
    yield Started(id=response.id, model=response.model, created=response.created)
    for choice in response.choices:
        for index, part in enumerate(choice.parts):
            yield from _unfolded_part(index, part, choice.index)
        if choice.logprobs:
            yield LogprobsReported(tokens=choice.logprobs, choice=choice.index)
        yield Finished(reason=choice.finish, raw_reason=choice.raw_finish, choice=choice.index)
    if response.usage is not None:
        yield UsageReported(usage=response.usage)


def _unfolded_part(index: int, part: AnswerPart, choice: int) -> Iterator[StreamEvent]:
    if isinstance(part, Opaque):
        yield OpaqueReported(index=index, part=part, choice=choice)
        return
    yield _beginning(index, part, choice)
    if text := part.arguments if isinstance(part, ToolCall) else part.text:
        yield PartDelta(index=index, text=text, choice=choice)
    if not isinstance(part, Refusal) and part.signature:
        yield SignatureDelta(index=index, text=part.signature, choice=choice)
    if isinstance(part, Thinking) and part.sealed:
        yield SignatureDelta(index=index, text=part.sealed, choice=choice, kind="sealed")
    yield PartEnded(index=index, choice=choice, citations=part.citations if isinstance(part, Text) else ())


def _beginning(index: int, part: Text | Thinking | ToolCall | Refusal, choice: int) -> PartStarted:
    match part:
        case Text():
            return PartStarted(index=index, kind="text", choice=choice)
        case Thinking():
            return PartStarted(
                index=index, kind="thinking", call_id=part.id, choice=choice, origin=part.origin
            )
        case ToolCall():
            return PartStarted(
                index=index,
                kind="tool_call",
                call_id=part.id,
                name=part.name,
                choice=choice,
                freeform=part.freeform,
            )
        case Refusal():
            return PartStarted(index=index, kind="refusal", choice=choice)
        case _:
            assert_never(part)
