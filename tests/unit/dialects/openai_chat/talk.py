"""Short ways to play a provider and a client of the dialect."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import ChatRequest, Message, ToolCall
from relay.domain.errors import UpstreamError
from relay.domain.events import ChatResponse, Choice, Failed, StreamEvent
from relay.domain.folding import fold

type Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def a_scene(*, include_usage: bool = False) -> Scene:
    """A client that asked for the model `asked-for`."""
    return Scene(
        id="0199-aa11-bb22",
        model="asked-for",
        created=1_790_000_000,
        started_ns=0,
        clock_ns=lambda: 0,
        include_usage=include_usage,
    )


def said(delta: Json, finish: str | None = None, *, index: int = 0, **more: Any) -> Json:
    """A chunk with one choice."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [choice],
        **more,
    }


def calling(*calls: Json, finish: str | None = None) -> Json:
    """A chunk of tool call deltas."""
    return said({"tool_calls": list(calls)}, finish)


def counted(**usage: Any) -> Json:
    """A chunk with usage alone."""
    return {"id": "c1", "created": 7, "model": "m", "choices": [], "usage": usage}


def stream_of(chunks: Iterable[Json | bytes], end: bytes = DONE) -> bytes:
    """The bytes of a stream; chunks that are bytes go out as they are."""
    frames = (chunk if isinstance(chunk, bytes) else frame(chunk) for chunk in chunks)
    return b"".join(frames) + end


def frame(chunk: Json) -> bytes:
    """One event."""
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def events_of(*chunks: Json | bytes, end: bytes = DONE) -> list[StreamEvent]:
    """What a provider's stream means."""
    decoder = DIALECT.decoder()
    return [*decoder.feed(stream_of(chunks, end)), *decoder.close()]


def answer_to(*chunks: Json | bytes, end: bytes = DONE) -> ChatResponse:
    """The answer that a provider's stream folds to."""
    return fold(events_of(*chunks, end=end))


def choice_of(*chunks: Json | bytes, end: bytes = DONE) -> Choice:
    """The only choice of that answer."""
    (choice,) = answer_to(*chunks, end=end).choices
    return choice


def calls_of(*chunks: Json | bytes) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each tool call of that answer."""
    return [
        (part.id, part.name, part.arguments)
        for part in choice_of(*chunks).parts
        if isinstance(part, ToolCall)
    ]


def failure_of(*chunks: Json | bytes, end: bytes = DONE) -> UpstreamError:
    """What a provider's stream fails with."""
    last = events_of(*chunks, end=end)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, UpstreamError)
    return last.error


def whole(message: Json, finish: str | None = "stop", **more: Any) -> bytes:
    """A whole answer with one choice."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "c1", "created": 7, "model": "m", "choices": [choice], **more}).encode()


def written(events: Iterable[StreamEvent], *, include_usage: bool = False) -> bytes:
    """What a client reads."""
    encoder = DIALECT.encoder(a_scene(include_usage=include_usage))
    return b"".join(map(encoder.send, events)) + encoder.close()


def frames_of(data: bytes) -> list[Json]:
    """The JSON of every event but `[DONE]`."""
    lines = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def deltas_of(data: bytes) -> list[Json]:
    """The deltas of every choice, in order."""
    return [choice["delta"] for chunk in frames_of(data) for choice in chunk.get("choices", [])]


def body_of(**members: Any) -> bytes:
    """A request: a user who says hi, unless told otherwise."""
    defaults: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return json.dumps(defaults | members).encode()


def asked(**members: Any) -> ChatRequest:
    """What such a request means."""
    return DIALECT.decode_request(body_of(**members))


def heard(*messages: Mapping[str, Any]) -> tuple[Message, ...]:
    """What such a conversation means."""
    return asked(messages=list(messages)).messages


def sent(request: ChatRequest) -> Json:
    """The body a provider gets."""
    body: Json = json.loads(DIALECT.encode_request(request).body)
    return body


def sent_messages(*messages: Message) -> list[Json]:
    """The conversation a provider gets."""
    conversation: list[Json] = sent(ChatRequest(model="m", messages=messages))["messages"]
    return conversation
