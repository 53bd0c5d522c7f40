"""Requests as the wire has them (https://docs.cohere.com/reference/chat)."""

import msgspec
from msgspec import Raw

NONE = Raw(b"null")


class ImageUrl(msgspec.Struct, omit_defaults=True):
    """An address, or a data URI."""

    url: str = ""
    detail: str | None = None


class ContentPart(msgspec.Struct, omit_defaults=True):
    """One piece of content of any known kind."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    image_url: ImageUrl | None = None
    document: Raw = NONE


class Function(msgspec.Struct):
    """What the model asked for; `arguments` is JSON text."""

    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct, omit_defaults=True):
    """A call; its type is always `function`."""

    id: str | None = None
    type: str | None = None
    function: Function | None = None


class Message(msgspec.Struct, omit_defaults=True):
    """A message of any role."""

    role: str
    content: list[ContentPart] | str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_plan: str | None = None
    tool_call_id: str | None = None


class FunctionSpec(msgspec.Struct, omit_defaults=True):
    """A function; its parameters are a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Raw = NONE


class Tool(msgspec.Struct, omit_defaults=True):
    """A tool; its type is always `function`."""

    type: str | None = None
    function: FunctionSpec | None = None


class ResponseFormat(msgspec.Struct, omit_defaults=True):
    """Free text, any JSON, or JSON by a schema."""

    type: str = ""
    json_schema: Raw = NONE


class ThinkingOptions(msgspec.Struct, omit_defaults=True):
    """Whether and how much to think."""

    type: str | None = None
    token_budget: int | None = None


class Body(msgspec.Struct, omit_defaults=True):
    """A request."""

    model: str | None = None
    messages: list[Message] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | None = None
    strict_tools: bool | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    p: float | None = None
    k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    thinking: ThinkingOptions | None = None
    stream: bool | None = None
