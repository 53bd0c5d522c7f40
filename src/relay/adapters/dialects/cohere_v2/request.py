"""Requests between wire and canonical form. Fields that only this dialect knows are extras, and written back."""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import EditMembers, Envelope, WireRequest, check_items, refuse_completion
from relay.adapters.dialects.cohere_v2 import options, wire
from relay.adapters.dialects.cohere_v2.messages import (
    arranged,
    decode_messages,
    encode_message,
    is_foreign,
)
from relay.adapters.dialects.cohere_v2.reading import NAME
from relay.adapters.dialects.extras import EMPTY, Extras, with_extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.freeform import format_losses
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    Image,
    JsonSchema,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import InvalidRequest, Unsupported

PATH = "/v2/chat"

_KNOWN = frozenset(wire.Body.__struct_encode_fields__)
EXTRAS = Extras(dialect=NAME, absent=EMPTY)


class _Peeked(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    messages: msgspec.Raw = wire.NONE


_peeked = msgspec.json.Decoder(_Peeked, strict=False)
_body = msgspec.json.Decoder(wire.Body, strict=False)


def peek(body: bytes) -> Envelope:
    """The envelope of a request; every stream tells its usage. Raises `InvalidRequest`."""
    check_utf8(body)
    peeked = regular(body, _peeked.decode)
    if not peeked.model:
        raise _missing("model")
    stream = bool(peeked.stream)
    return Envelope(
        model=peeked.model, stream=stream, include_usage=stream, message_bytes=len(bytes(peeked.messages))
    )


def retarget(body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None) -> WireRequest:
    """The body with `model` replaced. Raises `InvalidRequest`."""
    members = dict(regular(body, splice.top_level))
    members["model"] = splice.raw(model)
    return splice.edited(members, edit, PATH)


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest` or `Unsupported`."""
    check_utf8(body)
    return regular(body, _decoded)


def encode_request(request: ChatRequest) -> WireRequest:
    """The body for a provider, and what is lost. Raises `Unsupported` for a completion and several choices."""
    refuse_completion(request)
    if request.choice_count > 1:
        raise Unsupported("Cohere gives one answer per call", param="n")
    tools = options.norm_tools(request)
    body = wire.Body(
        model=request.model,
        messages=[encode_message(message) for message in arranged(request.messages)],
        tools=options.written_tools(tools) or None,
        tool_choice=options.written_tool_choice(request.tool_choice) if tools else None,
        strict_tools=True if tools and tools[0].strict else None,
        response_format=options.written_output(request.output),
        thinking=options.written_reasoning(request.reasoning, request.model),
        stream=request.stream,
    )
    options.write_sampling(request.sampling, body)
    payload = with_extras(lenient.encode(body), EXTRAS.written(request.extras))
    return WireRequest(path=PATH, body=payload, losses=tuple(dict.fromkeys(_losses(request))))


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise _missing("model")
    if not read.messages:
        raise _missing("messages")
    contents = (message.content for message in read.messages)
    check_items(
        read.messages,
        read.tools,
        *(content for content in contents if isinstance(content, list)),
        *(message.tool_calls for message in read.messages),
    )
    tools = options.read_tools(read.tools or (), strict=read.strict_tools)
    unknown = {
        name: bytes(raw).decode() for name, raw in splice.top_level(body).items() if name not in _KNOWN
    }
    extras = EXTRAS.written({NAME: unknown})
    return ChatRequest(
        model=read.model,
        messages=decode_messages(read.messages),
        tools=tools,
        tool_choice=options.read_tool_choice(read.tool_choice) if tools else None,
        sampling=options.read_sampling(read),
        output=options.read_output(read.response_format),
        reasoning=options.read_reasoning(read.thinking),
        stream=bool(read.stream),
        include_usage=bool(read.stream),
        extras={NAME: extras} if extras else {},
    )


def _losses(request: ChatRequest) -> Iterator[str]:
    """What the caller set and Cohere has no word for; what it does anyway is no loss."""
    yield from options.sampling_losses(request.sampling)
    yield from options.reasoning_losses(request.reasoning, request.model)
    if request.tools and request.parallel_tool_calls is False:
        yield "parallel_tool_calls"
    if any(tool.strict for tool in request.tools) and not any(
        tool.strict for tool in options.norm_tools(request)
    ):
        yield "tools.strict"
    if isinstance(request.output, JsonSchema) and request.output.description:
        yield "output.description"
    if request.user is not None:
        yield "user"
    yield from format_losses(request)
    yield from foreign_losses(request, NAME)
    for message in request.messages:
        if message.name is not None:
            yield "messages.name"
        for part in message.parts:
            yield from _part_losses(part)
    yield from EXTRAS.losses(request.extras)


def _part_losses(part: Part) -> Iterator[str]:
    match part:
        case Audio():
            yield "audio"
        case File():
            yield "file"
        case Refusal():
            yield "refusal"
        case Thinking():
            if is_foreign(part) and part.text:
                yield "thinking"
        case ToolResult(parts=parts):
            if part.is_error:
                yield "tool_result.is_error"
            for inner in parts:
                yield from _part_losses(inner)
        case Text() | Image() | ToolCall() | Opaque():
            pass
        case _:
            assert_never(part)


def _missing(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"you must provide a {name} parameter", code="missing_required_parameter", param=name
    )
