"""The names of OpenAI's Chat Completions on the wire, and nothing else.

Field names and shapes are those of the API reference (platform.openai.com/docs/api-reference/chat), with the
additions of compatible servers that the codec understands. First come the Structs of both ways, then those of
requests, then answers as providers write them, then answers as we write them (`Written…`).
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType, field

NULL = Raw(b"null")


class ErrorDetail(Struct):
    """All four keys are always written: clients read them without asking."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(Struct):
    error: ErrorDetail


class StreamOptions(Struct, omit_defaults=True):
    include_usage: bool | None = None


class Peeked(Struct):
    """What is read of a request before anything else."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    messages: Raw = NULL


class ImageUrl(Struct, omit_defaults=True):
    url: str = ""
    detail: str | None = None


class InputAudio(Struct):
    data: str
    format: str


class FileSource(Struct, omit_defaults=True):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(Struct, omit_defaults=True):
    """One part of a message's content; `thinking` and `document_url` are Mistral's."""

    type: str = ""
    text: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    file: FileSource | None = None
    refusal: str | None = None
    thinking: "list[ContentPart] | str | None" = None
    document_url: str | None = None
    document_name: str | None = None


class Function(Struct):
    """A called function; `arguments` is a string by the book, an object from some clients."""

    name: str = ""
    arguments: Raw = NULL


class ToolCall(Struct):
    function: Function | None = None
    id: str | None = None
    type: str | None = "function"


class Message(Struct, omit_defaults=True):
    """One message. The three names of reasoning are what servers and clients call it; the first is written.

    `reasoning_details` are OpenRouter's.
    """

    role: str
    content: list[ContentPart] | str | UnsetType | None = UNSET
    name: str | None = None
    tool_call_id: str | None = None
    reasoning_content: object = None
    reasoning: object = None
    thinking: object = None
    reasoning_details: object = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class FunctionSpec(Struct, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None


class Tool(Struct):
    type: str = "function"
    function: FunctionSpec | None = None


class ToolName(Struct):
    name: str


class NamedToolChoice(Struct):
    type: str = "function"
    function: ToolName | None = None


class JsonSchema(Struct, omit_defaults=True):
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class ResponseFormat(Struct, omit_defaults=True):
    type: str
    json_schema: JsonSchema | None = None


class ReasoningOptions(Struct):
    """OpenRouter's way to ask for reasoning."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None


class ThinkingOptions(Struct):
    """The way of DeepSeek and of servers in front of Anthropic."""

    type: str | None = None
    budget_tokens: int | None = None


class ChatBody(Struct, omit_defaults=True):
    """A request's known fields. Both names of a field that has two are read, the last one named is written."""

    model: str | None = None
    messages: list[Message] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: list[str] | str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    repetition_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    functions: list[FunctionSpec] | None = None
    function_call: ToolName | str | None = None
    tools: list[Raw] | None = None
    tool_choice: NamedToolChoice | str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningOptions | None = None
    thinking: ThinkingOptions | None = None
    reasoning_effort: object = None
    user: str | None = None


class FunctionDelta(Struct):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class UrlCitation(Struct):
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Annotation(Struct):
    type: str | None = None
    url_citation: UrlCitation | None = None


class Delta(Struct):
    """What is new in a chunk, or the message of a whole answer."""

    role: str | None = None
    content: list[ContentPart] | str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: object = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    annotations: list[Annotation] | None = None


class Alternative(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[Alternative] | None = None


class Logprobs(Struct):
    content: list[TokenLogprob] | None = None


class Choice(Struct):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Logprobs | None = None
    error: object = None


class Chunk(Struct):
    """One event of a stream, or a whole answer. What is rarely there is decoded as it comes.

    `citations` and `search_results` are how Perplexity and servers like it name the sources of an answer.
    """

    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[Choice] | None = None
    usage: object = None
    x_groq: object = None
    error: object = None
    citations: object = None
    search_results: object = None


class PromptTokensDetails(Struct, omit_defaults=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None


class CompletionTokensDetails(Struct, omit_defaults=True):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class Usage(Struct, omit_defaults=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class WrittenFunction(Struct):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class WrittenToolCall(Struct):
    """A call, whole or in pieces: only a stream numbers them, and only the first piece has id, type and name."""

    function: WrittenFunction
    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class WrittenUrlCitation(Struct):
    """All four fields are always written: the AI SDK refuses an answer that lacks one."""

    url: str
    title: str
    start_index: int
    end_index: int


class WrittenAnnotation(Struct):
    url_citation: WrittenUrlCitation
    type: Literal["url_citation"] = "url_citation"


class WrittenDelta(Struct):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    reasoning_details: Raw | tuple[()] | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: tuple[WrittenToolCall, ...] | UnsetType = UNSET
    annotations: tuple[WrittenAnnotation, ...] | UnsetType = UNSET


class WrittenAlternative(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None


class WrittenTokenLogprob(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None
    top_logprobs: tuple[WrittenAlternative, ...]


class WrittenLogprobs(Struct):
    content: tuple[WrittenTokenLogprob, ...]
    refusal: None = None


class WrittenChunkChoice(Struct):
    index: int
    delta: WrittenDelta
    logprobs: WrittenLogprobs | None = None
    finish_reason: str | None = None


class WrittenChunk(Struct, kw_only=True):
    id: str
    kind: Literal["chat.completion.chunk"] = field(default="chat.completion.chunk", name="object")
    created: int
    model: str
    choices: tuple[WrittenChunkChoice, ...]
    usage: Usage | UnsetType | None = UNSET
    citations: tuple[str, ...] | UnsetType = UNSET


class WrittenMessage(Struct):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    reasoning_details: Raw | UnsetType = UNSET
    tool_calls: tuple[WrittenToolCall, ...] | UnsetType = UNSET
    annotations: tuple[WrittenAnnotation, ...] | UnsetType = UNSET


class WrittenChoice(Struct):
    index: int
    message: WrittenMessage
    finish_reason: str
    logprobs: WrittenLogprobs | None = None


class WrittenCompletion(Struct, kw_only=True):
    id: str
    kind: Literal["chat.completion"] = field(default="chat.completion", name="object")
    created: int
    model: str
    choices: tuple[WrittenChoice, ...]
    usage: Usage | UnsetType = UNSET
    citations: tuple[str, ...] | UnsetType = UNSET
