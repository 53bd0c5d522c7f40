"""Answers into the bytes of this dialect, whole or as a stream."""

from collections.abc import Iterator, Sequence

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene, StreamEncoder
from relay.adapters.dialects.cohere_v2 import citations, usage
from relay.adapters.dialects.cohere_v2.errors import in_band_error
from relay.adapters.dialects.cohere_v2.norm import first_choice, norm_choice
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.held_answers import HeldEncoder, Pieces
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.events import ChatResponse, Choice, TokenLogprob

type Written = dict[str, object]


def encode_response(response: ChatResponse, scene: Scene) -> bytes:
    """The body of an answer that is not streamed; it is written as it is read back."""
    choice = norm_choice(first_choice(response), scene.id)
    message: Written = {"role": "assistant"}
    if contents := [_content(part, part.text) for part in _contents(choice)]:
        message["content"] = contents
    if (plan := _plan(choice)) is not None:
        message["tool_plan"] = plan.text
    if calls := _calls(choice):
        message["tool_calls"] = [_call(call, call.arguments) for call in calls]
    if cited := _cited(choice):
        message["citations"] = cited
    answer: Written = {"id": scene.id, "message": message, "finish_reason": choice.raw_finish}
    if response.usage is not None:
        answer["usage"] = usage.written(response.usage)
    if choice.logprobs:
        answer["logprobs"] = [_logprob(token) for token in choice.logprobs]
    return lenient.encode(answer)


def encoder(scene: Scene) -> StreamEncoder:
    """A fresh encoder; the stream comes when the answer is complete."""

    def write(response: ChatResponse, pieces: Pieces) -> bytes:
        sizes = [len(piece) for part in pieces.get(0, ()) for piece in part if piece]
        return b"".join(frame(event) for event in _events(response, sizes, scene))

    return HeldEncoder(write, in_band_error)


def frame(event: Written) -> bytes:
    """One event, under its name."""
    return sse_frame(lenient.encode(event), str(event["type"]))


def _events(response: ChatResponse, sizes: Sequence[int], scene: Scene) -> Iterator[Written]:
    """The events of an answer, its texts cut into pieces as long as those that it came in."""
    choice = norm_choice(first_choice(response), scene.id)
    lengths = sizes or [1]
    yield _event("message-start", {"role": "assistant", "content": []}) | {"id": scene.id}
    for index, part in enumerate(_contents(choice)):
        yield _event("content-start", {"content": _content(part, "")}, index)
        for piece in _cut(part.text, lengths):
            told = _content(part, piece)
            told.pop("type")
            yield _event("content-delta", {"content": told}, index)
        yield {"type": "content-end", "index": index}
    if (plan := _plan(choice)) is not None:
        for piece in _cut(plan.text, lengths):
            yield _event("tool-plan-delta", {"tool_plan": piece})
    for index, call in enumerate(_calls(choice)):
        yield _event("tool-call-start", {"tool_calls": _call(call, "")}, index)
        for piece in _cut(call.arguments, lengths):
            yield _event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index)
        yield {"type": "tool-call-end", "index": index}
    for index, cited in enumerate(_cited(choice)):
        yield _event("citation-start", {"citations": cited}, index)
        yield {"type": "citation-end", "index": index}
    for token in choice.logprobs:
        yield _event("content-delta", {"content": {"text": ""}}, 0) | {"logprobs": _logprob(token)}
    delta: Written = {"finish_reason": choice.raw_finish}
    if response.usage is not None:
        delta["usage"] = usage.written(response.usage)
    yield {"type": "message-end", "delta": delta}


def _event(kind: str, message: Written, index: int | None = None) -> Written:
    event: Written = {"type": kind} if index is None else {"type": kind, "index": index}
    return event | {"delta": {"message": message}}


def _contents(choice: Choice) -> list[Text | Thinking]:
    """The content; before calls a text is the plan."""
    has_calls = bool(_calls(choice))
    return [
        part
        for part in choice.parts
        if isinstance(part, Thinking) or (isinstance(part, Text) and not has_calls)
    ]


def _plan(choice: Choice) -> Text | None:
    texts = [part for part in choice.parts if isinstance(part, Text)]
    return texts[0] if texts and _calls(choice) else None


def _calls(choice: Choice) -> list[ToolCall]:
    return [part for part in choice.parts if isinstance(part, ToolCall)]


def _cited(choice: Choice) -> list[Written]:
    if (plan := _plan(choice)) is not None:
        return citations.written(plan.citations, said=plan.text, kind=citations.PLAN, index=0)
    return [
        each
        for index, part in enumerate(_contents(choice))
        if isinstance(part, Text)
        for each in citations.written(part.citations, said=part.text, kind=citations.CONTENT, index=index)
    ]


def _content(part: Text | Thinking, said: str) -> Written:
    return (
        {"type": "text", "text": said} if isinstance(part, Text) else {"type": "thinking", "thinking": said}
    )


def _call(call: ToolCall, arguments: str) -> Written:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _logprob(token: TokenLogprob) -> Written:
    return {"text": token.token, "token_ids": [], "logprobs": [token.logprob]}


def _cut(said: str, lengths: Sequence[int]) -> Iterator[str]:
    place = number = 0
    while place < len(said):
        length = lengths[number % len(lengths)]
        yield said[place : place + length]
        place, number = place + length, number + 1
