"""Answers into a client's bytes, streamed or whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec import UNSET

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.openai_chat.errors import in_band_error
from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_chat.usage import written
from relay.adapters.dialects.openai_chat.wire import Usage as WireUsage
from relay.adapters.dialects.openai_completions import wire
from relay.adapters.dialects.openai_completions.norm import completion_id, rivals, settled_reason, text_of
from relay.adapters.dialects.sse_answers import DONE
from relay.domain.events import (
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
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage


def encode_response(response: ChatResponse, scene: Scene) -> bytes:
    """The body of an answer that is not streamed. A provider that reported no usage leaves none to show."""
    completion = wire.WrittenCompletion(
        id=completion_id(scene.id),
        created=scene.created,
        model=scene.model,
        choices=tuple(
            wire.WrittenChoice(
                text=text_of(choice),
                index=choice.index,
                logprobs=_logprobs(choice.logprobs),
                finish_reason=settled_reason(choice.finish),
            )
            for choice in response.choices
        ),
    )
    if response.usage is not None:
        completion.usage = written(response.usage)
    return lenient.encode(completion)


@dataclass(slots=True)
class _OpenChoice:
    """A choice being written; log probabilities wait for their text, a refusal for the parts before it."""

    kinds: dict[int, PartKind] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    waiting: dict[int, list[str]] = field(default_factory=dict)
    offset: int = 0


class Encoder:
    """Canonical events into chunks: text as it comes, one finish chunk per choice, usage in a chunk of its own."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._id = completion_id(scene.id)
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None
        self._has_failed = False

    def send(self, event: StreamEvent) -> bytes:
        """The chunks of this event, often none; `Failed` gives the in-band error, and ends the stream."""
        if self._has_failed:
            return b""
        match event:
            case PartDelta():
                return self._more(event)
            case PartStarted():
                self._start(event)
            case LogprobsReported(tokens=tokens, choice=index):
                self._choice(index).logprobs.extend(tokens)
            case Finished():
                return self._finish(event)
            case UsageReported(usage=usage):
                self._usage = usage if self._usage is None else self._usage.merged(usage)
            case Failed(error=error):
                self._has_failed = True
                return in_band_error(error)
            case Started() | PartEnded() | SignatureDelta() | OpaqueReported():
                pass
            case _:
                assert_never(event)
        return b""

    def close(self) -> bytes:
        """Usage, if it was asked for and reported, and `[DONE]`; nothing after a failure."""
        if self._has_failed:
            return b""
        if not self._scene.include_usage or self._usage is None:
            return sse_frame(DONE)
        return self._frame((), written(self._usage)) + sse_frame(DONE)

    def _start(self, event: PartStarted) -> None:
        choice = self._choice(event.choice)
        choice.kinds[event.index] = event.kind
        if event.kind == "refusal" and not all(map(choice.kinds.__contains__, range(event.index))):
            choice.waiting[event.index] = []

    def _more(self, event: PartDelta) -> bytes:
        choice = self._choices[event.choice]
        if event.index in choice.waiting:
            choice.waiting[event.index].append(event.text)
            return b""
        if choice.kinds[event.index] not in ("text", "refusal") or not event.text:
            return b""
        return self._chunk(event.choice, event.text)

    def _finish(self, event: Finished) -> bytes:
        waited = "".join(
            text for _, texts in sorted(self._choice(event.choice).waiting.items()) for text in texts
        )
        last = self._chunk(event.choice, waited) if waited else b""
        return last + self._chunk(event.choice, "", finish=settled_reason(event.reason))

    def _choice(self, index: int) -> _OpenChoice:
        return self._choices.setdefault(index, _OpenChoice())

    def _chunk(self, index: int, text: str, finish: str | None = None) -> bytes:
        choice = self._choice(index)
        tokens, choice.logprobs = choice.logprobs, []
        logprobs = _logprobs(tokens, choice.offset)
        choice.offset += sum(len(token.token) for token in tokens)
        return self._frame((wire.WrittenChoice(text, index, logprobs, finish),))

    def _frame(self, choices: tuple[wire.WrittenChoice, ...], usage: WireUsage | None = None) -> bytes:
        chunk = wire.WrittenCompletion(
            id=self._id,
            created=self._scene.created,
            model=self._scene.model,
            choices=choices,
            usage=usage if self._scene.include_usage else UNSET,
        )
        return sse_frame(lenient.encode(chunk))


def _logprobs(tokens: Sequence[TokenLogprob], offset: int = 0) -> wire.WrittenLogprobs | None:
    """The tokens side by side; `offset` is where the first of them begins. No rivals asked for, no list of them."""
    if not tokens:
        return None
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.token)
    return wire.WrittenLogprobs(
        tokens=tuple(token.token for token in tokens),
        token_logprobs=tuple(finite(token.logprob) for token in tokens),
        top_logprobs=tuple(rivals(token) for token in tokens) if any(token.top for token in tokens) else None,
        text_offset=tuple(offsets),
    )
