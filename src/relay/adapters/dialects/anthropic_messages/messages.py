"""Messages of a caller in canonical form.

What a known block says beyond it (`citations`, `context`) is noted under a dotted name: it has no place to be
written back to, and is reported as lost. A block of another type is kept as it is.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.openai_chat.options import json_text
from relay.domain.chat import (
    CacheTtl,
    DialectName,
    File,
    Image,
    JsonText,
    Message,
    Opaque,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import InvalidRequest

NAME: Final[DialectName] = "anthropic.messages"

type Unplaced = dict[str, JsonText]
"""What the canonical form has no place for, as JSON text by a dotted name."""

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_TTLS: dict[str | None, CacheTtl] = {"5m": "5m", "1h": "1h"}
_ATTRIBUTION = "x-anthropic-billing-header:"
"""How a line begins that Claude Code puts before its instructions: it is Anthropic's to read, and no model's."""

_KNOWN = frozenset({"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"})

_type = msgspec.json.Decoder(wire.BlockType)
_block = msgspec.json.Decoder(wire.Block, strict=False)
_result = msgspec.json.Decoder(list[msgspec.Raw] | str)
_search_result = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_system(system: Sequence[wire.Block] | str | None, unplaced: Unplaced) -> tuple[Message, ...]:
    """The instructions, as a message before all others."""
    blocks = [wire.Block(type="text", text=system)] if isinstance(system, str) else system or ()
    texts: list[Text] = []
    for block in blocks:
        if (block.text or "").startswith(_ATTRIBUTION):
            unplaced["system.attribution"] = "true"
        elif block.text:
            texts.append(_text(block, unplaced))
    return (Message(role="system", parts=tuple(texts)),) if texts else ()


def decode_messages(messages: Iterable[wire.Message], unplaced: Unplaced) -> tuple[Message, ...]:
    """The conversation as it stands; tool results are told the names of the calls they answer.

    Raises `InvalidRequest`, and `msgspec.ValidationError` for a known block of another shape.
    """
    names: dict[str, str] = {}
    decoded: list[Message] = []
    for index, message in enumerate(messages):
        role = _ROLES.get(message.role)
        if role is None:
            raise InvalidRequest(
                f"messages.{index}.role: Input should be 'user' or 'assistant'",
                param=f"messages.{index}.role",
            )
        parts = tuple(_named(part, names) for part in _parts(message.content, unplaced))
        names.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        decoded.append(Message(role=role, parts=parts))
    return tuple(decoded)


def ttl_of(control: wire.CacheControl | None) -> CacheTtl | None:
    """How long a mark asks for; five minutes unless it says so."""
    return None if control is None else _TTLS.get(control.ttl, "5m")


def _named(part: Part, names: dict[str, str]) -> Part:
    return replace(part, name=names.get(part.call_id, "")) if isinstance(part, ToolResult) else part


def _parts(content: Sequence[msgspec.Raw] | str | None, unplaced: Unplaced) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for raw in content or ():
        part = _part(raw, unplaced)
        if part != Text(text=""):
            yield part


def _part(raw: msgspec.Raw, unplaced: Unplaced) -> Part:
    opaque = Opaque(origin=NAME, json=settled(bytes(raw).decode()))
    if _type.decode(raw).type not in _KNOWN:
        return opaque
    block = _block.decode(raw)
    match block.type:
        case "text":
            return _text(block, unplaced)
        case "image":
            return _image(block) or opaque
        case "document":
            return _document(block, unplaced) or opaque
        case "tool_use":
            return ToolCall(
                id=block.id or "",
                name=block.name or "",
                arguments=json_text(block.input),
                cache=ttl_of(block.cache_control),
            )
        case "tool_result":
            return ToolResult(
                call_id=block.tool_use_id or "",
                name="",
                parts=tuple(_result_parts(block.content, unplaced)),
                is_error=bool(block.is_error),
                cache=ttl_of(block.cache_control),
            )
        case "thinking":
            signature = block.signature or ""
            return Thinking(
                text=block.thinking or "", signature=signature, origin=NAME if signature else None
            )
        case _:
            return Thinking(text="", sealed=block.data or "", origin=NAME if block.data else None)


def _text(block: wire.Block, unplaced: Unplaced) -> Text:
    if block.citations not in (wire.NULL, b"[]"):
        unplaced["text.citations"] = bytes(block.citations).decode()
    return Text(text=block.text or "", cache=ttl_of(block.cache_control))


def _image(block: wire.Block) -> Image | None:
    cache = ttl_of(block.cache_control)
    match block.source:
        case wire.Source(type="base64", data=str(data)):
            return Image(data=data, media_type=block.source.media_type, cache=cache)
        case wire.Source(type="url", url=str(url)):
            return Image(url=url, cache=cache)
        case _:
            return None


def _document(block: wire.Block, unplaced: Unplaced) -> File | None:
    file = File(filename=block.title, cache=ttl_of(block.cache_control))
    match block.source:
        case wire.Source(type="base64", data=str(data)):
            file = replace(file, data=data, media_type=block.source.media_type or "application/pdf")
        case wire.Source(type="text", data=str(data)):
            file = replace(file, data=b64encode(data.encode()).decode(), media_type="text/plain")
        case wire.Source(type="url", url=str(url)):
            file = replace(file, url=url)
        case wire.Source(type="file", file_id=str(file_id)):
            file = replace(file, file_id=file_id)
        case _:
            return None
    for name in ("context", "citations"):
        if (value := getattr(block, name)) != wire.NULL:
            unplaced[f"document.{name}"] = bytes(value).decode()
    return file


def _result_parts(content: msgspec.Raw, unplaced: Unplaced) -> Iterator[Text | Image | File]:
    blocks = () if content == wire.NULL else _result.decode(content)
    if isinstance(blocks, str):
        if blocks:
            yield Text(text=blocks)
        return
    for raw in blocks:
        part = _part(raw, unplaced)
        if isinstance(part, Text | Image | File):
            if part != Text(text=""):
                yield part
            continue
        kind = _type.decode(raw).type
        unplaced[f"tool_result.{kind[:40]}"] = bytes(raw).decode()
        if text := _told(kind, raw):
            yield Text(text=text)


def _told(kind: str, raw: msgspec.Raw) -> str:
    """In words what a block says that has a meaning to Anthropic's own models only."""
    if kind == "tool_reference":
        return f"The tool {_type.decode(raw).tool_name} can be called now."
    if kind == "search_result":
        found = _search_result.decode(raw)
        named = (json_text(found[name]).strip('"') for name in ("title", "source") if name in found)
        inner = [part.text for part in _parts(_list(found.get("content")), {}) if isinstance(part, Text)]
        return "\n".join([*named, *inner])
    return ""


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    found = _result.decode(raw) if raw is not None and raw != wire.NULL else []
    return found if isinstance(found, list) else []


def referenced_tools(messages: Iterable[wire.Message]) -> frozenset[str]:
    """The names of the tools whose definitions a search of tools has brought up."""
    return frozenset(_referenced(messages))


def _referenced(messages: Iterable[wire.Message]) -> Iterator[str]:
    blocks = (raw for message in messages if isinstance(message.content, list) for raw in message.content)
    for raw in blocks:
        if b"tool_reference" not in bytes(raw):
            continue
        for inner in _list(_type.decode(raw).content):
            block = _type.decode(inner)
            if block.type == "tool_reference" and block.tool_name:
                yield block.tool_name
