"""Messages between wire and canonical form."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

import msgspec

from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.images import data_of, image_at, split, url_of
from relay.adapters.dialects.openai_chat.reasoning_details import (
    Detail,
    Details,
    details_in,
    written,
)
from relay.domain.chat import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import InvalidRequest, Unsupported

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def decode_messages(messages: Sequence[wire.Message]) -> tuple[Message, ...]:
    """The conversation as it stands; tool results are told the names of the calls they answer.

    Raises `InvalidRequest`, or `Unsupported` for content of a kind that has no canonical form.
    """
    names: dict[str, str] = {}
    decoded: list[Message] = []
    for index, message in enumerate(messages):
        canonical = _decoded(message, f"messages[{index}]")
        for part in canonical.parts:
            if isinstance(part, ToolCall) and part.id:
                names[part.id] = part.name
        if canonical.role == "tool":
            parts = tuple(
                replace(part, name=names.get(part.call_id, ""))
                if isinstance(part, ToolResult) and not part.name
                else part
                for part in canonical.parts
            )
            canonical = replace(canonical, parts=parts)
        decoded.append(canonical)
    return tuple(decoded)


def encode_messages(messages: Sequence[Message]) -> list[wire.Message]:
    """Arranged messages on the wire, one for one. Raises `Unsupported` for a file that is elsewhere."""
    return [_encoded(message) for message in messages]


def _decoded(message: wire.Message, place: str) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(
            f"unknown role {message.role[:40]!r}", code="invalid_value", param=f"{place}.role"
        )
    content = tuple(_content(message.content, f"{place}.content"))
    if role == "tool":
        return Message(role="tool", parts=(_result(message, content, f"{place}.content"),))
    parts: list[Part] = []
    thought = message.reasoning_content or message.reasoning or message.thinking
    if (thinking := _thought(thought, details_in(message.reasoning_details))) is not None:
        parts.append(thinking)
    parts += content
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        parts.append(_call(call.id, call.function, f"{place}.tool_calls[{index}]"))
    if message.function_call is not None:
        parts.append(_call(None, message.function_call, f"{place}.function_call"))
    return Message(role=role, parts=tuple(parts), name=message.name or None)


def _thought(text: object, details: list[Detail] | None) -> Thinking | None:
    """What was thought; a client may have kept no more of it than the details."""
    collected = Details(details or ())
    seal = collected.sealed()
    if not isinstance(text, str):
        text = collected.thought() or None
    if text is None and not seal:
        return None
    return Thinking(text=text or "", sealed=seal, origin="openai.chat" if seal else None)


def _result(message: wire.Message, content: Sequence[Part], place: str) -> ToolResult:
    parts = tuple(part for part in content if isinstance(part, Text | Image | File))
    if len(parts) < len(content):
        raise Unsupported("a tool's result may hold text, images and files only", param=place)
    return ToolResult(call_id=message.tool_call_id or "", name=message.name or "", parts=parts)


def _call(call_id: str | None, function: wire.Function | None, place: str) -> ToolCall:
    if function is None:
        raise Unsupported("only calls of functions are supported", param=place)
    return ToolCall(id=call_id or "", name=function.name, arguments=_arguments(function.arguments))


def _arguments(raw: msgspec.Raw) -> str:
    """Arguments as JSON text: by the book they are text already, some clients send the object itself."""
    if raw == wire.NULL:
        return ""
    text = bytes(raw).decode()
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text


def _content(content: list[wire.ContentPart] | str | msgspec.UnsetType | None, place: str) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            yield from _part(part, f"{place}[{index}]")


def _part(part: wire.ContentPart, place: str) -> Iterator[Part]:
    match part.type:
        case "text" | "input_text" | "output_text":
            found: Part | None = Text(text=part.text or "")
        case "refusal":
            found = Refusal(text=part.refusal or "")
        case "thinking":
            found = _thinking(part.thinking)
        case "image_url" | "input_image":
            found = _image(part.image_url)
        case "input_audio":
            found = _audio(part.input_audio)
        case "file":
            found = _file(part.file)
        case "document_url":
            found = _document(part.document_url, part.document_name)
        case _:
            raise Unsupported(f"content of type {part.type[:40]!r} is not supported", param=place)
    if found is None:
        raise InvalidRequest(
            f"content of type {part.type!r} lacks its value", code="missing_required_parameter", param=place
        )
    if found != Text(text=""):
        yield found


def _thinking(thinking: list[wire.ContentPart] | str | None) -> Thinking | None:
    if isinstance(thinking, list):
        return Thinking(text="".join(piece.text or "" for piece in thinking))
    return None if thinking is None else Thinking(text=thinking)


def _image(given: wire.ImageUrl | str | None) -> Image | None:
    if isinstance(given, wire.ImageUrl):
        return image_at(given.url, given.detail)
    return None if given is None else image_at(given, None)


def _audio(given: wire.InputAudio | None) -> Audio | None:
    return None if given is None else Audio(data=given.data, format=given.format)


def _file(given: wire.FileSource | None) -> File | None:
    if given is None:
        return None
    return split(File(data=given.file_data or "", file_id=given.file_id or "", filename=given.filename))


def _document(address: str | None, name: str | None) -> File | None:
    if not address:
        return None
    is_inline = address[:5].lower() == "data:"
    return split(File(data=address, filename=name)) if is_inline else File(url=address, filename=name)


def _encoded(message: Message) -> wire.Message:
    encoded = wire.Message(role=message.role, name=message.name)
    content: list[wire.ContentPart] = []
    calls: list[wire.ToolCall] = []
    for part in message.parts:
        match part:
            case ToolResult():
                encoded.tool_call_id = part.call_id
                content += [_written(inner) for inner in part.parts]
            case ToolCall():
                calls.append(_written_call(part))
            case Thinking():
                encoded.reasoning_content = part.text or None
                encoded.reasoning_details = written(part.sealed) if part.sealed else None
            case Refusal():
                encoded.refusal = part.text
            case Text() | Image() | Audio() | File():
                content.append(_written(part))
            case Opaque():
                pass  # no arranged message has one
            case _:
                assert_never(part)
    if calls:
        encoded.tool_calls = calls
    if len(content) == 1 and content[0].type == "text":
        encoded.content = content[0].text
    else:
        encoded.content = content or (None if calls or encoded.refusal else "")
    return encoded


def _written(part: Text | Image | Audio | File) -> wire.ContentPart:
    match part:
        case Text():
            return wire.ContentPart(type="text", text=part.text)
        case Image():
            image_url = wire.ImageUrl(url=url_of(part), detail=part.detail)
            return wire.ContentPart(type="image_url", image_url=image_url)
        case Audio():
            return wire.ContentPart(
                type="input_audio", input_audio=wire.InputAudio(data=part.data, format=part.format)
            )
        case File():
            if part.url and not (part.data or part.file_id):
                raise Unsupported(
                    "this provider takes no document by its address: send it inline", param="messages"
                )
            source = wire.FileSource(
                file_data=data_of(part) or None, file_id=part.file_id or None, filename=part.filename
            )
            return wire.ContentPart(type="file", file=source)


def _written_call(call: ToolCall) -> wire.ToolCall:
    arguments = msgspec.Raw(msgspec.json.encode(call.arguments))
    return wire.ToolCall(id=call.id, function=wire.Function(name=call.name, arguments=arguments))
