"""Ollama's `/api/generate` in the laws."""

import json

from ollama import GenerateResponse

from tests.support.laws.spoken import ollama_chat
from tests.support.laws.spoken.particulars import Read, Spoken, check_ollama_error


def read_stream(data: bytes) -> Read:
    """As ollama-python reads lines."""
    assert data.endswith(b"\n")
    lines = data.decode().splitlines()
    assert [json.loads(line)["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    return _read(lines)


def read_whole(data: bytes) -> Read:
    """As ollama-python parses a body."""
    return _read([data.decode()])


def _read(lines: list[str]) -> Read:
    """The client's own type has no tool calls, though Ollama's answer has."""
    parsed = [GenerateResponse.model_validate_json(line) for line in lines]
    assert all(line.model == "asked-for" for line in parsed)
    last = parsed[-1]
    assert min(last.total_duration or 0, last.eval_duration or 0, last.prompt_eval_duration or 0) > 0
    calls = [call for line in lines for call in json.loads(line).get("tool_calls", ())]
    return {
        "thinking": "".join(line.thinking or "" for line in parsed),
        "text": "".join(line.response or "" for line in parsed),
        "refusal": "",
        "calls": [(call["function"]["name"], call["function"]["arguments"]) for call in calls],
        "cites": [],
        "finish": last.done_reason,
        "counts": (last.prompt_eval_count or 0, last.eval_count or 0),
    }


SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=ollama_chat.should_read,
    poverty={**ollama_chat.POVERTY, "The context numbers of a real Ollama": set()},
    check_error=check_ollama_error,
    styles=ollama_chat.STYLES,
)
