"""Answers of real Ollama servers, chat and generate: see `tests/support/recordings.py`."""

from typing import Any

import pytest

from relay.adapters.dialects import ollama_chat, ollama_generate
from relay.adapters.dialects.base import Dialect
from relay.adapters.outbound.http.failures import refusal
from relay.domain.chat import Text, Thinking
from relay.domain.errors import Rejected
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded

pytestmark = needs_recordings

DIALECTS: dict[str, Dialect] = {
    "api-chat": ollama_chat.DIALECT,
    "api-generate": ollama_generate.DIALECT,
}


def of(kind: Any) -> list[Any]:
    return [param for endpoint in DIALECTS for param in recorded("ollama", endpoint=endpoint, kind=kind)]


def check(answer: ChatResponse, lines: list[dict[str, Any]]) -> None:
    """Against a plain reading of the lines."""
    assert answer.usage is not None
    assert answer.usage.input_tokens == lines[-1].get("prompt_eval_count")
    assert answer.usage.output_tokens == lines[-1]["eval_count"]
    messages = [line.get("message", line) for line in lines]
    said = "".join(message.get("content") or message.get("response") or "" for message in messages)
    thought = "".join(message.get("thinking") or "" for message in messages)
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    parts = answer.choices[0].parts
    texts = [part.text for part in parts if isinstance(part, Text | Thinking)]
    assert texts == [text for text in (thought, said) if text]
    assert len(parts) == len(texts) + len(calls)
    check_clients(answer)


@pytest.mark.slow
@pytest.mark.parametrize("recording", of("ndjson"))
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    check(fold(check_splits(recording.body, DIALECTS[recording.endpoint].decoder)), recording.events)


@pytest.mark.parametrize("recording", of("json"))
def test_a_recorded_whole_answer_is_read(recording: Recording) -> None:
    check(DIALECTS[recording.endpoint].decode_response(recording.body), [recording.value])


@pytest.mark.parametrize("recording", recorded("ollama", failed=True))
def test_a_recorded_error_is_what_it_says(recording: Recording) -> None:
    fault = DIALECTS[recording.endpoint].decode_error(recording.body)
    failure = refusal(recording.status, recording.headers, fault, now_s=0)
    assert isinstance(failure, Rejected)
    assert failure.message == recording.value["error"]


@pytest.mark.parametrize(
    "recording", [param for param in (*of("ndjson"), *of("json")) if param.values[0].asked is not None]
)
def test_a_recorded_request_is_understood(recording: Recording) -> None:
    dialect = DIALECTS[recording.endpoint]
    request = dialect.decode_request(recording.request)
    assert dialect.decode_request(dialect.encode_request(request).body) == request
