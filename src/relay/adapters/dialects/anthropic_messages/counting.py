"""How many tokens a prompt has: the provider's own count, and an estimate where nobody counts.

An estimate that is too low lets a client run into the end of the window, so every part of it is generous.
"""

import math

import msgspec

from relay.adapters.dialects import lenient
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import Malformed

BYTES_PER_TOKEN = 3.5
IMAGE_TOKENS = 1600
"""The most one image comes to at Anthropic (https://docs.anthropic.com/en/docs/build-with-claude/vision)."""

MESSAGE_TOKENS = 8
DOCUMENT_TOKENS = 3000
BYTES_PER_DOCUMENT_TOKEN = 25


class _Count(msgspec.Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_Count)
_encoder = msgspec.json.Encoder()


def read_count(body: bytes) -> int:
    """The count in a provider's answer. Raises `Malformed`."""
    try:
        return max(_count.decode(body).input_tokens, 0)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Malformed("the provider's count of tokens is none") from None


def written_count(tokens: int) -> bytes:
    """The answer of a client's."""
    return lenient.encode(_Count(tokens))


def estimated_tokens(request: ChatRequest) -> int:
    """An estimate, rounded up; at least 1."""
    text_bytes = sum(_size(part) for message in request.messages for part in message.parts)
    for tool in request.tools:
        text_bytes += len((tool.name + (tool.description or "") + tool.parameters + tool.format).encode())
    text_bytes += sum(len(tool.json.encode()) for tool in request.hosted_tools)
    shown = sum(_shown(part) for message in request.messages for part in message.parts)
    return max(1, math.ceil(text_bytes / BYTES_PER_TOKEN)) + shown + MESSAGE_TOKENS * len(request.messages)


def _size(part: Part) -> int:
    """The bytes of a part's text."""
    match part:
        case Text(text=text) | Thinking(text=text) | Refusal(text=text):
            return len(text.encode())
        case ToolCall():
            return len((part.name + part.arguments).encode())
        case ToolResult(parts=parts):
            return sum(map(_size, parts))
        case Opaque(json=json):
            return len(json.encode())
        case Image() | File() | Audio():
            return 0


def _shown(part: Part) -> int:
    """The tokens of what is no text."""
    match part:
        case Image():
            return IMAGE_TOKENS
        case File(data=data):
            return max(DOCUMENT_TOKENS, len(data) // BYTES_PER_DOCUMENT_TOKEN)
        case ToolResult(parts=parts):
            return sum(map(_shown, parts))
        case _:
            return 0
