"""What an answer repeats of its request, and what it says where the request said nothing."""

from collections.abc import Mapping

import msgspec

from relay.adapters.dialects.openai_responses import options, wire
from relay.adapters.dialects.openai_responses.content import NAME
from relay.domain.chat import ChatRequest, JsonText, Text

_DEFAULT = ChatRequest(model="", messages=())


def echoed(response: wire.WrittenResponse, asked: ChatRequest | None) -> wire.WrittenResponse:
    """The response with what was asked filled in."""
    request = asked or _DEFAULT
    extras = request.extras.get(NAME, {})
    choice = options.written_tool_choice(request.tool_choice, request.tools)
    response.instructions = _instructions(request)
    response.tools = options.written_tools(request.tools, request.hosted_tools)
    response.tool_choice = choice if choice != wire.NULL else _raw(extras, "tool_choice", '"auto"')
    if request.parallel_tool_calls is not None:
        response.parallel_tool_calls = request.parallel_tool_calls
    response.max_output_tokens = request.sampling.max_output_tokens
    response.temperature = request.sampling.temperature
    response.top_p = request.sampling.top_p
    response.user = request.user
    response.text = wire.WrittenTextOptions(
        format=options.written_output(request.output) or wire.Format(type="text"),
        verbosity=_raw(extras, "text.verbosity", "null"),
    )
    response.reasoning = wire.WrittenReasoningOptions(
        effort=request.reasoning.effort if request.reasoning else None,
        summary=_raw(extras, "reasoning.summary", "null"),
    )
    response.truncation = _raw(extras, "truncation", '"disabled"')
    response.metadata = _raw(extras, "metadata", "{}")
    response.store = _raw(extras, "store", "true")
    response.previous_response_id = _raw(extras, "previous_response_id", "null")
    return response


def _instructions(request: ChatRequest) -> str | None:
    if request.messages and request.messages[0].role == "system":
        return "\n\n".join(part.text for part in request.messages[0].parts if isinstance(part, Text)) or None
    return None


def _raw(extras: Mapping[str, JsonText], name: str, default: JsonText) -> msgspec.Raw:
    return msgspec.Raw(extras.get(name, default).encode())
