"""Providers of native dialects as they answer: one and the same answer told by each. All of it is synthetic."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of provider: the header with its key, what it is sent, and how it tells one and the same answer."""

    name: str
    key: Mapping[str, str]
    whole_path: str
    stream_path: str
    whole: Any
    calling: Any
    error_events: Sequence[Any]
    spoken: Sequence[Any]
    named: bool = False

    def __str__(self) -> str:
        return self.name

    def sse(self, events: Sequence[Any]) -> bytes:
        names = (f"event: {event['type']}\n" if self.named and "type" in event else "" for event in events)
        frames = (f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True))
        return "".join(frames).encode()


def candidate(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": parts, "role": "model"}, "index": 0, **more}


def gemini(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"candidates": [told], "modelVersion": "m-1", "responseId": "Syn1", **more}


COUNTS = {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 10}
GEMINI = Kind(
    name="gemini",
    key={"x-goog-api-key": "k-1"},
    whole_path="/models/m-1:generateContent",
    stream_path="/models/m-1:streamGenerateContent?alt=sse",
    whole=gemini(candidate({"text": "Hello, world"}, finishReason="STOP"), usageMetadata=COUNTS),
    calling=gemini(
        candidate(
            {"functionCall": {"name": "look", "args": {"at": 1.5}}, "thoughtSignature": "U3lu"},
            finishReason="STOP",
        )
    ),
    error_events=({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}},),
    spoken=(
        gemini(candidate({"text": "Hello"})),
        gemini(candidate({"text": ", world"}, finishReason="STOP"), usageMetadata=COUNTS),
    ),
)


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    return {"type": kind, **({} if index is None else {"index": index}), "delta": {"message": message}}


BILLED = {"billed_units": {"input_tokens": 7, "output_tokens": 3}, "tokens": {"input_tokens": 70}}
COHERE = Kind(
    name="cohere",
    key={"authorization": "Bearer k-1"},
    whole_path="/v2/chat",
    stream_path="/v2/chat",
    whole={
        "id": "syn-1",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello, world"}]},
        "finish_reason": "COMPLETE",
        "usage": BILLED,
    },
    calling={
        "id": "syn-1",
        "message": {
            "role": "assistant",
            "tool_calls": [
                {"id": "look_1", "type": "function", "function": {"name": "look", "arguments": '{"at":1.5}'}}
            ],
        },
        "finish_reason": "TOOL_CALL",
    },
    error_events=({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "overloaded"}},),
    named=True,
    spoken=(
        {"type": "message-start", "id": "syn-1", "delta": {"message": {"role": "assistant"}}},
        event("content-start", 0, content={"type": "text", "text": ""}),
        event("content-delta", 0, content={"text": "Hello"}),
        event("content-delta", 0, content={"text": ", world"}),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": BILLED}},
    ),
)
KINDS = (GEMINI, COHERE)
