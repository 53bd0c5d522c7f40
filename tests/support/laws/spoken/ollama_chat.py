"""Ollama's `/api/chat` in the laws."""

import json

from ollama import ChatResponse as OllamaChatResponse

from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import (
    Read,
    Spoken,
    calls_of,
    check_ollama_error,
    crlf,
    json_or_text,
    read_of,
    unterminated,
)


def read_stream(data: bytes) -> Read:
    """As ollama-python reads lines; its HTTP client splits on more than LF."""
    assert data.endswith(b"\n")
    lines = [OllamaChatResponse.model_validate_json(line) for line in data.decode().splitlines()]
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    return _read(lines)


def read_whole(data: bytes) -> Read:
    """As ollama-python parses a body."""
    return _read([OllamaChatResponse.model_validate_json(data)])


def _read(lines: list[OllamaChatResponse]) -> Read:
    assert all(line.model == "asked-for" for line in lines)
    assert all(line.message.role == "assistant" for line in lines)
    last = lines[-1]
    calls = [call for line in lines for call in line.message.tool_calls or ()]
    assert min(last.total_duration or 0, last.eval_duration or 0, last.prompt_eval_duration or 0) > 0
    return {
        "thinking": "".join(line.message.thinking or "" for line in lines),
        "text": "".join(line.message.content or "" for line in lines),
        "refusal": "",
        "calls": [(call.function.name, dict(call.function.arguments)) for call in calls],
        "cites": [],
        "finish": last.done_reason,
        "counts": (last.prompt_eval_count or 0, last.eval_count or 0),
    }


def should_read(response: ChatResponse) -> Read:
    """Calls have no ids for Ollama's clients."""
    calls = [(call.name, json_or_text(call.arguments)) for call in calls_of(response)]
    return read_of(response, calls=[*calls], finish=response.choices[0].raw_finish)


def spaced(data: bytes) -> bytes:
    """Blank lines between the lines, and spaces at their end."""
    return data.replace(b"\n", b" \n\n")


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


POVERTY: dict[str, set[str]] = {
    "Only the first choice": {"choice left out"},
    "The answer has no id, and its creation time": {"id", "created"},
    "Thinking, text and tool calls stand in this order": {"order", "parts joined", "empty part left out"},
    "A refusal becomes text": {"refusal as text"},
    "What a text cites": {"citations lost", "nothing cited"},
    "Seals of thinking, texts and calls": {"signature left out", "opaque left out"},
    "Tool-call arguments are written as one line": {
        "arguments respelled",
        "arguments wrapped",
        "empty arguments filled",
    },
    "A tool call without an id": {"call id"},
    "The finish is stop or length": {"finish derived"},
    "The provider's own finish reason is replaced": {"finish word"},
    "Of usage, input and output tokens": {"usage class left out", "usage 0 left out"},
    "A log probability that is not finite": {"logprob clipped"},
}

STYLES = (calls_on_the_last_line, model_last, spaced, unterminated, crlf)

SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_ollama_error,
    styles=STYLES,
)
