"""The law that nothing is silent: what a caller set and a provider's dialect cannot say is among the losses.

A setting that says what happens anyway (`tool_choice` auto, parallel calls allowed, detail auto) is no loss.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from relay.adapters.dialects.foreign import kind_of
from relay.domain.chat import (
    Audio,
    ChatRequest,
    File,
    Image,
    JsonObject,
    JsonSchema,
    NamedTool,
    Opaque,
    Part,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.support.laws.language import Language
from tests.support.laws.law import Law
from tests.support.laws.requests import encodable

_EMPTY = ("null", "[]", "{}")
"""An unknown field of such a value says nothing: to OpenAI's clients null and an empty list are not sent."""


def settings_of(request: ChatRequest) -> Iterator[str]:
    """A word for each thing that the caller has said and a dialect might lose."""
    for field in fields(Sampling):
        if getattr(request.sampling, field.name) not in (None, ()):
            yield field.name
    yield from _wishes(request)
    yield from ("tools.strict" for tool in request.tools if tool.strict)
    yield from ("tools.format" for tool in request.tools if tool.format)
    yield from (f"tools.{kind_of(tool.json)}" for tool in request.hosted_tools)
    yield from ("messages.name" for message in request.messages if message.name)
    for message in request.messages:
        for part in message.parts:
            inner = part.parts if isinstance(part, ToolResult) else ()
            for said in (part, *inner):
                yield from _said_in(said)
    for extra in request.extras.values():
        yield from (name for name, text in extra.items() if text.strip() not in _EMPTY)


def _wishes(request: ChatRequest) -> Iterator[str]:
    if request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool):
        yield "tool_choice"
    if request.tools and request.parallel_tool_calls is False:
        yield "parallel_tool_calls"
    if request.user is not None:
        yield "user"
    if request.reasoning is not None and request.reasoning.budget_tokens is not None:
        yield "reasoning.budget_tokens"
    if isinstance(request.output, JsonObject):
        yield "output.json_object"
    if isinstance(request.output, JsonSchema) and request.output.description:
        yield "output.description"


_KINDS: Mapping[type[Part], str] = {Audio: "audio", File: "file", Refusal: "refusal"}
"""Parts that are lost as wholes, and what their loss is called."""


def _said_in(part: Part) -> Iterator[str]:
    if (kind := _KINDS.get(type(part))) is not None:
        yield kind
    match part:
        case Thinking():
            if part.signature or part.sealed:
                yield "thinking.signature"
            if part.text:
                yield "thinking"
        case Text(signature=signature) if signature:
            yield "text.signature"
        case ToolCall(signature=signature) if signature:
            yield "tool_call.signature"
        case Opaque(json=json):
            yield f"messages.content.{kind_of(json)}"
        case Image(detail=detail) if detail not in (None, "auto"):
            yield "image.detail"
        case ToolResult(is_error=True):
            yield "tool_result.is_error"
        case _:
            pass


def _nothing_silent(language: Language, request: ChatRequest) -> None:
    losses = language.dialect.encode_request(request).losses
    lost = set(settings_of(request)) - set(settings_of(language.norm_request(request)))
    for word in lost:
        assert any(word in loss for loss in losses), f"{word} is lost and {losses} does not say so"


def _nothing_invented(language: Language, request: ChatRequest) -> None:
    """A loss is told of what was said and lost, and a request that has settled loses nothing more."""
    once = language.norm_request(request)
    assert language.dialect.encode_request(once).losses == ()
    said = set(settings_of(request)) | {"reasoning.effort", "tool_call.arguments", "thinking"}
    said.update(name for extra in request.extras.values() for name in extra)
    for loss in language.dialect.encode_request(request).losses:
        assert loss in said or loss.partition(":")[2] in said, f"{loss} was never said"


NOTHING_SILENT = Law("nothing that a caller set is lost in silence", encodable, _nothing_silent)
NOTHING_INVENTED = Law("no loss is told that is none", encodable, _nothing_invented)

LOSS_LAWS = (NOTHING_SILENT, NOTHING_INVENTED)
