"""Answers into a client's bytes, streamed or whole."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET, UnsetType

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.citations import addresses, annotations, moved
from relay.adapters.dialects.openai_chat.errors import in_band_error
from relay.adapters.dialects.openai_chat.ids import CallIds, completion_id
from relay.adapters.dialects.openai_chat.norm import finite, merged
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.adapters.dialects.openai_chat.reasoning_details import joined_seal
from relay.adapters.dialects.openai_chat.reasoning_details import written as written_seal
from relay.adapters.dialects.openai_chat.usage import written
from relay.adapters.dialects.sse_answers import DONE
from relay.domain.chat import Citation, Thinking
from relay.domain.events import (
    ChatResponse,
    Choice,
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
        choices=tuple(_choice(choice, CallIds(scene.id)) for choice in response.choices),
    )
    if response.usage is not None:
        completion.usage = written(response.usage)
    completion.citations = addresses(
        each for choice in response.choices for each in merged(choice.parts).citations
    )
    return lenient.encode(completion)


class _OpenPart:
    """A part being written: `call_index` numbers calls, `length` is that of what was written of it.

    `seal` are the pieces of a seal of this dialect, `None` where the part can have none.
    """

    __slots__ = ("call_index", "citations", "kind", "length", "seal")

    def __init__(self, kind: PartKind, call_index: int, *, is_own: bool) -> None:
        self.kind = kind
        self.call_index = call_index
        self.length = 0
        self.citations: tuple[Citation, ...] = ()
        self.seal: list[str] | None = [] if is_own else None


class _OpenChoice:
    """A choice being written; log probabilities wait for the text they belong to."""

    __slots__ = ("call_count", "call_ids", "is_open", "logprobs", "parts")

    def __init__(self, scene_id: str) -> None:
        self.parts: dict[int, _OpenPart] = {}
        self.call_ids = CallIds(scene_id)
        self.call_count = 0
        self.is_open = False
        self.logprobs: list[TokenLogprob] = []


class Encoder:
    """Canonical events into the chunks that the strictest SDK takes.

    Role first and once, one concern per chunk, calls numbered from 0 without gaps and named once, one finish
    chunk per choice, usage in a last chunk of its own.
    """

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
                return self._part(event)
            case PartEnded():
                return self._part_end(event)
            case Finished():
                return self._finish(event)
            case Failed(error=error):
                self._has_failed = True
                return in_band_error(error)
            case _:
                self._hold(event)
        return b""

    def close(self) -> bytes:
        """Usage, if it was asked for and reported, and `[DONE]`; nothing after a failure."""
        if self._has_failed:
            return b""
        if not self._scene.include_usage or self._usage is None:
            return sse_frame(DONE)
        return self._frame((), written(self._usage)) + sse_frame(DONE)

    def _part(self, event: PartStarted) -> bytes:
        choice = self._choice(event.choice)
        part = choice.parts[event.index] = _OpenPart(
            event.kind, choice.call_count, is_own=event.origin == "openai.chat"
        )
        opening = self._opened(event.choice, event.kind)
        if event.kind != "tool_call":
            return opening
        choice.call_count += 1
        call = wire.WrittenToolCall(
            index=part.call_index,
            id=choice.call_ids.of(event.call_id),
            type="function",
            function=wire.WrittenFunction(name=event.name, arguments=""),
        )
        return opening + self._chunk(event.choice, wire.WrittenDelta(tool_calls=(call,)))

    def _more(self, event: PartDelta) -> bytes:
        if not event.text:
            return b""
        choice = self._choices[event.choice]
        part = choice.parts[event.index]
        part.length += len(event.text)
        match part.kind:
            case "text":
                logprobs, choice.logprobs = choice.logprobs, []
                return self._chunk(event.choice, wire.WrittenDelta(content=event.text), logprobs)
            case "thinking":
                delta = wire.WrittenDelta(reasoning_content=event.text, reasoning=event.text)
                if part.seal is not None and part.length == len(event.text):
                    delta.reasoning_details = ()  # says that there will be some
            case "refusal":
                delta = wire.WrittenDelta(refusal=event.text)
            case "tool_call":
                function = wire.WrittenFunction(arguments=event.text)
                call = wire.WrittenToolCall(index=part.call_index, function=function)
                delta = wire.WrittenDelta(tool_calls=(call,))
            case _:
                assert_never(part.kind)
        return self._chunk(event.choice, delta)

    def _part_end(self, event: PartEnded) -> bytes:
        """Clients parse what a call's pieces add up to, so a call without arguments gets an empty object."""
        part = self._choices[event.choice].parts[event.index]
        part.citations = event.citations
        if part.seal:
            return self._sealed("".join(part.seal), event.choice)
        if part.kind != "tool_call" or part.length:
            return b""
        return self._more(PartDelta(index=event.index, text="{}", choice=event.choice))

    def _hold(
        self, event: LogprobsReported | UsageReported | SignatureDelta | Started | OpaqueReported
    ) -> None:
        """Keep what has its place further on."""
        match event:
            case LogprobsReported(tokens=tokens, choice=index):
                self._choice(index).logprobs.extend(tokens)
            case UsageReported(usage=usage):
                self._usage = usage if self._usage is None else self._usage.merged(usage)
            case SignatureDelta():
                part = self._choices[event.choice].parts[event.index]
                if part.seal is not None and event.kind == "sealed":
                    part.seal.append(event.text)
            case Started() | OpaqueReported():
                pass
            case _:
                assert_never(event)

    def _sealed(self, seal: str, index: int) -> bytes:
        kept = joined_seal((Thinking(text="", sealed=seal, origin="openai.chat"),))
        return self._chunk(index, wire.WrittenDelta(reasoning_details=written_seal(kept))) if kept else b""

    def _finish(self, event: Finished) -> bytes:
        opening = self._opened(event.choice)
        choice = self._choices[event.choice]
        if choice.logprobs:
            logprobs, choice.logprobs = choice.logprobs, []
            opening += self._chunk(event.choice, wire.WrittenDelta(), logprobs)
        opening += self._cited(event.choice)
        reason = settled_reason(event.reason, has_calls=choice.call_count > 0)
        return opening + self._frame(
            (wire.WrittenChunkChoice(index=event.choice, delta=wire.WrittenDelta(), finish_reason=reason),)
        )

    def _cited(self, index: int) -> bytes:
        """All that the texts of a choice cite, in one chunk: the SDKs' helpers cannot join two such lists."""
        offset, found = 0, list[Citation]()
        for _, part in sorted(self._choices[index].parts.items()):
            if part.kind == "text":
                found += moved(part.citations, offset)
                offset += part.length
        if not (found and offset):
            return b""
        citations = tuple(dict.fromkeys(found))
        delta = wire.WrittenDelta(annotations=annotations(citations))
        return self._frame(
            (wire.WrittenChunkChoice(index=index, delta=delta),), citations=addresses(citations)
        )

    def _opened(self, index: int, kind: PartKind = "text") -> bytes:
        """The role chunks still due: of this choice and of those before it, as clients fill a list by index."""
        chunks = b""
        for number in range(index + 1):
            choice = self._choice(number)
            if not choice.is_open:
                choice.is_open = True
                content = None if kind == "tool_call" and number == index else ""
                chunks += self._chunk(number, wire.WrittenDelta(role="assistant", content=content))
        return chunks

    def _choice(self, index: int) -> _OpenChoice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _OpenChoice(self._scene.id)
        return choice

    def _chunk(self, index: int, delta: wire.WrittenDelta, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        tokens = _logprobs(logprobs) if logprobs else None
        return self._frame((wire.WrittenChunkChoice(index=index, delta=delta, logprobs=tokens),))

    def _frame(
        self,
        choices: tuple[wire.WrittenChunkChoice, ...],
        usage: wire.Usage | None = None,
        citations: tuple[str, ...] | UnsetType = UNSET,
    ) -> bytes:
        chunk = wire.WrittenChunk(
            id=self._id,
            created=self._scene.created,
            model=self._scene.model,
            choices=choices,
            usage=usage if self._scene.include_usage else UNSET,
            citations=citations,
        )
        return sse_frame(lenient.encode(chunk))


def _choice(choice: Choice, call_ids: CallIds) -> wire.WrittenChoice:
    said = merged(choice.parts)
    message = wire.WrittenMessage(
        role="assistant",
        content=said.text or (None if said.calls or said.refusal else ""),
        refusal=said.refusal or None,
    )
    if said.thinking:
        message.reasoning_content = message.reasoning = said.thinking
    if said.seal is not None and (said.seal or said.thinking):
        message.reasoning_details = written_seal(said.seal or "[]")
    message.annotations = annotations(said.citations)
    if said.calls:
        message.tool_calls = tuple(
            wire.WrittenToolCall(
                id=call_ids.of(call.id),
                type="function",
                function=wire.WrittenFunction(name=call.name, arguments=call.arguments),
            )
            for call in said.calls
        )
    return wire.WrittenChoice(
        index=choice.index,
        message=message,
        finish_reason=settled_reason(choice.finish, has_calls=bool(said.calls)),
        logprobs=_logprobs(choice.logprobs) if choice.logprobs else None,
    )


def _logprobs(tokens: Sequence[TokenLogprob]) -> wire.WrittenLogprobs:
    """Log probabilities as the wire has them; bytes that are not known are null."""
    return wire.WrittenLogprobs(
        content=tuple(
            wire.WrittenTokenLogprob(
                token=token.token,
                logprob=finite(token.logprob),
                bytes=token.bytes or None,
                top_logprobs=tuple(
                    wire.WrittenAlternative(
                        token=rival.token, logprob=finite(rival.logprob), bytes=rival.bytes or None
                    )
                    for rival in token.top
                ),
            )
            for token in tokens
        )
    )
