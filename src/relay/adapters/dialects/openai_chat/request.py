"""Requests between wire and canonical form.

Fields that only this dialect knows are kept as extras and written back. An extra with a dot in its name is a
member of a known object (`reasoning.exclude`): it has no place to be written back to and is reported as lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireRequest, check_items, refuse_completion
from relay.adapters.dialects.extras import NO_LIST, Extras, with_extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.freeform import format_losses
from relay.adapters.dialects.openai_chat import options, wire
from relay.adapters.dialects.openai_chat.arranging import arranged
from relay.adapters.dialects.openai_chat.envelope import PATH, check_utf8, regular
from relay.adapters.dialects.openai_chat.messages import decode_messages, encode_messages
from relay.domain.chat import ChatRequest, DialectName, JsonText, ToolResult
from relay.domain.errors import InvalidRequest

NAME: Final[DialectName] = "openai.chat"

_body = msgspec.json.Decoder(wire.ChatBody, strict=False)
_raws = msgspec.json.Decoder(list[msgspec.Raw])

_KNOWN = frozenset(wire.ChatBody.__struct_fields__)
_NESTED: Mapping[str, frozenset[str]] = {
    "reasoning": frozenset(wire.ReasoningOptions.__struct_fields__),
    "thinking": frozenset(wire.ThinkingOptions.__struct_fields__),
    "stream_options": frozenset(wire.StreamOptions.__struct_fields__),
}
EXTRAS = Extras(dialect=NAME, absent=NO_LIST, nested_lost=True)


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest` or `Unsupported`."""
    check_utf8(body)
    return regular(body, _decoded)


def encode_request(request: ChatRequest) -> WireRequest:
    """The body for a provider, with usage asked for in streams, and what is lost. Raises `Unsupported`."""
    refuse_completion(request)
    extras = EXTRAS.written(request.extras)
    others = _raws.decode(extras.pop("tools", "[]"))
    tools = options.written_tools(request.tools, others)
    body = wire.ChatBody(
        model=request.model,
        messages=encode_messages(arranged(request.messages)),
        tools=tools or None,
        n=request.choice_count if request.choice_count != 1 else None,
        response_format=options.written_output(request.output),
        reasoning_effort=options.effort_of(request.reasoning) if request.reasoning else None,
        user=request.user,
    )
    options.write_sampling(request.sampling, body)
    if tools:  # the API refuses both without tools
        body.tool_choice = options.written_tool_choice(request.tool_choice)
        body.parallel_tool_calls = request.parallel_tool_calls
    if request.stream:
        body.stream, body.stream_options = True, wire.StreamOptions(include_usage=True)
    payload = with_extras(lenient.encode(body), extras)
    return WireRequest(path=PATH, body=payload, losses=tuple(dict.fromkeys(_losses(request))))


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise _missing("model")
    if not read.messages:
        raise _missing("messages")
    if read.n is not None and read.n < 1:
        raise InvalidRequest("n must be at least 1", code="invalid_value", param="n")
    check_items(read.messages, read.tools, read.functions, *_inner_lists(read.messages))
    tools, other_tools = options.read_tools(read)
    extras = _extras(read, splice.top_level(body), other_tools)
    return ChatRequest(
        model=read.model,
        messages=decode_messages(read.messages),
        tools=tools,
        tool_choice=options.read_tool_choice(read) if tools or other_tools else None,
        parallel_tool_calls=read.parallel_tool_calls if tools or other_tools else None,
        sampling=options.read_sampling(read),
        output=options.read_output(read.response_format),
        reasoning=options.read_reasoning(read) if options.knows_effort(read) else None,
        stream=bool(read.stream),
        include_usage=bool(read.stream and read.stream_options and read.stream_options.include_usage),
        choice_count=read.n or 1,
        user=read.user,
        extras={NAME: extras} if extras else {},
    )


def _inner_lists(messages: Iterable[wire.Message]) -> Iterator[Sequence[object]]:
    for message in messages:
        if isinstance(message.content, list):
            yield message.content
        if message.tool_calls:
            yield message.tool_calls


def _extras(
    read: wire.ChatBody, members: Mapping[str, msgspec.Raw], other_tools: Iterable[msgspec.Raw]
) -> dict[str, JsonText]:
    found = {
        name: raw
        for name, raw in members.items()
        if name not in _KNOWN and not splice.is_other_spelling(name)
    }
    if tools := list(other_tools):
        found["tools"] = splice.raw(tools)
    if isinstance(read.tool_choice, wire.NamedToolChoice) and read.tool_choice.type != "function":
        found["tool_choice"] = members["tool_choice"]
    if read.response_format and read.response_format.type not in ("text", "json_object", "json_schema"):
        found["response_format"] = members["response_format"]
    if not options.knows_effort(read):
        found |= {
            name: members[name] for name in ("reasoning_effort", "reasoning", "thinking") if name in members
        }
    for parent, known in _NESTED.items():
        if parent not in found and members.get(parent, wire.NULL) != wire.NULL:
            inner = splice.top_level(bytes(members[parent]))
            found |= {f"{parent}.{name}": raw for name, raw in inner.items() if name not in known}
    texts = {name: bytes(raw).decode() for name, raw in found.items()}
    return {name: text for name, text in texts.items() if text not in EXTRAS.absent}


def _losses(request: ChatRequest) -> Iterable[str]:
    yield from EXTRAS.losses(request.extras)
    if request.reasoning is not None and request.reasoning.budget_tokens is not None:
        yield "reasoning.budget_tokens"
    yield from foreign_losses(request, NAME)
    yield from format_losses(request)
    if any(
        isinstance(part, ToolResult) and part.is_error for each in request.messages for part in each.parts
    ):
        yield "tool_result.is_error"


def _missing(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"you must provide a {name} parameter", code="missing_required_parameter", param=name
    )
