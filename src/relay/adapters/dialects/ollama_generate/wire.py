"""The wire shapes of Ollama's `/api/generate`, as far as they are not those of its chat.

Answers are written in the order Ollama's server writes them.
"""

import msgspec
from msgspec import Raw

from relay.adapters.dialects.ollama_chat.wire import ABSENT, AnsweredCall, Call, CallOutline, TokenLogprob


class GenerateRequest(Call, forbid_unknown_fields=True):
    """The body of a call; `context` is what an earlier answer has left in the model's memory."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None
    images: list[str] | None = None


class GenerateOutline(CallOutline, forbid_unknown_fields=True):
    """The outline of a call."""

    prompt: Raw = ABSENT
    suffix: Raw = ABSENT
    system: Raw = ABSENT
    template: Raw = ABSENT
    context: Raw = ABSENT
    raw: Raw = ABSENT
    images: Raw = ABSENT


class Line(msgspec.Struct):
    """One line of a stream, or a whole answer, as a provider writes it."""

    model: str | None = None
    created_at: Raw = ABSENT
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: object = None
    eval_count: object = None
    tool_calls: list[AnsweredCall] | None = None
    logprobs: list[TokenLogprob] | None = None
    error: Raw = ABSENT


class WrittenLine(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The same as the relay writes it; durations are nanoseconds."""

    model: str
    created_at: Raw
    response: str
    thinking: str | None = None
    done: bool
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    tool_calls: list[AnsweredCall] | None = None
    logprobs: list[TokenLogprob] | None = None
