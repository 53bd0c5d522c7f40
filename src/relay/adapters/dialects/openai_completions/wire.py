"""The names of OpenAI's legacy Completions on the wire, as far as they are not those of its chat.

Field names and shapes are those of the API reference (platform.openai.com/docs/api-reference/completions).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType, field

from relay.adapters.dialects.openai_chat.wire import NULL, StreamOptions, Usage


class Peeked(Struct):
    """What is read of a request before anything else."""

    model: str | None = None
    prompt: Raw = NULL
    suffix: Raw = NULL
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class CompletionBody(Struct):
    """A request's known fields; the sampling of compatible servers beyond OpenAI's is among them."""

    model: str | None = None
    prompt: Raw = NULL
    suffix: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: list[str] | str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logprobs: int | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    user: str | None = None


class WrittenLogprobs(Struct):
    """One entry per token in each list; `text_offset` counts characters from the start of the choice's text."""

    tokens: tuple[str, ...]
    token_logprobs: tuple[float, ...]
    top_logprobs: tuple[Mapping[str, float], ...] | None
    text_offset: tuple[int, ...]


class WrittenChoice(Struct):
    """A choice, or what is new of it."""

    text: str
    index: int
    logprobs: WrittenLogprobs | None = None
    finish_reason: str | None = None


class WrittenCompletion(Struct, kw_only=True):
    """A whole answer or, under the same name, a chunk of one."""

    id: str
    kind: Literal["text_completion"] = field(default="text_completion", name="object")
    created: int
    model: str
    choices: tuple[WrittenChoice, ...]
    usage: Usage | UnsetType | None = UNSET
