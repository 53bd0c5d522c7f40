"""Arranged messages on the wire, one for one."""

from base64 import b64decode
from collections.abc import Sequence
from typing import assert_never

import msgspec

from relay.adapters.dialects.anthropic_messages import wire
from relay.domain.chat import (
    Audio,
    CacheTtl,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_encoder = msgspec.json.Encoder()


def written_system(texts: Sequence[Text]) -> list[wire.Block] | str | None:
    """The instructions: plainly where one text says it all."""
    if len(texts) == 1 and texts[0].cache is None:
        return texts[0].text
    return [_text(text) for text in texts] or None


def written_messages(messages: Sequence[Message]) -> list[wire.Message]:
    """The turns."""
    return [_message(message) for message in messages]


def _message(message: Message) -> wire.Message:
    match message.parts:
        case (Text(text=text, cache=None),):
            return wire.Message(role=message.role, content=text)
        case parts:
            return wire.Message(role=message.role, content=[_raw(part) for part in parts])


def _raw(part: Part) -> msgspec.Raw:
    if isinstance(part, Opaque):
        return msgspec.Raw(part.json.encode())
    return msgspec.Raw(_encoder.encode(_block(part)))


def _block(part: Text | Image | Audio | File | Thinking | ToolCall | ToolResult | Refusal) -> wire.Block:
    match part:
        case Text():
            return _text(part)
        case Image() | File():
            return _shown(part)
        case Thinking(sealed=sealed) if sealed:
            return wire.Block(type="redacted_thinking", data=sealed)
        case Thinking():
            return wire.Block(type="thinking", thinking=part.text, signature=part.signature)
        case ToolCall():
            return wire.Block(
                type="tool_use",
                id=part.id,
                name=part.name,
                input=msgspec.Raw(part.arguments.encode()),
                cache_control=mark(part.cache),
            )
        case ToolResult():
            return _result(part)
        case Audio() | Refusal():
            raise AssertionError("no arranged message has one")
        case _:
            assert_never(part)


def _text(part: Text) -> wire.Block:
    return wire.Block(type="text", text=part.text, cache_control=mark(part.cache))


def _shown(part: Image | File) -> wire.Block:
    block = wire.Block(type="image", source=_source(part), cache_control=mark(part.cache))
    if isinstance(part, File):
        block.type, block.title = "document", part.filename
    return block


def _source(part: Image | File) -> wire.Source:
    if isinstance(part, File) and part.file_id:
        return wire.Source(type="file", file_id=part.file_id)
    if not part.data:
        return wire.Source(type="url", url=part.url)
    if isinstance(part, File) and part.media_type == "text/plain":
        return wire.Source(type="text", media_type="text/plain", data=b64decode(part.data).decode())
    return wire.Source(type="base64", media_type=part.media_type, data=part.data)


def _result(result: ToolResult) -> wire.Block:
    block = wire.Block(
        type="tool_result",
        tool_use_id=result.call_id,
        is_error=True if result.is_error else None,
        cache_control=mark(result.cache),
    )
    match result.parts:
        case ():
            pass
        case (Text(text=text, cache=None),):
            block.content = msgspec.Raw(_encoder.encode(text))
        case parts:
            block.content = msgspec.Raw(_encoder.encode([_block(part) for part in parts]))
    return block


def mark(ttl: CacheTtl | None) -> wire.CacheControl | None:
    """A caching mark; five minutes go without saying."""
    if ttl is None:
        return None
    return wire.CacheControl(type="ephemeral", ttl=None if ttl == "5m" else ttl)
