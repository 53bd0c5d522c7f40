"""Messages: put the way this dialect wants them, and between wire and canonical form."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from msgspec import Raw

from relay.adapters.dialects.cohere_v2 import wire
from relay.adapters.dialects.cohere_v2.reading import NAME
from relay.adapters.dialects.members import json_text, members, text
from relay.adapters.dialects.openai_chat.arranging import arranged as bound
from relay.adapters.dialects.openai_chat.images import image_at, url_of
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

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_WRITTEN: dict[Role, Role] = {"developer": "system"}


def arranged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation in this dialect's order, every call and result with an id; a fixed point.

    It is that of OpenAI's, with what Cohere has no word for left out, and one plan before calls.
    """
    settled = (_settled(message) for message in bound([_carried(each) for each in messages]))
    return tuple(message for message in settled if message.parts)


def decode_messages(messages: Sequence[wire.Message]) -> tuple[Message, ...]:
    """The conversation as it stands; results are told the names of their calls. Raises `InvalidRequest`."""
    names: dict[str, str] = {}
    decoded: list[Message] = []
    for index, message in enumerate(messages):
        canonical = _decoded(message, names, f"messages[{index}]")
        names |= {part.id: part.name for part in canonical.parts if isinstance(part, ToolCall) and part.id}
        decoded.append(canonical)
    return tuple(decoded)


def encode_message(message: Message) -> wire.Message:
    """An arranged message on the wire."""
    encoded = wire.Message(role=message.role)
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    content = [_written(part) for part in _shown(message, has_calls=bool(calls))]
    if calls:
        encoded.tool_calls = [_call(call) for call in calls]
        encoded.tool_plan = "".join(part.text for part in message.parts if isinstance(part, Text)) or None
    result = next((part for part in message.parts if isinstance(part, ToolResult)), None)
    if result is not None:
        encoded.tool_call_id = result.call_id
    if len(content) == 1 and content[0].type == "text":
        encoded.content = content[0].text
    else:
        encoded.content = content or (None if calls else "")
    return encoded


def is_foreign(part: Part) -> bool:
    """Whether it is thinking of another dialect, which does not belong into a prompt."""
    return isinstance(part, Thinking) and part.origin not in (None, NAME)


def _carried(message: Message) -> Message:
    """The message without what has no word here, also inside of results: nothing shall be said to follow."""
    parts = (part for part in message.parts if not (is_foreign(part) or isinstance(part, Audio | File)))
    return replace(message, parts=tuple(_without_files(part) for part in parts))


def _without_files(part: Part) -> Part:
    if not isinstance(part, ToolResult):
        return part
    return replace(part, parts=tuple(inner for inner in part.parts if not isinstance(inner, File)))


def _settled(message: Message) -> Message:
    parts = list(_kept(message.parts))
    if any(isinstance(part, ToolCall) for part in parts):
        plan = "".join(part.text for part in parts if isinstance(part, Text))
        thoughts = [part for part in parts if isinstance(part, Thinking)]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        parts = [*thoughts, *([Text(text=plan)] if plan else []), *calls]
    return Message(role=_WRITTEN.get(message.role, message.role), parts=tuple(parts))


def _kept(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        match part:
            case Refusal(text=said):
                yield Text(text=said)
            case Thinking(text=said):
                yield Thinking(text=said, origin=NAME)
            case Text() | Image() | ToolCall() | ToolResult():
                yield part
            case Audio() | File() | Opaque():
                pass  # a loss, told by the request
            case _:
                assert_never(part)


def _shown(message: Message, *, has_calls: bool) -> Iterator[Text | Image | Thinking]:
    for part in message.parts:
        match part:
            case Thinking() | Image():
                yield part
            case Text():
                if not has_calls:
                    yield part
            case ToolResult(parts=inner):
                yield from (each for each in inner if isinstance(each, Text))
            case ToolCall():
                pass  # calls have a place of their own
            case Refusal() | Audio() | File() | Opaque():
                pass  # no arranged message has one
            case _:
                assert_never(part)


def _written(part: Text | Image | Thinking) -> wire.ContentPart:
    match part:
        case Text():
            return wire.ContentPart(type="text", text=part.text)
        case Thinking():
            return wire.ContentPart(type="thinking", thinking=part.text)
        case Image():
            return wire.ContentPart(
                type="image_url", image_url=wire.ImageUrl(url=url_of(part), detail=part.detail)
            )


def _call(call: ToolCall) -> wire.ToolCall:
    return wire.ToolCall(
        id=call.id, type="function", function=wire.Function(name=call.name, arguments=call.arguments)
    )


def _decoded(message: wire.Message, names: dict[str, str], place: str) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(
            f"unknown role {message.role[:40]!r}", code="invalid_value", param=f"{place}.role"
        )
    content = tuple(_content(message.content, f"{place}.content"))
    if role == "tool":
        call_id = message.tool_call_id or ""
        said = tuple(part for part in content if isinstance(part, Text))
        return Message(
            role="tool", parts=(ToolResult(call_id=call_id, name=names.get(call_id, ""), parts=said),)
        )
    plan = (Text(text=message.tool_plan),) if message.tool_plan else ()
    calls = tuple(_read_call(call, place) for call in message.tool_calls or ())
    return Message(role=role, parts=(*content, *plan, *calls))


def _read_call(call: wire.ToolCall, place: str) -> ToolCall:
    if call.function is None:
        raise InvalidRequest(
            "a tool call needs its function", code="missing_required_parameter", param=f"{place}.tool_calls"
        )
    return ToolCall(id=call.id or "", name=call.function.name, arguments=call.function.arguments)


def _content(content: list[wire.ContentPart] | str | None, place: str) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for part in content or ():
        match part.type:
            case "text":
                found: Part | None = Text(text=part.text or "")
            case "thinking":
                found = Thinking(text=part.thinking or "", origin=NAME)
            case "image_url":
                found = image_at(part.image_url.url, part.image_url.detail) if part.image_url else None
            case "document":
                found = Text(text=_document(part.document))
            case _:
                raise Unsupported(f"content of type {part.type[:40]!r} is not supported", param=place)
        if found is None:
            raise InvalidRequest(
                f"content of type {part.type!r} lacks its value",
                code="missing_required_parameter",
                param=place,
            )
        if found not in (Text(text=""), Thinking(text="", origin=NAME)):
            yield found


def _document(document: Raw) -> str:
    """A citable result says what its data say."""
    data = members(document).get("data")
    return "" if data is None else text(data) or json_text(data)
