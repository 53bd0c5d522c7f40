"""Requests between wire and canonical form.

Fields that only this dialect knows are kept as extras and written back. An extra with a dot in its name is a member
of a known object (`document.context`): it has no place to be written back to and is reported as lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.anthropic_messages import options, wire
from relay.adapters.dialects.anthropic_messages.arranging import Arranged, arranged, cached
from relay.adapters.dialects.anthropic_messages.blocks import written_messages, written_system
from relay.adapters.dialects.anthropic_messages.envelope import PATH
from relay.adapters.dialects.anthropic_messages.families import takes_system_messages
from relay.adapters.dialects.anthropic_messages.messages import (
    NAME,
    Unplaced,
    decode_messages,
    decode_system,
    referenced_tools,
)
from relay.adapters.dialects.base import WireRequest, check_items, refuse_completion
from relay.adapters.dialects.extras import NOTHING, Extras, with_extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.freeform import as_json, format_losses
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.ollama_chat.calls import parsed_object
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.chat import (
    Audio,
    CacheTtl,
    ChatRequest,
    File,
    HostedTool,
    Image,
    JsonObject,
    JsonSchema,
    JsonText,
    Output,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, Unsupported

MAX_CACHE_MARKS = 4
"""More breakpoints are refused (https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching)."""

JSON_NOTE = "Answer with one JSON object and with nothing else."

EXTRAS = Extras(dialect=NAME, absent=NOTHING, nested_lost=True)

_body = msgspec.json.Decoder(wire.Body, strict=False)
_KNOWN = frozenset(wire.Body.__struct_fields__)
_NESTED: Mapping[str, frozenset[str]] = {
    "thinking": frozenset(wire.Thinking.__struct_fields__),
    "output_config": frozenset(wire.OutputConfig.__struct_fields__),
    "metadata": frozenset(wire.Metadata.__struct_fields__),
}


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest`."""
    check_utf8(body)
    return regular(body, _decoded)


def encode_request(request: ChatRequest) -> WireRequest:
    """The body for a provider, and what is lost. Raises `Unsupported`."""
    refuse_completion(request)
    if request.choice_count > 1:
        raise Unsupported("Anthropic gives one answer per call", param="n")
    fit = fitted(request)
    if not fit.turns.turns:
        raise Unsupported("a conversation without words cannot be sent to this provider", param="messages")
    sampling = fit.sampling
    body = wire.Body(
        model=request.model,
        max_tokens=sampling.max_output_tokens,
        system=written_system(fit.turns.system),
        messages=written_messages(fit.turns.turns),
        tools=options.written_tools(fit.tools, fit.hosted) or None,
        tool_choice=options.written_tool_choice(fit.choice, fit.parallel),
        thinking=options.written_thinking(fit.reasoning),
        output_config=options.written_output_config(fit.reasoning, fit.output),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop_sequences=list(sampling.stop) or None,
        metadata=None if request.user is None else wire.Metadata(user_id=request.user),
        stream=request.stream or None,
    )
    payload = with_extras(lenient.encode(body), EXTRAS.written(request.extras))
    losses = tuple(dict.fromkeys((*_losses(request), *fit.losses)))
    return WireRequest(path=PATH, body=payload, losses=losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRequest:
    """What of a request is written, as it is read back."""

    turns: Arranged
    tools: tuple[ToolSpec, ...]
    hosted: tuple[HostedTool, ...]
    choice: ToolChoice | None
    parallel: bool | None
    output: Output | None
    reasoning: Reasoning | None
    sampling: Sampling
    losses: tuple[str, ...]


def fitted(request: ChatRequest) -> FittedRequest:
    """The request as the API takes it. A fixed point."""
    turns = arranged(request.messages, takes_system=takes_system_messages(request.model))
    output = request.output
    if isinstance(output, JsonObject):
        output, turns = None, replace(turns, system=(*turns.system, Text(text=JSON_NOTE)))
    elif isinstance(output, JsonSchema):
        output = JsonSchema(schema=settled(output.schema))
    settings = options.fitted(request, turns.turns)
    hosted = tuple(
        replace(tool, json=settled(tool.json)) for tool in request.hosted_tools if tool.origin == NAME
    )
    choice, parallel = options.settled_choice(request, has_tools=bool(request.tools or hosted))
    tools, turns = _cached(tuple(map(options.settled_tool, request.tools)), turns)
    return FittedRequest(
        turns=turns,
        tools=tools,
        hosted=hosted,
        choice=choice,
        parallel=parallel,
        output=output,
        reasoning=settings.reasoning,
        sampling=settings.sampling,
        losses=settings.losses,
    )


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise InvalidRequest("model: Field required", param="model")
    if not read.messages:
        raise InvalidRequest("messages: at least one message is required", param="messages")
    check_items(read.messages, read.tools, *(each.content for each in read.messages))
    unplaced: Unplaced = {}
    tools, hosted = options.read_tools(read.tools or (), referenced_tools(read.messages), unplaced)
    choice, parallel = options.read_tool_choice(read.tool_choice if tools or hosted else None)
    messages = (*decode_system(read.system, unplaced), *decode_messages(read.messages, unplaced))
    reasoning = options.read_reasoning(read.thinking, read.output_config, unplaced)
    extras = _extras(read, splice.top_level(body)) | unplaced
    return ChatRequest(
        model=read.model,
        messages=messages,
        tools=tools,
        hosted_tools=hosted,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        sampling=Sampling(
            temperature=read.temperature,
            top_p=read.top_p,
            top_k=read.top_k,
            stop=tuple(text for text in read.stop_sequences or () if text),
            max_output_tokens=read.max_tokens,
        ),
        output=options.read_output(read.output_config),
        reasoning=reasoning,
        stream=bool(read.stream),
        user=read.metadata.user_id if read.metadata else None,
        extras={NAME: extras} if extras else {},
    )


def _extras(read: wire.Body, members: Mapping[str, msgspec.Raw]) -> dict[str, JsonText]:
    found = {
        name: raw
        for name, raw in members.items()
        if name not in _KNOWN and not splice.is_other_spelling(name)
    }
    for parent, known in _NESTED.items():
        if members.get(parent, wire.NULL) != wire.NULL:
            inner = splice.top_level(bytes(members[parent]))
            found |= {f"{parent}.{name}": raw for name, raw in inner.items() if name not in known}
    config = read.output_config
    if config is not None and config.format is not None and config.format.type != "json_schema":
        found["output_config.format"] = splice.top_level(bytes(members["output_config"]))["format"]
    texts = {name: bytes(raw).decode() for name, raw in found.items()}
    return {name: text for name, text in texts.items() if text != "null"}


def _cached(tools: tuple[ToolSpec, ...], turns: Arranged) -> tuple[tuple[ToolSpec, ...], Arranged]:
    """Both with the caching marks that are taken."""
    marks = [
        *(tool.cache for tool in tools),
        *(text.cache for text in turns.system),
        *(mark for turn in turns.turns for part in turn.parts for mark in _marks(part)),
    ]
    if not any(marks):
        return tools, turns
    kept = iter(cached(marks, at_most=MAX_CACHE_MARKS))
    return (
        tuple(replace(tool, cache=next(kept)) for tool in tools),
        Arranged(
            tuple(replace(text, cache=next(kept)) for text in turns.system),
            tuple(
                replace(turn, parts=tuple(_remarked(part, kept) for part in turn.parts))
                for turn in turns.turns
            ),
        ),
    )


def _marks(part: Part) -> Iterator[CacheTtl | None]:
    if isinstance(part, ToolResult):
        yield from (inner.cache for inner in part.parts)
    if isinstance(part, Text | Image | File | ToolCall | ToolResult):
        yield part.cache


def _remarked(part: Part, kept: Iterator[CacheTtl | None]) -> Part:
    if isinstance(part, ToolResult):
        part = replace(part, parts=tuple(replace(inner, cache=next(kept)) for inner in part.parts))
    if isinstance(part, Text | Image | File | ToolCall | ToolResult):
        return replace(part, cache=next(kept))
    return part


def _losses(request: ChatRequest) -> Iterator[str]:
    """What the caller set and Anthropic has no word for; caching marks change no answer."""
    yield from foreign_losses(request, NAME)
    yield from format_losses(request)
    yield from _setting_losses(request)
    for message in request.messages:
        if message.name is not None:
            yield "messages.name"
        for part in message.parts:
            yield from _part_losses(part)
    yield from EXTRAS.losses(request.extras)


def _setting_losses(request: ChatRequest) -> Iterator[str]:
    if request.tools and request.tool_choice == "none" and request.parallel_tool_calls is False:
        yield "parallel_tool_calls"
    if isinstance(request.output, JsonObject):
        yield "output.json_object"
    if isinstance(request.output, JsonSchema) and request.output.description:
        yield "output.description"


def _part_losses(part: Part) -> Iterator[str]:
    match part:
        case Audio():
            yield "audio"
        case Refusal():
            yield "refusal"
        case Thinking(text=text) if text and not (part.origin == NAME and part.signature):
            yield "thinking"
        case Image(detail=detail) if detail not in (None, "auto"):
            yield "image.detail"
        case ToolCall() if parsed_object(as_json(part).arguments) is None:
            yield "tool_call.arguments"
        case ToolResult(parts=parts):
            for inner in parts:
                yield from _part_losses(inner)
        case _:
            pass
