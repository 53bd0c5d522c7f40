"""The terms both wire formats share: a reply to be encoded, the frames of its stream, and what a format must do."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tests.support.upstream.answers import Answer
from tests.support.upstream.chat import BadRequest, Chat, Json

type Count = int | float | str | None

BIG_TEXT = "<big>"
"""Stands in an encoded frame where `longline` and `gzipbomb` put their megabytes."""


@dataclass(frozen=True)
class Usage:
    """The true counts of an answer, and the way in which the wire shall misstate them."""

    input: int
    output: int
    cached: int = 0
    thoughts: int = 0
    misstated: str = ""

    def shown(self, count: int) -> Count:
        """The count as the wire states it."""
        misstatements: Mapping[str, Count] = {
            "": count,
            "negative": -count,
            "string": str(count),
            "words": "many",
            "float": count + 0.5,
            "huge": 10**18,
            "null": None,
        }
        if self.misstated not in misstatements:
            raise BadRequest(f"there is no way '{self.misstated}' to misstate usage")
        return misstatements[self.misstated]


@dataclass(frozen=True)
class Reply:
    """An answer to one request, ready to be encoded; `usage` None keeps silent about the counts."""

    seq: int
    chat: Chat
    answer: Answer
    usage: Usage | None
    finished: bool = True
    thought_field: str = "reasoning_content"


@dataclass(frozen=True)
class Frame:
    """One event or line of a stream."""

    data: bytes
    kind: Literal["opening", "content", "finish", "usage", "done"]
    tokens: int = 0


class Wire(Protocol):
    """One wire format, from the provider's side."""

    stream_type: str
    ping: bytes

    def chat(self, body: Json) -> Chat: ...
    def whole(self, reply: Reply) -> bytes: ...
    def frames(self, reply: Reply) -> Iterator[Frame]: ...
    def error(self, status: int, message: str, code: str) -> bytes: ...
    def stream_error(self, message: str, code: str) -> bytes: ...


def encoded(value: Any) -> bytes:
    """Compact JSON in which nothing is escaped that need not be: line separators stay raw."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
