"""The names of Anthropic's Messages API on the wire, and nothing else.

Field names and shapes are those of the API reference (https://docs.anthropic.com/en/api/messages). First come the
Structs of requests, which are read and written, then answers as they are written (`Written…`); answers of providers
are read member by member.
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType

NULL = Raw(b"null")


class CacheControl(Struct, omit_defaults=True):
    type: Literal["ephemeral"] | UnsetType = UNSET
    ttl: str | None = None


class Source(Struct, omit_defaults=True):
    """Where the bytes of an image or a document are."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class Block(Struct, omit_defaults=True):
    """A block of content of any type."""

    type: str
    text: str | None = None
    source: Source | None = None
    title: str | None = None
    context: Raw = NULL
    citations: Raw = NULL
    tool_use_id: str | None = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = NULL
    content: Raw = NULL
    cache_control: CacheControl | None = None


class BlockType(Struct):
    """What is read of a block whatever its type; a reference of a search of tools names one."""

    type: str
    tool_name: str | None = None
    content: Raw = NULL


class Message(Struct):
    role: str
    content: list[Raw] | str | None = None


class Tool(Struct, omit_defaults=True):
    """A tool of the caller's; others have a type and members of their own."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = NULL
    strict: bool | None = None
    defer_loading: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoice(Struct, omit_defaults=True):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct, omit_defaults=True):
    type: str
    budget_tokens: int | None = None


class Format(Struct, omit_defaults=True):
    type: str
    schema: Raw = NULL


class OutputConfig(Struct, omit_defaults=True):
    effort: str | None = None
    format: Format | None = None


class Metadata(Struct, omit_defaults=True):
    user_id: str | None = None


class Body(Struct, omit_defaults=True):
    """A request's known fields."""

    model: str | None = None
    max_tokens: int | None = None
    system: list[Block] | str | None = None
    messages: list[Message] | None = None
    tools: list[Raw] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: Metadata | None = None
    stream: bool | None = None


class Peeked(Struct):
    """What is read of a request before anything else."""

    model: str | None = None
    stream: bool | None = None
    system: Raw = NULL
    messages: Raw = NULL


class ErrorDetail(Struct):
    type: str
    message: str


class ErrorBody(Struct, tag="error"):
    error: ErrorDetail


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ThinkingTokens(Struct):
    thinking_tokens: int


class ServerToolUse(Struct):
    web_search_requests: int = 0
    web_fetch_requests: int = 0


class Usage(Struct, omit_defaults=True):
    """The first and the last are always there: clients read them without asking."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: ThinkingTokens | None = None
    server_tool_use: ServerToolUse | None = None


class WrittenCitation(Struct):
    """A source on the web. What was quoted there is not known."""

    url: str
    title: str | None
    type: Literal["web_search_result_location"] = "web_search_result_location"
    cited_text: str = ""
    encrypted_index: str = ""


class WrittenText(Struct, tag="text"):
    text: str
    citations: tuple[WrittenCitation, ...] | None = None


class WrittenThinking(Struct, tag="thinking"):
    thinking: str
    signature: str


class WrittenRedacted(Struct, tag="redacted_thinking"):
    data: str


class WrittenToolUse(Struct, tag="tool_use"):
    id: str
    name: str
    input: Raw


type WrittenBlock = WrittenText | WrittenThinking | WrittenRedacted | WrittenToolUse | Raw


class WrittenMessage(Struct, kw_only=True, tag="message"):
    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: tuple[WrittenBlock, ...]
    stop_reason: str | None
    stop_sequence: None = None
    usage: Usage


class MessageStart(Struct, tag="message_start"):
    message: WrittenMessage


class BlockStart(Struct, tag="content_block_start"):
    index: int
    content_block: WrittenBlock


class TextDelta(Struct, tag="text_delta"):
    text: str


class ThinkingDelta(Struct, tag="thinking_delta"):
    thinking: str


class SignatureDelta(Struct, tag="signature_delta"):
    signature: str


class InputJsonDelta(Struct, tag="input_json_delta"):
    partial_json: str


class CitationsDelta(Struct, tag="citations_delta"):
    citation: WrittenCitation


class BlockDelta(Struct, tag="content_block_delta"):
    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta | CitationsDelta


class BlockStop(Struct, tag="content_block_stop"):
    index: int


class StopDelta(Struct):
    stop_reason: str
    stop_sequence: None = None


class MessageDelta(Struct, tag="message_delta"):
    delta: StopDelta
    usage: Usage


class MessageStop(Struct, tag="message_stop"):
    pass


type WrittenEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop
