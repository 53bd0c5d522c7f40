"""Tools that take plain text, put to dialects whose tools take JSON: one string parameter holds the text."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from relay.domain.chat import ChatRequest, JsonText, ToolCall, ToolSpec

SCHEMA: JsonText = (
    '{"type":"object","properties":{"input":{"type":"string"}},'
    '"required":["input"],"additionalProperties":false}'
)


class _Input(msgspec.Struct):
    input: str


_input = msgspec.json.Decoder(_Input)
_encoder = msgspec.json.Encoder()


def as_function(spec: ToolSpec) -> ToolSpec:
    """The tool as a function; one that is a function stays as it is."""
    return replace(spec, freeform=False, parameters=SCHEMA, format="") if spec.freeform else spec


def as_json(call: ToolCall) -> ToolCall:
    """The call as that of a function."""
    if not call.freeform:
        return call
    return replace(call, freeform=False, arguments=_encoder.encode(_Input(call.arguments)).decode())


def text_of(arguments: JsonText) -> str:
    """The text in the arguments of such a function; whatever else a model wrote there, as it is."""
    try:
        return _input.decode(arguments).input
    except msgspec.MsgspecError:
        return arguments


def format_losses(request: ChatRequest) -> Iterator[str]:
    """`tools.format` for each grammar that a function cannot keep."""
    yield from ("tools.format" for tool in request.tools if tool.freeform and tool.format)
