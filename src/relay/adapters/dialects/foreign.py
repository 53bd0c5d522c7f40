"""What one dialect alone has a word for, seen from another: marks and seals taken off, losses told."""

import re
from collections.abc import Iterator
from dataclasses import replace

from relay.adapters.dialects import lenient
from relay.domain.chat import (
    ChatRequest,
    DialectName,
    File,
    Image,
    JsonText,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_KIND = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def unmarked(part: Part) -> Part:
    """A part of a message without a caching mark and without Gemini's signature."""
    match part:
        case Text() | ToolCall():
            return replace(part, cache=None, signature="") if part.cache or part.signature else part
        case Image() | File() | ToolResult():
            return replace(part, cache=None) if part.cache else part
        case _:
            return part


def kind_of(json: JsonText) -> str:
    """What an opaque part or a hosted tool is called: its `type`, else its first member."""
    try:
        value = lenient.loads(json.encode())
    except (lenient.Undecodable, UnicodeEncodeError):
        return "unknown"
    members = value if isinstance(value, dict) else {}
    kind = members.get("type") or next(iter(members), "")
    return kind if isinstance(kind, str) and _KIND.fullmatch(kind) else "unknown"


def foreign_losses(request: ChatRequest, own: DialectName) -> Iterator[str]:
    """What `own` cannot carry of the parts, tools and seals of other dialects, a word for each.

    Caching marks are none: they change no answer.
    """
    for tool in request.hosted_tools:
        if tool.origin != own:
            yield f"tools.{kind_of(tool.json)}"
    for message in request.messages:
        for part in message.parts:
            match part:
                case Opaque(origin=origin, json=json) if origin != own:
                    yield f"messages.content.{kind_of(json)}"
                case Thinking(origin=origin) if origin != own and (part.signature or part.sealed):
                    yield "thinking.signature"
                case Text(signature=signature) if signature and own != "gemini.generate":
                    yield "text.signature"
                case ToolCall(signature=signature) if signature and own != "gemini.generate":
                    yield "tool_call.signature"
                case _:
                    pass
