"""Laws of style: providers of one dialect frame the same answer differently, and no client may notice.

Each style is a habit seen at a provider, done to a stream of ours. What is read, and what a tap makes of it for
the vendor's client, stays the same.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.clients import STREAM_READERS
from tests.support.laws.language import Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.requests import plain_call
from tests.support.laws.streams import Answer, answers
from tests.support.strategies.cuts import chunked

type Frames = list[dict[str, Any]]
type Style = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Styled:
    """An answer and the habits of the provider that sends it."""

    answer: Answer
    styles: Sequence[Style]


def crlf(data: bytes) -> bytes:
    """Line ends of two bytes, as Groq's proxy sends them."""
    return data.replace(b"\n", b"\r\n")


def unterminated(data: bytes) -> bytes:
    """No line end after the last frame."""
    return data.rstrip(b"\r\n")


def commented(data: bytes) -> bytes:
    """Signs of life between the events: OpenRouter, DeepSeek."""
    return b": OPENROUTER PROCESSING\n\n" + data.replace(b"\n\n", b"\n\n: keep-alive\n\n")


def spaced(data: bytes) -> bytes:
    """Blank lines between the lines, and spaces at their end."""
    return data.replace(b"\n", b" \n\n")


def without_done(data: bytes) -> bytes:
    """No end marker after the usage."""
    return data.replace(b"data: [DONE]\n\n", b"")


def usage_on_finish(data: bytes) -> bytes:
    """Usage on the chunk that finishes, as at DeepSeek and Mistral."""
    frames = _chunks(data)
    if frames and not frames[-1]["choices"] and len(frames) > 1:
        frames[-2]["usage"] = frames.pop()["usage"]
    return _sse(frames)


def finish_repeated(data: bytes) -> bytes:
    """The finish chunk again beside the usage, as at OpenRouter."""
    frames = _chunks(data)
    if len(frames) > 1 and not frames[-1]["choices"]:
        frames[-1]["choices"] = frames[-2]["choices"]
    return _sse(frames)


def role_everywhere(data: bytes) -> bytes:
    """The role on every chunk, as at Ollama's `/v1`."""
    frames = _chunks(data)
    for frame in frames:
        for choice in frame["choices"]:
            choice["delta"]["role"] = "assistant"
    return _sse(frames)


def foreign_fields(data: bytes) -> bytes:
    """Fields that only this provider knows, on the chunk and in the delta's neighbourhood."""
    frames = _chunks(data)
    for frame in frames:
        frame["p"] = "abc\u2028"
        for choice in frame["choices"]:
            choice["native_finish_reason"] = choice["finish_reason"]
    return _sse(frames)


def calls_on_the_last_line(data: bytes) -> bytes:
    """Tool calls on the line that ends the answer, as newer Ollama servers send them."""
    *lines, last = [json.loads(line) for line in data.splitlines()]
    calls = [call for line in lines for call in line.get("message", line).pop("tool_calls", ())]
    if calls:
        last.get("message", last)["tool_calls"] = calls
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*lines, last])


def model_last(data: bytes) -> bytes:
    """Members in another order than Ollama's."""
    lines = [json.loads(line) for line in data.splitlines()]
    return b"".join(
        json.dumps(dict(reversed(line.items())), ensure_ascii=False).encode() + b"\n" for line in lines
    )


STYLES: dict[str, tuple[Style, ...]] = {
    "sse": (
        usage_on_finish,
        finish_repeated,
        role_everywhere,
        foreign_fields,
        without_done,
        commented,
        unterminated,
        crlf,
    ),
    "ndjson": (calls_on_the_last_line, model_last, spaced, unterminated, crlf),
}
"""In the order in which they can be done one after the other."""


def _chunks(data: bytes) -> Frames:
    frames = [frame.removeprefix(b"data: ") for frame in data.split(b"\n\n") if frame]
    return [json.loads(frame) for frame in frames if frame != b"[DONE]"]


def _sse(frames: Frames) -> bytes:
    written = [f"data: {json.dumps(frame, ensure_ascii=False)}\n\n" for frame in frames]
    return "".join([*written, "data: [DONE]\n\n"]).encode()


@st.composite
def _styled(draw: st.DrawFn, language: Language) -> Styled:
    habits = STYLES[language.dialect.framing]
    chosen = draw(st.lists(st.integers(0, len(habits) - 1), min_size=1, max_size=3, unique=True))
    return Styled(draw(answers()), [habits[place] for place in sorted(chosen)])


def _plain_and_styled(language: Language, case: Styled) -> tuple[bytes, bytes]:
    plain = language.written(case.answer.events, a_scene(model="served-by"))
    styled = plain
    for style in case.styles:
        styled = style(styled)
    return plain, styled


def _read_the_same(language: Language, case: Styled) -> None:
    plain, styled = _plain_and_styled(language, case)
    read = fold(language.read(chunked(styled, case.answer.lengths)))
    assert _with_plain_arguments(read) == _with_plain_arguments(fold(language.read([plain])))


def _with_plain_arguments(response: ChatResponse) -> ChatResponse:
    """The response with arguments spelled one way: some styles write JSON anew."""
    return replace(
        response,
        choices=tuple(
            replace(choice, parts=tuple(plain_call(part) for part in choice.parts))
            for choice in response.choices
        ),
    )


def _client_unaware(language: Language, case: Styled) -> None:
    plain, styled = _plain_and_styled(language, case)
    _, expected = language.tapped([plain], a_scene())
    _, raw = language.tapped(chunked(styled, case.answer.lengths), a_scene())
    read = STREAM_READERS[language.dialect.name]
    assert read(raw) == read(expected)


READ_THE_SAME = Law("a provider's style changes nothing of what is read", _styled, _read_the_same)
CLIENT_UNAWARE = Law(
    "the vendor's client notices no provider's style through a tap", _styled, _client_unaware
)

STYLE_LAWS = (READ_THE_SAME, CLIENT_UNAWARE)
