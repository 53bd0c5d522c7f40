"""Requests to a real Ollama: the neutral form in its words, and what they have no word for."""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import EditMembers, WireRequest, refuse_completion
from relay.adapters.dialects.extras import NOTHING, Extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.freeform import as_function, as_json, format_losses
from relay.adapters.dialects.ollama_chat import options, wire
from relay.adapters.dialects.ollama_chat.calls import parsed_object
from relay.adapters.dialects.ollama_chat.history import joined_text, settled
from relay.adapters.dialects.ollama_chat.reading import Members, top_level
from relay.adapters.dialects.ollama_chat.request import NAME, decode_request
from relay.domain.chat import (
    Audio,
    ChatRequest,
    DialectName,
    File,
    Image,
    JsonSchema,
    JsonText,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Refusal,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import Unsupported

PATH = "/api/chat"

_BEYOND_OLLAMA = (b";base64,", b'"content":[', b'"content": [', b'"arguments":"', b'"arguments": "')
"""How what the relay reads and real Ollama refuses looks: data URIs, content parts, OpenAI's arguments."""

_members = msgspec.json.Decoder(dict[str, Raw])


def encode_request(request: ChatRequest) -> WireRequest:
    """Raises `Unsupported` for a completion, several choices, an image's URL, and a schema that is no object."""
    refuse_completion(request)
    body: dict[str, object] = {
        "model": request.model,
        "messages": [_message(message) for message in settled(request.messages)],
        "stream": request.stream,
    }
    if request.tools and request.tool_choice != "none":
        body["tools"] = [_tool(as_function(tool)) for tool in request.tools]
    return written_call(NAME, PATH, body, request)


def written_call(
    dialect: DialectName, path: str, body: dict[str, object], request: ChatRequest
) -> WireRequest:
    """Any call of Ollama's, with `body` saying the words to the model; the extras of `dialect` are written back.

    Raises `Unsupported` for several choices, and a schema that is no object.
    """
    if request.choice_count > 1:
        raise Unsupported("Ollama gives one answer per call", param="n")
    if request.output is not None:
        body["format"] = options.write_format(request.output)
    if request.reasoning is not None:
        body["think"] = options.write_think(request.reasoning)
    if request.sampling.logprobs is not None:
        body["logprobs"] = request.sampling.logprobs
    if request.sampling.top_logprobs is not None:
        body["top_logprobs"] = request.sampling.top_logprobs
    extras = request.extras.get(dialect, {})
    if merged := _options(request, extras.get("options", "{}")):
        body["options"] = merged
    for name, text in extras.items():
        body.setdefault(name, Raw(text.encode()))
    losses = tuple(dict.fromkeys(_losses(request, dialect)))
    return WireRequest(path=path, body=lenient.encode(body), losses=losses)


def retarget(body: bytes, model: str, edit: EditMembers | None = None) -> WireRequest:
    """The caller's body under the provider's name of the model.

    Messages that real Ollama would refuse, and the relay does not, are written anew. Raises `InvalidRequest`, and
    then `Unsupported` for an image that is not inline.
    """
    members = renamed(body, model)
    if any(mark in body for mark in _BEYOND_OLLAMA):
        messages = splice.raw([_message(message) for message in decode_request(body).messages])
        members |= {key: messages for key in members if key.lower() == "messages"}
    return splice.edited(members, edit, PATH)


def renamed(body: bytes, model: str) -> Members:
    """The caller's members with every spelling of `model` set: Ollama takes the last. Raises `InvalidRequest`."""
    members = top_level(body)
    wanted = splice.raw(model)
    for key in [key for key in members if key.lower() == "model"] or ["model"]:
        members[key] = wanted
    return members


def inline_data(image: Image) -> str:
    """The picture itself. Raises `Unsupported` for one that is elsewhere."""
    if not image.data:
        raise Unsupported(
            "this provider takes no image by its address, and the relay fetches none: "
            "send the image inline, as a data: URI",
            param="messages",
        )
    return image.data


def _options(request: ChatRequest, own: JsonText) -> dict[str, Raw]:
    return _members.decode(own) | options.write_options(request.sampling)


def _tool(tool: ToolSpec) -> wire.Tool:
    parameters = Raw(tool.parameters.encode()) if tool.parameters else wire.ABSENT
    function = wire.ToolFunction(name=tool.name, description=tool.description, parameters=parameters)
    return wire.Tool(function=function)


def _message(message: Message) -> wire.Message:
    result = next((part for part in message.parts if isinstance(part, ToolResult)), None)
    parts: tuple[Part, ...] = message.parts if result is None else result.parts
    thinking = next((part.text for part in parts if isinstance(part, Thinking)), None)
    calls = [part for part in parts if isinstance(part, ToolCall)]
    return wire.Message(
        role=message.role,
        content=joined_text(parts),
        thinking=thinking,
        images=[inline_data(part) for part in parts if isinstance(part, Image)] or None,
        tool_calls=[_call(index, call) for index, call in enumerate(calls)] or None,
        tool_name=(result.name or None) if result else None,
        tool_call_id=(result.call_id or None) if result else None,
    )


def _call(index: int, call: ToolCall) -> wire.ToolCall:
    function = wire.CalledFunction(index=index, name=call.name, arguments=Raw(call.arguments.encode()))
    return wire.ToolCall(id=call.id, function=function)


def _losses(request: ChatRequest, own: DialectName) -> Iterator[str]:
    """What the caller set and Ollama has no word for; what it does anyway is no loss."""
    yield from _setting_losses(request)
    for message in request.messages:
        if message.name is not None:
            yield "messages.name"
        for part in message.parts:
            yield from _part_losses(part)
    yield from foreign_losses(request, own)
    yield from Extras(dialect=own, absent=NOTHING).losses(request.extras)


def _setting_losses(request: ChatRequest) -> Iterator[str]:
    if request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool):
        yield "tool_choice"
    if request.parallel_tool_calls is False:
        yield "parallel_tool_calls"
    if any(tool.strict for tool in request.tools):
        yield "tools.strict"
    yield from format_losses(request)
    if isinstance(request.output, JsonSchema) and request.output.description:
        yield "output.description"
    if request.reasoning is not None:
        yield from _reasoning_losses(request.reasoning)
    if request.user is not None:
        yield "user"


def _reasoning_losses(reasoning: Reasoning) -> Iterator[str]:
    if reasoning.effort in ("minimal", "xhigh"):
        yield "reasoning.effort"
    if reasoning.budget_tokens is not None:
        yield "reasoning.budget_tokens"


def _part_losses(part: Part) -> Iterator[str]:
    match part:
        case Audio():
            yield "audio"
        case File():
            yield "file"
        case Refusal():
            yield "refusal"
        case Image(detail=detail) if detail not in (None, "auto"):
            yield "image.detail"
        case ToolCall() if parsed_object(as_json(part).arguments) is None:
            yield "tool_call.arguments"
        case ToolResult(parts=parts):
            if part.is_error:
                yield "tool_result.is_error"
            for inner in parts:
                yield from _part_losses(inner)
        case _:
            pass
