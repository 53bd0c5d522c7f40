"""OpenAI's Chat Completions in the laws."""

import json
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import (
    Read,
    Spoken,
    calls_of,
    check_openai_error,
    commented,
    crlf,
    json_or_text,
    read_of,
    unterminated,
)

type Frames = list[dict[str, Any]]


def read_stream(data: bytes) -> Read:
    """As `client.chat.completions.stream()` of openai-python accumulates it."""
    *frames, done, rest = data.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", ""), (
        "the stream ends in the marker that hand-written clients wait for"
    )
    state = ChatCompletionStreamState()
    roles: dict[int, list[object]] = {}
    for frame in frames:
        assert len(frame.splitlines()) == 1, "no reader of lines may find two"
        chunk = ChatCompletionChunk.model_validate_json(frame.removeprefix("data: "))
        state.handle_chunk(chunk)
        for choice in chunk.choices:
            roles.setdefault(choice.index, []).append(choice.delta.role)
    for said in roles.values():
        assert said[0] == "assistant", "openai-node refuses a choice without a role"
        assert not any(said[1:]), "openai-python would read assistantassistant"
    return _read(state.current_completion_snapshot)


def read_whole(data: bytes) -> Read:
    """As openai-python parses a body."""
    return _read(ChatCompletion.model_validate_json(data))


def _read(completion: Any) -> Read:  # the accumulated and the parsed type share no base
    choice, usage = completion.choices[0], completion.usage
    message = choice.message
    assert completion.model == "asked-for"
    assert message.role == "assistant"
    calls = message.tool_calls or []
    assert all(call.type == "function" for call in calls)
    return {
        "thinking": getattr(message, "reasoning_content", None) or "",
        "text": message.content or "",
        "refusal": message.refusal or "",
        "calls": [(call.id, call.function.name, json_or_text(call.function.arguments)) for call in calls],
        "cites": [_cited(annotation) for annotation in message.annotations or ()],
        "finish": choice.finish_reason,
        "counts": (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
    }


def _cited(annotation: Any) -> tuple[object, ...]:
    """An annotation, parsed from a body or put together from chunks as plain objects."""
    told = annotation if isinstance(annotation, dict) else annotation.model_dump()
    assert told["type"] == "url_citation"
    return tuple(told["url_citation"][name] for name in ("url", "title", "start_index", "end_index"))


def should_read(response: ChatResponse) -> Read:
    """Calls have ids here."""
    calls = [(call.id, call.name, json_or_text(call.arguments)) for call in calls_of(response)]
    return read_of(response, calls=[*calls], finish=response.choices[0].finish)


def without_done(data: bytes) -> bytes:
    """No end marker after the usage."""
    return data.replace(b"data: [DONE]\n\n", b"")


def usage_on_finish(data: bytes) -> bytes:
    """Usage on the chunk that finishes, as at DeepSeek and Mistral."""
    frames = _chunks(data)
    if frames and not frames[-1]["choices"] and len(frames) > 1:
        frames[-2]["usage"] = frames.pop()["usage"]
    return _sse(frames)


def finish_repeated(data: bytes) -> bytes:
    """The finish chunk again beside the usage, as at OpenRouter."""
    frames = _chunks(data)
    if len(frames) > 1 and not frames[-1]["choices"]:
        frames[-1]["choices"] = frames[-2]["choices"]
    return _sse(frames)


def role_everywhere(data: bytes) -> bytes:
    """The role on every chunk, as at Ollama's `/v1`."""
    frames = _chunks(data)
    for frame in frames:
        for choice in frame["choices"]:
            choice["delta"]["role"] = "assistant"
    return _sse(frames)


def foreign_fields(data: bytes) -> bytes:
    """Fields that only this provider knows, on the chunk and in the delta's neighbourhood."""
    frames = _chunks(data)
    for frame in frames:
        frame["p"] = "abc\u2028"
        for choice in frame["choices"]:
            choice["native_finish_reason"] = choice["finish_reason"]
    return _sse(frames)


def _chunks(data: bytes) -> Frames:
    frames = [frame.removeprefix(b"data: ") for frame in data.split(b"\n\n") if frame]
    return [json.loads(frame) for frame in frames if frame != b"[DONE]"]


def _sse(frames: Frames) -> bytes:
    written = [f"data: {json.dumps(frame, ensure_ascii=False)}\n\n" for frame in frames]
    return "".join([*written, "data: [DONE]\n\n"]).encode()


POVERTY: dict[str, set[str]] = {
    "The id begins with": {"id"},
    "Each choice has one text, one piece of thinking and one refusal": {"parts joined"},
    "Their order is lost": {"order"},
    "Empty texts, thinking and refusals are left out": {"empty part left out"},
    "Of what a text cites": {"cited once", "nothing cited"},
    "Seals of thinking, texts and calls": {"signature left out", "opaque left out"},
    "A tool call without arguments": {"empty arguments filled"},
    "A tool call without an id": {"call id"},
    "The provider's own finish word is left out": {"finish word", "finish derived"},
    "A log probability that is not finite": {"logprob clipped"},
    "Usage keeps input, output": {"usage class left out", "usage filled with 0", "usage clamped"},
}

SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_openai_error,
    styles=(
        usage_on_finish,
        finish_repeated,
        role_everywhere,
        foreign_fields,
        without_done,
        commented,
        unterminated,
        crlf,
    ),
)
