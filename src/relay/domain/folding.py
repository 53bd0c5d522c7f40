"""A whole answer is the fold of its events, and unfolds into them again.

`fold(unfold(response)) == response` for every response: one code path serves streamed and whole answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from relay.domain.chat import Citation, Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, RelayError
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    Failed,
    Finished,
    LogprobsReported,
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


@dataclass(slots=True)
class _OpenPart:
    kind: PartKind
    call_id: str
    name: str
    text: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    citations: tuple[Citation, ...] = ()

    def closed(self) -> AnswerPart:
        text = "".join(self.text)
        match self.kind:
            case "text":
                return Text(text=text, citations=self.citations)
            case "thinking":
                return Thinking(text=text, signature="".join(self.signature))
            case "tool_call":
                return ToolCall(id=self.call_id, name=self.name, arguments=text)
            case "refusal":
                return Refusal(text=text)
            case _:
                assert_never(self.kind)


@dataclass(slots=True)
class _OpenChoice:
    parts: dict[int, _OpenPart] = field(default_factory=dict)
    finished: Finished | None = None
    logprobs: list[TokenLogprob] = field(default_factory=list)


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
            case PartStarted(index=index, kind=kind):
                self._choice(event.choice).parts[index] = _OpenPart(kind, event.call_id, event.name)
            case PartDelta(index=index, text=text):
                self._choice(event.choice).parts[index].text.append(text)
            case SignatureDelta(index=index, text=text):
                self._choice(event.choice).parts[index].signature.append(text)
            case PartEnded(index=index, citations=citations):
                self._choice(event.choice).parts[index].citations = citations
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
    return Choice(
        index=index,
        parts=tuple(choice.parts[slot].closed() for slot in sorted(choice.parts)),
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
    match part:
        case Text(text=text):
            yield PartStarted(index=index, kind="text", choice=choice)
        case Thinking(text=text):
            yield PartStarted(index=index, kind="thinking", choice=choice)
        case ToolCall(arguments=text):
            yield PartStarted(index=index, kind="tool_call", call_id=part.id, name=part.name, choice=choice)
        case Refusal(text=text):
            yield PartStarted(index=index, kind="refusal", choice=choice)
        case _:
            assert_never(part)
    if text:
        yield PartDelta(index=index, text=text, choice=choice)
    if isinstance(part, Thinking) and part.signature:
        yield SignatureDelta(index=index, text=part.signature, choice=choice)
    yield PartEnded(index=index, choice=choice, citations=part.citations if isinstance(part, Text) else ())
