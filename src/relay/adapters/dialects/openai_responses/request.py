"""Requests between wire and canonical form.

Fields that only this dialect knows are kept as extras and written back, those of the objects `text` and
`reasoning` under their dotted names (`text.verbosity`). What the relay sees to itself is neither kept nor told as
lost: whether the provider keeps the answer, where a conversation goes on, and the seals it needs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireRequest, check_items, refuse_completion
from relay.adapters.dialects.extras import NO_LIST, Extras
from relay.adapters.dialects.foreign import foreign_losses
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.adapters.dialects.openai_chat.options import effort_of
from relay.adapters.dialects.openai_responses import options, wire
from relay.adapters.dialects.openai_responses.arranging import arranged, goes_back
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.envelope import PATH, missing
from relay.adapters.dialects.openai_responses.items import read_items, written_items
from relay.domain.chat import (
    ChatRequest,
    JsonText,
    Message,
    Sampling,
    Text,
    Thinking,
    ToolResult,
)
from relay.domain.errors import InvalidRequest, Unsupported

_body = msgspec.json.Decoder(wire.Body, strict=False)
_texts = msgspec.json.Decoder(list[str])

_KNOWN = frozenset(wire.Body.__struct_fields__)
_OF_THE_RELAY = frozenset({"background", "conversation", "prompt", "stream_options"})
_NESTED: Mapping[str, frozenset[str]] = {
    "text": frozenset(wire.TextOptions.__struct_fields__),
    "reasoning": frozenset(wire.ReasoningOptions.__struct_fields__),
}
EXTRAS = Extras(dialect=NAME, absent=NO_LIST)
_NO_WORD_FOR = ("stop", "seed", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repeat_penalty")


def decode_request(body: bytes) -> ChatRequest:
    """The canonical request. Raises `InvalidRequest` or `Unsupported`."""
    check_utf8(body)
    return regular(body, _decoded)


def encode_request(request: ChatRequest) -> WireRequest:
    """The body for a provider, which shall not keep it, and what is lost. Raises `Unsupported`."""
    refuse_completion(request)
    if request.choice_count != 1:
        raise Unsupported("this provider gives one answer per call", param="n")
    messages = arranged(request.messages)
    instructions = _instructions(messages)
    tools = options.written_tools(request.tools, request.hosted_tools)
    sampling = options.surviving(request.sampling)
    extras = EXTRAS.written(request.extras)
    body = wire.Body(
        model=request.model,
        instructions=instructions,
        input=written_items(messages[1:] if instructions is not None else messages),
        tools=tools or None,
        max_output_tokens=sampling.max_output_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_logprobs=sampling.top_logprobs,
        include=_included(sampling, extras) or None,
        safety_identifier=request.user,
        stream=True if request.stream else None,
        store=False,
    )
    if tools:
        body.tool_choice = options.written_tool_choice(request.tool_choice, request.tools)
        body.parallel_tool_calls = request.parallel_tool_calls
    if request.reasoning is not None:
        body.reasoning = wire.ReasoningOptions(effort=effort_of(request.reasoning))
    if request.output is not None:
        body.text = wire.TextOptions(format=options.written_output(request.output))
    payload = _with_extras(lenient.encode(body), extras)
    return WireRequest(path=PATH, body=payload, losses=tuple(dict.fromkeys(_losses(request))))


def _decoded(body: bytes) -> ChatRequest:
    read = _body.decode(body)
    if not read.model:
        raise missing("model")
    if read.previous_response_id:
        raise unknown_response(read.previous_response_id)
    items, instructions = _items(read)
    check_items(read.tools, items)
    messages, brought = read_items(items, "input")
    raw_tools = [*(read.tools or ()), *brought]
    tools, hosted = options.read_tools(raw_tools)
    extras = _extras(read, splice.top_level(body))
    stream = bool(read.stream)
    return ChatRequest(
        model=read.model,
        messages=(*instructions, *messages),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=options.read_tool_choice(read.tool_choice) if tools or hosted else None,
        parallel_tool_calls=read.parallel_tool_calls if tools or hosted else None,
        sampling=options.read_sampling(read),
        output=options.read_output(read.text),
        reasoning=options.read_reasoning(read.reasoning),
        stream=stream,
        include_usage=stream,
        user=read.safety_identifier or read.user or None,
        extras={NAME: extras} if extras else {},
    )


def unknown_response(response_id: str) -> InvalidRequest:
    """An earlier response that is not kept here, or not for this caller."""
    return InvalidRequest(
        f"Previous response with id '{response_id[:80]}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )


def _items(read: wire.Body) -> tuple[Sequence[msgspec.Raw], tuple[Message, ...]]:
    """The items of the input, and what the instructions say before them."""
    instructions: tuple[Message, ...] = ()
    if isinstance(read.instructions, str) and read.instructions:
        instructions = (Message(role="system", parts=(Text(text=read.instructions),)),)
    elif isinstance(read.instructions, list):
        instructions, _ = read_items(read.instructions, "instructions")
    if isinstance(read.input, str):
        return [splice.raw({"role": "user", "content": read.input})], instructions
    if isinstance(read.input, list):
        return read.input, instructions
    if not instructions:
        raise missing("input")
    return (), instructions


def _instructions(messages: Sequence[Message]) -> str | None:
    """The first message, where it is one text of the system's."""
    match messages:
        case [Message(role="system", parts=(Text(text=text),)), *_]:
            return text
        case _:
            return None


def _included(sampling: Sampling, extras: dict[str, JsonText]) -> list[str]:
    others = _texts.decode(extras.pop("include", "[]"))
    return [*([options.LOGPROBS] if sampling.logprobs else []), *others]


def _with_extras(payload: bytes, extras: Mapping[str, JsonText]) -> bytes:
    """The body with the fields that only this dialect knows, each at its place."""
    if not extras:
        return payload
    members = splice.top_level(payload)
    for name, text in extras.items():
        parent, dot, inner = name.partition(".")
        if dot and parent in _NESTED:
            within = splice.top_level(bytes(members.get(parent, msgspec.Raw(b"{}"))))
            within[inner] = msgspec.Raw(text.encode())
            members[parent] = msgspec.Raw(splice.assemble(within))
        else:
            members[name] = msgspec.Raw(text.encode())
    return splice.assemble(members)


def _extras(read: wire.Body, members: Mapping[str, msgspec.Raw]) -> dict[str, JsonText]:
    found = {
        name: raw
        for name, raw in members.items()
        if name not in _KNOWN and name not in _OF_THE_RELAY and not splice.is_other_spelling(name)
    }
    for parent, known in _NESTED.items():
        if members.get(parent, wire.NULL) != wire.NULL:
            inner = splice.top_level(bytes(members[parent]))
            found |= {f"{parent}.{name}": raw for name, raw in inner.items() if name not in known}
    if not options.knows_effort(read.reasoning):
        found["reasoning.effort"] = splice.raw(read.reasoning.effort if read.reasoning else None)
    asked = read.text.format.type if read.text is not None and read.text.format is not None else ""
    if asked not in ("", "text", "json_object", "json_schema"):
        found["text.format"] = splice.top_level(bytes(members["text"]))["format"]
    if (read.tools or ()) and options.is_own_choice(read.tool_choice):
        found["tool_choice"] = read.tool_choice
    others = [word for word in read.include or () if word not in (options.LOGPROBS, options.SEALED_REASONING)]
    if others:
        found["include"] = splice.raw(others)
    texts = {name: bytes(raw).decode() for name, raw in found.items()}
    return {name: text for name, text in texts.items() if text not in EXTRAS.absent}


def _losses(request: ChatRequest) -> Iterator[str]:
    yield from EXTRAS.losses(request.extras)
    for name in _NO_WORD_FOR:
        if getattr(request.sampling, name) not in (None, ()):
            yield name
    if request.sampling.logprobs is False:
        yield "logprobs"
    if request.sampling.top_logprobs is not None and not request.sampling.logprobs:
        yield "top_logprobs"
    if request.reasoning is not None and request.reasoning.budget_tokens is not None:
        yield "reasoning.budget_tokens"
    yield from foreign_losses(request, NAME)
    yield from _lost_in(request.messages)


def _lost_in(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        if message.name:
            yield "messages.name"
        for part in message.parts:
            if isinstance(part, ToolResult) and part.is_error:
                yield "tool_result.is_error"
            elif isinstance(part, Thinking) and not goes_back(part):
                yield "thinking.signature" if part.signature or part.sealed else "thinking"
