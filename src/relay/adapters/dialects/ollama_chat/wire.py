"""The wire shapes of Ollama's `/api/chat`, under Ollama's own names and in the order its server writes them.

Everything is optional because peers leave out, and send null for, whatever they like; what must be there is
checked where it is read. What a caller sends refuses unknown keys, so that a key in another case is noticed.
"""

import msgspec
from msgspec import Raw

ABSENT = Raw(b"")


class CalledFunction(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What a call in the history calls; `arguments` is an object, from lenient clients also a string."""

    index: int | None = None
    name: str | None = None
    arguments: Raw = ABSENT


class ToolCall(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A call in the history; `type` and the outer `index` come from clients that speak OpenAI as well."""

    id: str | None = None
    type: str | None = None
    index: int | None = None
    function: CalledFunction | None = None


class Message(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One turn; a list as `content` holds parts in OpenAI's form, which real Ollama refuses."""

    role: str | None = None
    content: str | list[Raw] | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class ContentPart(msgspec.Struct):
    """One part of a list as `content`; `image_url` is a URL or an object with one."""

    type: str | None = None
    text: str | None = None
    image_url: Raw = ABSENT


class ImageUrl(msgspec.Struct):
    """The object form of an image in a part."""

    url: str


class ToolFunction(msgspec.Struct, omit_defaults=True):
    """A function the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Raw = ABSENT


class Tool(msgspec.Struct, kw_only=True):
    """A tool; Ollama knows functions alone."""

    type: str | None = "function"
    function: ToolFunction


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a call, but for what is said to the model."""

    model: str | None = None
    stream: bool | None = None
    format: Raw = ABSENT
    keep_alive: Raw = ABSENT
    options: dict[str, Raw] | None = None
    think: Raw = ABSENT
    truncate: Raw = ABSENT
    shift: Raw = ABSENT
    logprobs: bool | None = None
    top_logprobs: int | None = None
    debug_render_only: Raw = msgspec.field(default=ABSENT, name="_debug_render_only")


class ChatRequest(Call, forbid_unknown_fields=True):
    """The body of a chat call."""

    messages: list[Message] | None = None
    tools: list[Tool] | None = None


class CallOutline(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a call, with everything left undecoded that does not decide where it goes."""

    model: str | None = None
    stream: bool | None = None
    format: Raw = ABSENT
    keep_alive: Raw = ABSENT
    options: Raw = ABSENT
    think: Raw = ABSENT
    truncate: Raw = ABSENT
    shift: Raw = ABSENT
    logprobs: Raw = ABSENT
    top_logprobs: Raw = ABSENT
    debug_render_only: Raw = msgspec.field(default=ABSENT, name="_debug_render_only")


class ChatOutline(CallOutline, forbid_unknown_fields=True):
    """The outline of a chat call."""

    messages: Raw = ABSENT
    tools: Raw = ABSENT


class Pictured(msgspec.Struct):
    """A message of which only the images matter."""

    images: Raw = ABSENT


class AnsweredFunction(msgspec.Struct, omit_defaults=True):
    """What the model calls."""

    index: object = None
    name: str | None = None
    arguments: Raw = ABSENT


class AnsweredCall(msgspec.Struct, omit_defaults=True):
    """A call of the model; servers before 0.12.10 gave no id."""

    id: str | None = None
    function: AnsweredFunction | None = None


class AnswerMessage(msgspec.Struct, omit_defaults=True):
    """What one line adds to the answer."""

    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[AnsweredCall] | None = None


class TokenAlternative(msgspec.Struct, omit_defaults=True):
    """A token that might have been drawn."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(msgspec.Struct, omit_defaults=True):
    """The token that was drawn."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TokenAlternative] | None = None


class Line(msgspec.Struct):
    """One line of a stream, or a whole answer, as a provider writes it."""

    model: str | None = None
    created_at: Raw = ABSENT
    message: AnswerMessage | None = None
    done: bool | None = None
    done_reason: str | None = None
    logprobs: list[TokenLogprob] | None = None
    prompt_eval_count: object = None
    eval_count: object = None
    error: Raw = ABSENT


class WrittenLine(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The same as the relay writes it; durations are nanoseconds."""

    model: str
    created_at: Raw
    message: AnswerMessage
    done: bool
    done_reason: str | None = None
    logprobs: list[TokenLogprob] | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class ErrorBody(msgspec.Struct):
    """An error before an answer."""

    error: Raw


class ErrorDetail(msgspec.Struct):
    """An error in OpenAI's form, from servers that imitate Ollama."""

    message: str = ""
    code: str | int | None = None
