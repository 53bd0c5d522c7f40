"""Answers of Google's servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import json
import re
from typing import Any

import pytest

from relay.adapters.dialects.base import WireRequest
from relay.adapters.dialects.gemini_generate import DIALECT, norm_request
from relay.adapters.dialects.gemini_generate.reading import REASONS
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import a_scene
from tests.support.laws.languages import from_path
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded

pytestmark = needs_recordings

WHOLE = recorded("gemini", endpoint="generateContent")
STREAMS = recorded("gemini", endpoint="streamGenerateContent")
FAILED = [
    *recorded("gemini", endpoint="generateContent", failed=True),
    *recorded("gemini", endpoint="countTokens", failed=True),
]


def objects(recording: Recording) -> list[Any]:
    """The objects of a stream, events or array."""
    return recording.events if recording.kind == "sse" else recording.value


def check_against(answer: ChatResponse, told: list[Any]) -> None:
    """What is read holds what was told: words, calls, counts and the finish."""
    parts = [part for each in told for part in each["candidates"][0].get("content", {}).get("parts", ())]
    for kind, is_thought in (("Text", False), ("Thinking", True)):
        wanted = "".join(part.get("text", "") for part in parts if bool(part.get("thought")) is is_thought)
        read = [part for part in answer.choices[0].parts if type(part).__name__ == kind]
        assert "".join(getattr(part, "text", "") for part in read) == wanted
    calls = [part for part in answer.choices[0].parts if type(part).__name__ == "ToolCall"]
    assert [(getattr(call, "name", ""), json.loads(getattr(call, "arguments", ""))) for call in calls] == [
        (part["functionCall"]["name"], part["functionCall"].get("args", {}))
        for part in parts
        if "functionCall" in part
    ]
    signatures = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
    kept = [getattr(part, "signature", "") or getattr(part, "json", "") for part in answer.choices[0].parts]
    assert all(any(signature in each for each in kept) for signature in signatures)
    last = told[-1]["candidates"][0]["finishReason"]
    assert answer.choices[0].raw_finish == last
    assert answer.choices[0].finish == ("tool_calls" if calls and last == "STOP" else REASONS[last])
    counts = told[-1]["usageMetadata"]
    spoken = counts.get("candidatesTokenCount", 0) + counts.get("thoughtsTokenCount", 0)
    assert answer.usage is not None
    assert answer.usage.output_tokens == spoken
    assert answer.usage.total_tokens == counts.get("totalTokenCount", spoken)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    answer = fold(check_splits(recording.body, DIALECT.decoder))
    check_against(answer, objects(recording))
    check_clients(answer)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_passes_through_a_tap(recording: Recording) -> None:
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene())
    answer = fold([*decoder.feed(recording.body), *decoder.close()])
    passed = tap.feed(recording.body).raw + tap.close().raw
    again = DIALECT.decoder()
    read = fold([*again.feed(passed), *again.close()])
    assert (read.choices, read.usage, read.model) == (answer.choices, answer.usage, "asked-for")


@pytest.mark.parametrize("recording", WHOLE)
def test_a_recorded_answer_is_read(recording: Recording) -> None:
    answer = DIALECT.decode_response(recording.body)
    check_against(answer, [recording.value])
    check_clients(answer)


@pytest.mark.parametrize("recording", FAILED)
def test_a_recorded_error_says_something(recording: Recording) -> None:
    fault = DIALECT.decode_error(recording.body)
    assert fault.message
    assert fault.code
    if recording.status == 429:
        assert fault.retry_after_s == 48


@pytest.mark.parametrize("recording", WHOLE + STREAMS)
def test_a_recorded_request_settles(recording: Recording) -> None:
    matched = re.search(r"(/models/[^/:]+:(?:generateContent|streamGenerateContent))", recording.url)
    assert matched
    path = matched[1] + ("?alt=sse" if "stream" in matched[1] else "")
    request = DIALECT.decode_request(from_path(WireRequest(path=path, body=recording.request)))
    again = DIALECT.decode_request(from_path(DIALECT.encode_request(request)))
    assert again == norm_request(request)
