"""The canonical chat request: what any dialect's request means, independent of its wire.

JSON that only passes through (tool arguments, schemas, unknown fields) is kept as JSON *text*: reparsing
would destroy number formatting and key order, and arguments stream as text anyway.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from relay.domain.values import value

type Role = Literal["system", "developer", "user", "assistant", "tool"]
type Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
type JsonText = str
"""A complete JSON value as text."""
type ChatDialectName = Literal[
    "openai.chat", "openai.responses", "anthropic.messages", "gemini.generate", "cohere.v2", "ollama.chat"
]
type CompletionDialectName = Literal["ollama.generate"]
type DialectName = ChatDialectName | CompletionDialectName | Literal["openai.completions"]

type CacheTtl = Literal["5m", "1h"]
"""For how long a provider shall keep the prefix of a prompt; such a mark changes no answer."""

EFFORTS: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@value
class Citation:
    """A source of an answer. `start` and `end` are the characters of the text that rest on it, 0 if unknown."""

    url: str
    title: str = ""
    start: int = 0
    end: int = 0


@value
class Text:
    """Plain text. Only that of an answer has citations.

    Here as everywhere `cache` means: the prompt up to and with this is to be cached. `signature` is Gemini's
    `thoughtSignature` of this part, needed to send it back.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    signature: str = ""
    cache: CacheTtl | None = None


@value
class Image:
    """An image, either inline (`data` is padded base64, `media_type` known or sniffed) or by `url`."""

    data: str = ""
    media_type: str | None = None
    url: str = ""
    detail: str | None = None
    cache: CacheTtl | None = None


@value
class Audio:
    """Inline audio: `data` is base64, `format` as in `wav`, `mp3`."""

    data: str
    format: str


@value
class File:
    """A document: inline (`data` is base64 of `media_type`, or a data URI as sent), by `url`, or by `file_id`.

    `file_id` is the provider's own, of no meaning to another.
    """

    data: str = ""
    file_id: str = ""
    filename: str | None = None
    url: str = ""
    media_type: str | None = None
    cache: CacheTtl | None = None


@value
class Thinking:
    """Reasoning of the model, as far as it is shown.

    To send it back takes the provider's seal, which no other dialect than `origin` may be sent: `signature` under
    the text, and `sealed` the reasoning itself (Anthropic's `redacted_thinking`, `encrypted_content` of Responses).
    `id` is the provider's name for it.
    """

    text: str
    signature: str = ""
    sealed: str = ""
    id: str = ""
    origin: DialectName | None = None


@value
class ToolCall:
    """The model asks for a tool. `arguments` is JSON text, normally of an object; empty means `{}`.

    Those of a `freeform` tool are plain text.
    """

    id: str
    name: str
    arguments: JsonText
    signature: str = ""
    cache: CacheTtl | None = None
    freeform: bool = False


@value
class ToolResult:
    """What a tool answered. `call_id` or `name` may be empty when the client's dialect did not say it."""

    call_id: str
    name: str
    parts: "tuple[Text | Image | File, ...]"
    is_error: bool = False
    cache: CacheTtl | None = None


@value
class Refusal:
    """The model declines, in its own words."""

    text: str


@value
class Opaque:
    """A part that only `origin` has a word for, as JSON: what its own tools did, for one.

    Its own dialect writes it back as it was; in any other it is a loss.
    """

    origin: DialectName
    json: JsonText


type Part = Text | Image | Audio | File | Thinking | ToolCall | ToolResult | Refusal | Opaque


@value
class Message:
    """One turn. `name` is the participant's name where a dialect has one."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


@value
class ToolSpec:
    """A tool the model may call. `parameters` is a JSON Schema as text; empty means no parameters given.

    A `freeform` tool takes plain text; it has no parameters, and `format` is the grammar of the text, if any.
    `namespace` is the group that the client has it in: the name then begins with `{namespace}__`.
    """

    name: str
    description: str | None = None
    parameters: JsonText = ""
    strict: bool | None = None
    cache: CacheTtl | None = None
    freeform: bool = False
    format: JsonText = ""
    namespace: str = ""


@value
class HostedTool:
    """A tool that the provider itself runs, as only `origin` declares it. In any other dialect it is a loss."""

    origin: DialectName
    json: JsonText


@value
class NamedTool:
    """The model must call this one."""

    name: str


type ToolChoice = Literal["auto", "none", "required"] | NamedTool


@value
class Sampling:
    """How tokens are drawn. `None` means the caller did not say: no default is ever invented."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    max_output_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


@value
class JsonObject:
    """Any JSON object."""


@value
class JsonSchema:
    """JSON that fits a schema, given as JSON text."""

    schema: JsonText
    name: str = "answer"
    strict: bool | None = None
    description: str | None = None


type Output = JsonObject | JsonSchema
"""A constrained answer; `None` where it is used means free text."""


@value
class Reasoning:
    """How much to think. No effort and no budget: on, as much as the provider thinks fit."""

    effort: Effort | None = None
    budget_tokens: int | None = None


@value
class Completion:
    """What makes a call the continuation of a text and not a turn of a chat: chat dialects have no word for it.

    `suffix` is the text that the answer leads up to (fill in the middle). With `raw` the prompt reaches the model
    as it is, without the template of a chat.
    """

    suffix: str = ""
    raw: bool = False


@value
class ChatRequest:
    """One chat call. With a `completion` its one user message is the prompt to be continued.

    `stream` is what the caller wants of us, `include_usage` whether its stream shall carry usage (only
    dialects that make it optional set it). `extras` holds the fields only one dialect knows, as JSON text by
    field name: a codec writes back its own and reports the others as losses.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    hosted_tools: tuple[HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = Sampling()
    output: Output | None = None
    reasoning: Reasoning | None = None
    stream: bool = False
    include_usage: bool = False
    choice_count: int = 1
    user: str | None = None
    completion: Completion | None = None
    extras: Mapping[DialectName, Mapping[str, JsonText]] = field(default_factory=dict)
