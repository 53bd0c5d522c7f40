"""The names of OpenAI's Responses API on the wire, and nothing else.

Field names and shapes are those of the API reference (https://platform.openai.com/docs/api-reference/responses).
First come the Structs of requests, which both ways share, then answers as we write them (`Written…`). Answers of
providers are read member by member: see `reading`.
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

NULL = Raw(b"null")


class Peeked(Struct):
    """What is read of a request before anything else."""

    model: str | None = None
    stream: bool | None = None
    background: bool | None = None
    instructions: Raw = NULL
    input: Raw = NULL
    prompt: Raw = NULL
    conversation: Raw = NULL


class Tagged(Struct):
    """What tells one item, part or tool from another; an item without a type is a message."""

    type: str | None = None


class Part(Struct, omit_defaults=True):
    """One part of a message's content, or of a tool's result."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    input_audio: "Audio | None" = None


class Audio(Struct):
    data: str
    format: str


class Message(Struct, omit_defaults=True):
    """A turn. Of an assistant's, `content` is text when it is one text; of a user's too."""

    type: str | None = None
    role: str = ""
    content: str | list[Raw] | UnsetType | None = UNSET


class FunctionCall(Struct, omit_defaults=True):
    """`arguments` is text by the book, an object from some clients."""

    type: str = ""
    call_id: str | None = None
    name: str = ""
    namespace: str | None = None
    arguments: Raw | UnsetType = UNSET


class CustomCall(Struct, omit_defaults=True):
    type: str = ""
    call_id: str | None = None
    name: str = ""
    namespace: str | None = None
    input: str | UnsetType = UNSET


class CallOutput(Struct, omit_defaults=True):
    type: str = ""
    call_id: str | None = None
    output: str | list[Raw] | UnsetType | None = UNSET


class TextPart(Struct):
    """A piece of reasoning."""

    type: str = "summary_text"
    text: str = ""


class Reasoning(Struct, omit_defaults=True):
    """Codex sends `content` as null."""

    type: str = ""
    id: str | None = None
    summary: list[TextPart] | UnsetType | None = UNSET
    content: list[TextPart] | None = None
    encrypted_content: str | None = None


class ToolList(Struct):
    """An item that brings tools along: `additional_tools`, `tool_search_output`."""

    tools: list[Raw] | None = None


class Reference(Struct):
    id: str | None = None


class Function(Struct, omit_defaults=True):
    """Without `strict` the API takes a schema for strict, so it is always written."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: Raw | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class Custom(Struct, omit_defaults=True):
    """A tool that takes plain text, by the grammar of `format`."""

    type: str
    name: str = ""
    description: str | None = None
    format: Raw = NULL


class Namespace(Struct):
    """Tools under a common name."""

    name: str = ""
    tools: list[Raw] | None = None


class NamedChoice(Struct, omit_defaults=True):
    type: str = ""
    name: str | None = None


class Format(Struct, omit_defaults=True):
    type: str = ""
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class TextOptions(Struct, omit_defaults=True):
    format: Format | None = None


class ReasoningOptions(Struct, omit_defaults=True):
    effort: str | None = None


class Body(Struct, omit_defaults=True):
    """A request; what the codec does not know is kept beside it."""

    model: str | None = None
    instructions: str | list[Raw] | None = None
    input: str | list[Raw] | UnsetType | None = UNSET
    tools: list[Raw] | None = None
    tool_choice: Raw = NULL
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    reasoning: ReasoningOptions | None = None
    text: TextOptions | None = None
    include: list[str] | None = None
    safety_identifier: str | None = None
    user: str | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None


class WrittenAlternative(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...]


class WrittenLogprob(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...]
    top_logprobs: tuple[WrittenAlternative, ...]


class WrittenCitation(Struct, tag="url_citation"):
    url: str
    title: str
    start_index: int
    end_index: int


class WrittenText(Struct, tag="output_text"):
    text: str
    annotations: list[WrittenCitation]
    logprobs: list[WrittenLogprob]


class WrittenRefusal(Struct, tag="refusal"):
    refusal: str


type WrittenContent = WrittenText | WrittenRefusal


class WrittenMessage(Struct, tag="message"):
    id: str
    status: str
    role: Literal["assistant"]
    content: list[WrittenContent]


class WrittenSummary(Struct, tag="summary_text"):
    text: str


class WrittenReasoning(Struct, tag="reasoning", omit_defaults=True):
    id: str
    summary: list[WrittenSummary]
    encrypted_content: str | None = None


class WrittenCall(Struct, tag="function_call", omit_defaults=True):
    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class WrittenCustomCall(Struct, tag="custom_tool_call", omit_defaults=True):
    id: str
    status: str
    call_id: str
    name: str
    input: str
    namespace: str | None = None


type WrittenItem = WrittenMessage | WrittenReasoning | WrittenCall | WrittenCustomCall | Raw


class InputDetails(Struct):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct):
    reasoning_tokens: int


class WrittenUsage(Struct):
    """All counts are always there: strict clients fail without them."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Incomplete(Struct):
    reason: str


class WrittenError(Struct):
    code: str
    message: str


class WrittenReasoningOptions(Struct):
    effort: str | None = None
    summary: Raw = NULL


class WrittenTextOptions(Struct, omit_defaults=True):
    format: Format
    verbosity: Raw = NULL


class WrittenResponse(Struct, kw_only=True):
    """Every member is written, null or not: strict clients fail on those that are missing."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: str
    background: bool = False
    error: WrittenError | None = None
    incomplete_details: Incomplete | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    model: str
    output: list[WrittenItem]
    parallel_tool_calls: bool = True
    previous_response_id: Raw = NULL
    reasoning: WrittenReasoningOptions
    store: Raw = Raw(b"true")
    temperature: float | None = None
    text: WrittenTextOptions
    tool_choice: Raw = Raw(b'"auto"')
    tools: list[Raw]
    top_p: float | None = None
    truncation: Raw = Raw(b'"disabled"')
    usage: WrittenUsage | None = None
    user: str | None = None
    metadata: Raw = Raw(b"{}")
