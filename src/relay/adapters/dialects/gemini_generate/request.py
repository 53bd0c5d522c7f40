"""Requests between wire and canonical form.

The path says which model answers and whether it streams. Whoever serves a client of this dialect puts both into the
body, as `model` and `stream`; towards a provider they leave it again.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never
from urllib.parse import quote

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import EditMembers, Envelope, WireRequest, check_items, refuse_completion
from relay.adapters.dialects.extras import EMPTY, Extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.freeform import as_json, format_losses
from relay.adapters.dialects.gemini_generate import options, wire
from relay.adapters.dialects.gemini_generate.arranging import arranged
from relay.adapters.dialects.gemini_generate.families import family_of
from relay.adapters.dialects.gemini_generate.parts import decode_part, encode_message
from relay.adapters.dialects.gemini_generate.reading import NAME
from relay.adapters.dialects.ollama_chat.calls import parsed_object
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    Image,
    JsonSchema,
    JsonText,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import InvalidRequest

_KNOWN = frozenset(wire.Body.__struct_encode_fields__)
_CONFIG = "generationConfig"
_KNOWN_CONFIG = frozenset(wire.GenerationConfig.__struct_encode_fields__)
EXTRAS = Extras(dialect=NAME, absent=EMPTY)


class _Peeked(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    contents: Raw = wire.NONE


_peeked = msgspec.json.Decoder(_Peeked, strict=False)
_body = msgspec.json.Decoder(wire.Body, strict=False)
_config = msgspec.json.Decoder(wire.GenerationConfig, strict=False)
_flag = msgspec.json.Decoder(bool, strict=False)


def model_path(model: str) -> str:
    """Where a model is, before the colon and the method."""
    return f"/models/{quote(model.removeprefix('models/'), safe='')}"


def path_of(model: str, *, stream: bool) -> str:
    """Where a model answers."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{model_path(model)}:{method}"


def peek(body: bytes) -> Envelope:
    """The envelope of a request; every stream tells its usage. Raises `InvalidRequest`."""
    check_utf8(body)
    peeked = regular(body, _peeked.decode)
    if not peeked.model:
        raise _without_model()
    stream = bool(peeked.stream)
    return Envelope(
        model=peeked.model, stream=stream, include_usage=stream, message_bytes=len(bytes(peeked.contents))
    )


def retarget(body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None) -> WireRequest:
    """The body without what the path says. Raises `InvalidRequest`."""
    members = dict(regular(body, splice.top_level))
    members.pop("model", None)
    stream = _is_on(members.pop("stream", wire.NONE))
    return splice.edited(members, edit, path_of(model, stream=stream))


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest`."""
    check_utf8(body)
    return regular(body, _decoded)


def encode_request(request: ChatRequest) -> WireRequest:
    """The path and the body for a provider, and what is lost. Raises `Unsupported`."""
    refuse_completion(request)
    family = family_of(request.model)
    system, contents = _contents(arranged(request.messages, family), signed_calls=family.signed_calls)
    extras = EXTRAS.written(request.extras)
    tools = options.written_tools(request, family)
    body = wire.Body(
        contents=contents,
        system_instruction=system,
        tools=tools or None,
        tool_config=options.written_tool_choice(request.tool_choice) if request.tools else None,
    )
    members = splice.top_level(lenient.encode(body))
    config = splice.top_level(lenient.encode(options.generation_config(request, family)))
    config |= splice.top_level(extras.pop(_CONFIG, "{}").encode())
    if config:
        members[_CONFIG] = Raw(splice.assemble(config))
    members |= {name: Raw(text.encode()) for name, text in extras.items()}
    return WireRequest(
        path=path_of(request.model, stream=request.stream),
        body=splice.assemble(members),
        losses=tuple(dict.fromkeys(_losses(request))),
    )


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise _without_model()
    if not read.contents:
        raise InvalidRequest("contents are needed", code="missing_required_parameter", param="contents")
    config = (
        wire.GenerationConfig()
        if read.generation_config == wire.NONE
        else _config.decode(read.generation_config)
    )
    check_items(read.contents, read.tools, *(content.listed for content in read.contents))
    tools, hosted = options.read_tools(read.tools or ())
    stream = bool(read.stream)
    extras = _extras(body, read.generation_config)
    return ChatRequest(
        model=read.model,
        messages=tuple(_messages(read.system_instruction, read.contents)),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=options.read_tool_choice(read.tool_config) if tools else None,
        sampling=options.read_sampling(config),
        output=options.read_output(config),
        reasoning=options.read_reasoning(config.thinking_config),
        stream=stream,
        include_usage=stream,
        choice_count=max(config.candidate_count or 1, 1),
        extras={NAME: extras} if extras else {},
    )


def _messages(system: wire.Content | None, contents: Sequence[wire.Content]) -> Iterator[Message]:
    if system is not None and (parts := tuple(map(decode_part, system.listed))):
        yield Message(role="system", parts=parts)
    for content in contents:
        said = tuple(map(decode_part, content.listed))
        if content.role == "model":
            yield Message(role="assistant", parts=said)
            continue
        for part in said:
            if isinstance(part, ToolResult):
                yield Message(role="tool", parts=(part,))
        if rest := tuple(part for part in said if not isinstance(part, ToolResult)):
            yield Message(role="user", parts=rest)


def _contents(
    messages: Sequence[Message], *, signed_calls: bool
) -> tuple[wire.Content | None, list[wire.Content]]:
    """Arranged messages: the instructions apart, and those of one side as one turn."""
    system: wire.Content | None = None
    contents: list[wire.Content] = []
    turn: list[Raw] = []
    for message in messages:
        parts = encode_message(message, signed_calls=signed_calls)
        role = "model" if message.role == "assistant" else "user"
        if message.role == "system":
            system = wire.Content(parts=list(parts))
            continue
        if not contents or contents[-1].role != role:
            turn = []
            contents.append(wire.Content(role=role, parts=turn))
        turn += parts
    return system, contents


def _extras(body: bytes, config: Raw) -> dict[str, JsonText]:
    found = {name: raw for name, raw in splice.top_level(body).items() if name not in _KNOWN}
    if config != wire.NONE:
        inner = {
            name: raw
            for name, raw in splice.top_level(bytes(config)).items()
            if name not in _KNOWN_CONFIG and raw != wire.NONE
        }
        found[_CONFIG] = Raw(splice.assemble(inner))
    return EXTRAS.written({NAME: {name: bytes(raw).decode() for name, raw in found.items()}})


def _losses(request: ChatRequest) -> Iterator[str]:
    """What the caller set and Gemini has no word for; what it does anyway is no loss."""
    family = family_of(request.model)
    yield from options.sampling_losses(request.sampling)
    yield from options.reasoning_losses(request.reasoning, family)
    if request.tools and request.parallel_tool_calls is False:
        yield "parallel_tool_calls"
    if any(tool.strict for tool in request.tools):
        yield "tools.strict"
    if isinstance(request.output, JsonSchema) and request.output.description:
        yield "output.description"
    if request.user is not None:
        yield "user"
    yield from format_losses(request)
    yield from foreign_losses(request, NAME)
    for message in request.messages:
        yield from _message_losses(message)
    yield from EXTRAS.losses(request.extras)


def _message_losses(message: Message) -> Iterator[str]:
    if message.name is not None:
        yield "messages.name"
    for part in message.parts:
        for each in (part, *(part.parts if isinstance(part, ToolResult) else ())):
            yield from _part_losses(each)


def _part_losses(part: Part) -> Iterator[str]:
    match part:
        case Refusal():
            yield "refusal"
        case Thinking(origin=origin):
            if origin != NAME and part.text:
                yield "thinking"
        case Image(detail=detail):
            if detail not in (None, "auto"):
                yield "image.detail"
        case ToolCall():
            if parsed_object(as_json(part).arguments) is None:
                yield "tool_call.arguments"
        case Text() | Audio() | File() | Opaque() | ToolResult():
            pass
        case _:
            assert_never(part)


def _is_on(flag: Raw) -> bool:
    try:
        return flag != wire.NONE and _flag.decode(flag)
    except msgspec.ValidationError:
        return False


def _without_model() -> InvalidRequest:
    return InvalidRequest(
        "you must provide a model parameter", code="missing_required_parameter", param="model"
    )
