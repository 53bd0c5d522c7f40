"""Items of a request between wire and canonical messages.

What the model has said and done is several items in a row, which together are one assistant message. An item of a
kind that the codec does not know is opaque: new ones appear monthly, and none may be refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import assert_never

import msgspec

from relay.adapters.dialects.openai_responses import seals, wire
from relay.adapters.dialects.openai_responses.content import NAME, read_content, written_content
from relay.adapters.dialects.openai_responses.options import flat_name
from relay.domain.chat import (
    Audio,
    File,
    Image,
    JsonText,
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
from relay.domain.errors import InvalidRequest

_tag = msgspec.json.Decoder(wire.Tagged)
_tools = msgspec.json.Decoder(wire.ToolList)
_encoder = msgspec.json.Encoder()

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}

type _Reader = Callable[[msgspec.Raw, str], Message]


def read_items(items: Iterable[msgspec.Raw], place: str) -> tuple[tuple[Message, ...], list[msgspec.Raw]]:
    """The conversation, and the tools that some items bring along. Raises `InvalidRequest`."""
    messages, tools = list[Message](), list[msgspec.Raw]()
    for index, raw in enumerate(items):
        at = f"{place}[{index}]"
        try:
            message = _read(raw, at, tools)
        except msgspec.ValidationError as error:
            raise InvalidRequest(
                f"invalid value for {at!r}: {error}", code="invalid_value", param=at
            ) from None
        if message is None:
            continue
        if messages and messages[-1].role == message.role == "assistant":
            messages[-1] = replace(message, parts=messages[-1].parts + message.parts)
        else:
            messages.append(message)
    return _with_names(messages), tools


def written_items(messages: Sequence[Message]) -> list[msgspec.Raw]:
    """Arranged messages on the wire."""
    freeform = {
        part.id
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCall) and part.freeform
    }
    items = [item for message in messages for item in _written(message, freeform)]
    return [item if isinstance(item, msgspec.Raw) else msgspec.Raw(_encoder.encode(item)) for item in items]


def _read(raw: msgspec.Raw, place: str, tools: list[msgspec.Raw]) -> Message | None:
    kind = _tag.decode(raw).type or ""
    if kind == "additional_tools":
        tools += _tools.decode(raw).tools or ()
        return None
    if kind == "tool_search_output":
        tools += _tools.decode(raw).tools or ()
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(raw, place)
    return Message(role="assistant", parts=(Opaque(origin=NAME, json=bytes(raw).decode().strip()),))


def _read_message(raw: msgspec.Raw, place: str) -> Message:
    item = _message.decode(raw)
    if not item.role and (reference := _reference.decode(raw)).id:
        raise unresolved(reference.id, place)
    role = _ROLES.get(item.role)
    if role is None:
        raise InvalidRequest(f"unknown role {item.role[:40]!r}", code="invalid_value", param=f"{place}.role")
    parts = read_content(item.content, f"{place}.content")
    if role == "assistant":
        return Message(role=role, parts=tuple(part for part in parts if not isinstance(part, Opaque)))
    return Message(role=role, parts=tuple(parts))


def _read_reference(raw: msgspec.Raw, place: str) -> Message:
    raise unresolved(_reference.decode(raw).id or "", place)


def unresolved(item_id: str, place: str) -> InvalidRequest:
    """A reference to an item that is not kept, or not for this caller."""
    return InvalidRequest(
        f"Item with id '{item_id[:80]}' not found. Items are not kept when `store` is set to false: "
        "send the item itself.",
        param=place,
        status=404,
    )


def _read_call(raw: msgspec.Raw, place: str) -> Message:
    item = _call.decode(raw)
    call = ToolCall(
        id=item.call_id or "",
        name=flat_name(item.namespace, item.name),
        arguments=_arguments(item.arguments),
    )
    return Message(role="assistant", parts=(call,))


def _arguments(raw: msgspec.Raw | msgspec.UnsetType) -> JsonText:
    if isinstance(raw, msgspec.UnsetType) or raw == wire.NULL:
        return ""
    text = bytes(raw).decode().strip()
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text


def _read_custom_call(raw: msgspec.Raw, place: str) -> Message:
    item = _custom_call.decode(raw)
    text = item.input if isinstance(item.input, str) else ""
    call = ToolCall(
        id=item.call_id or "", name=flat_name(item.namespace, item.name), arguments=text, freeform=True
    )
    return Message(role="assistant", parts=(call,))


def _read_output(raw: msgspec.Raw, place: str) -> Message:
    item = _output.decode(raw)
    content = read_content(item.output, f"{place}.output")
    parts = tuple(part for part in content if isinstance(part, Text | Image | File))
    return Message(role="tool", parts=(ToolResult(call_id=item.call_id or "", name="", parts=parts),))


def _read_reasoning(raw: msgspec.Raw, place: str) -> Message:
    item = _reasoning.decode(raw)
    summary = item.summary if isinstance(item.summary, list) else []
    pieces = [piece.text for piece in item.content or ()] or [piece.text for piece in summary]
    encrypted = item.encrypted_content or ""
    signature, sealed = seals.read(encrypted)
    thinking = Thinking(
        text="\n\n".join(filter(None, pieces)),
        signature=signature,
        sealed=sealed,
        id=item.id or "",
        origin=seals.origin_of(NAME, encrypted),
    )
    return Message(role="assistant", parts=(thinking,))


_message = msgspec.json.Decoder(wire.Message)
_reference = msgspec.json.Decoder(wire.Reference)
_call = msgspec.json.Decoder(wire.FunctionCall)
_custom_call = msgspec.json.Decoder(wire.CustomCall)
_output = msgspec.json.Decoder(wire.CallOutput)
_reasoning = msgspec.json.Decoder(wire.Reasoning)

_READERS: Mapping[str, _Reader] = {
    "": _read_message,
    "message": _read_message,
    "item_reference": _read_reference,
    "function_call": _read_call,
    "custom_tool_call": _read_custom_call,
    "function_call_output": _read_output,
    "custom_tool_call_output": _read_output,
    "reasoning": _read_reasoning,
}


def _with_names(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, each result with the name of the tool whose call it answers."""
    names: dict[str, str] = {}
    named: list[Message] = []
    for message in messages:
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall) and part.id}
        if message.role == "tool":
            parts = tuple(
                replace(part, name=names.get(part.call_id, "")) if isinstance(part, ToolResult) else part
                for part in message.parts
            )
            message = replace(message, parts=parts)
        named.append(message)
    return tuple(named)


type _Item = (
    wire.Message | wire.FunctionCall | wire.CustomCall | wire.CallOutput | wire.Reasoning | msgspec.Raw
)


def _written(message: Message, freeform: set[str]) -> Iterator[_Item]:
    if message.role != "assistant":
        yield from _written_turn(message, freeform)
        return
    if not message.parts:
        yield wire.Message(type="message", role="assistant", content="")
    for is_said, run in groupby(message.parts, lambda part: isinstance(part, Text | Refusal)):
        if is_said:
            said = [part for part in run if isinstance(part, Text | Refusal)]
            yield wire.Message(
                type="message", role="assistant", content=written_content(said, is_answer=True)
            )
        else:
            yield from (_written_deed(part) for part in run)


def _written_turn(message: Message, freeform: set[str]) -> Iterator[_Item]:
    content: list[Text | Image | Audio | File | Opaque] = []
    for part in message.parts:
        match part:
            case ToolResult():
                kind = "custom_tool_call_output" if part.call_id in freeform else "function_call_output"
                yield wire.CallOutput(type=kind, call_id=part.call_id, output=written_content(part.parts))
            case Text() | Image() | Audio() | File() | Opaque():
                content.append(part)
            case Thinking() | ToolCall() | Refusal():
                pass  # no arranged message of this role has one
            case _:
                assert_never(part)
    if content or not message.parts:
        yield wire.Message(type="message", role=message.role, content=written_content(content))


def _written_deed(part: Part) -> _Item:
    match part:
        case Opaque(json=json):
            return msgspec.Raw(json.encode())
        case Thinking():
            return wire.Reasoning(
                type="reasoning",
                id=part.id or None,
                summary=[wire.TextPart(text=part.text)] if part.text else [],
                encrypted_content=part.sealed,
            )
        case ToolCall(freeform=True):
            return wire.CustomCall(
                type="custom_tool_call", call_id=part.id, name=part.name, input=part.arguments
            )
        case ToolCall():
            return wire.FunctionCall(
                type="function_call",
                call_id=part.id,
                name=part.name,
                arguments=msgspec.Raw(_encoder.encode(part.arguments)),
            )
        case _:
            raise AssertionError("an arranged assistant message has no such part")
