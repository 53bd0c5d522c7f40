"""What the laws need to know of one wire language."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.domain.chat import ChatRequest, Refusal, Text, Thinking, ToolCall
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse

type Read = dict[str, object]
"""What a client makes of an answer: the first choice's texts, calls, finish and the counts."""

type Style = Callable[[bytes], bytes]
"""A habit of a provider, done to a stream of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """`should_read` says what the client has to make of a response that is its norm.

    `meant` leaves out of a request what a retargeted body has otherwise. `styles` can be done one after the other,
    in this order. `poverty` says, for the opening of each sentence of the codec's `POVERTY`, which differences it
    stands for. `check_error` raises for an error's body in another shape.
    """

    read_stream: Callable[[bytes], Read]
    read_whole: Callable[[bytes], Read]
    should_read: Callable[[ChatResponse], Read]
    poverty: Mapping[str, set[str]]
    check_error: Callable[[bytes, RelayError], None]
    styles: tuple[Style, ...] = ()
    meant: Callable[[ChatRequest], ChatRequest] = lambda request: request


def read_of(response: ChatResponse, *, calls: list[object], finish: str) -> Read:
    """What clients make of a response, but for how they tell calls and the finish."""
    choice, usage = response.choices[0], response.usage
    parts = choice.parts
    return {
        "thinking": "".join(part.text for part in parts if isinstance(part, Thinking)),
        "text": "".join(part.text for part in parts if isinstance(part, Text)),
        "refusal": "".join(part.text for part in parts if isinstance(part, Refusal)),
        "calls": calls,
        "cites": [
            (each.url, each.title, each.start, each.end)
            for part in parts
            if isinstance(part, Text)
            for each in part.citations
        ],
        "finish": finish,
        "counts": (usage.input_tokens or 0, usage.output_tokens or 0) if usage else (0, 0),
    }


def calls_of(response: ChatResponse) -> list[ToolCall]:
    """The first choice's calls."""
    return [part for part in response.choices[0].parts if isinstance(part, ToolCall)]


def json_or_text(text: str) -> object:
    """The JSON value of `text`, or the text when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def crlf(data: bytes) -> bytes:
    """Line ends of two bytes, as Groq's proxy sends them."""
    return data.replace(b"\n", b"\r\n")


def unterminated(data: bytes) -> bytes:
    """No line end after the last frame."""
    return data.rstrip(b"\r\n")


def commented(data: bytes) -> bytes:
    """Signs of life between the events: OpenRouter, DeepSeek."""
    return b": OPENROUTER PROCESSING\n\n" + data.replace(b"\n\n", b"\n\n: keep-alive\n\n")


def check_openai_error(body: bytes, error: RelayError) -> None:
    """The members that OpenAI's clients read, no more."""
    said = json.loads(body)
    assert list(said) == ["error"]
    assert list(said["error"]) == ["message", "type", "param", "code"]
    assert said["error"]["param"] == error.param
    assert said["error"]["code"] == error.code
    assert isinstance(said["error"]["type"], str)


def check_ollama_error(body: bytes, _: RelayError) -> None:
    """The one member that Ollama's clients read."""
    said = json.loads(body)
    assert list(said) == ["error"]
    assert isinstance(said["error"], str)
