"""Requests as the wire has them (https://ai.google.dev/api/generate-content).

`model` and `stream` are ours: the path says them, and whoever reads a client's path puts them into the body.
"""

import msgspec
from msgspec import Raw

NONE = Raw(b"null")

_encoder = msgspec.json.Encoder()


class Blob(msgspec.Struct, rename="camel", omit_defaults=True):
    """Bytes in base64."""

    mime_type: str = ""
    data: str = ""


class FileData(msgspec.Struct, rename="camel", omit_defaults=True):
    """Bytes that are elsewhere."""

    file_uri: str = ""
    mime_type: str | None = None


class FunctionCall(msgspec.Struct, omit_defaults=True):
    """What the model asked for; `args` is an object."""

    name: str
    args: Raw = NONE
    id: str | None = None


class FunctionResponsePart(msgspec.Struct, rename="camel", omit_defaults=True):
    """A picture or a document in a tool's result."""

    inline_data: Blob | None = None


class FunctionResponse(msgspec.Struct, omit_defaults=True):
    """What a tool answered; `response` is an object."""

    name: str
    response: Raw = NONE
    id: str | None = None
    parts: list[FunctionResponsePart] | None = None


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """One part; exactly one of its members is set, beside `thought` and `thought_signature`."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class Content(msgspec.Struct, omit_defaults=True):
    """One turn; parts are read one by one, as there are more kinds than are known. Some clients send one alone."""

    role: str | None = None
    parts: list[Raw] | dict[str, Raw] | None = None

    @property
    def listed(self) -> list[Raw]:
        """The parts in any case."""
        match self.parts:
            case None:
                return []
            case list() as parts:
                return parts
            case alone:
                return [Raw(_encoder.encode(alone))]


class FunctionDeclaration(msgspec.Struct, rename="camel", omit_defaults=True):
    """A tool."""

    name: str
    description: str | None = None
    parameters: Raw = NONE
    parameters_json_schema: Raw = NONE


class FunctionCallingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """Which tools may or must be called."""

    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """Around the one thing that is known."""

    function_calling_config: FunctionCallingConfig | None = None


class ThinkingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """How much to think, and whether to show it."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    """The settings that have a canonical form."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    candidate_count: int | None = None
    stop_sequences: list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_json_schema: Raw = NONE
    response_schema: Raw = NONE
    thinking_config: ThinkingConfig | None = None


class Body(msgspec.Struct, rename="camel", omit_defaults=True):
    """A client's body, with what its path said."""

    model: str | None = None
    stream: bool | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Raw] | None = None
    tool_config: ToolConfig | None = None
    generation_config: Raw = NONE
