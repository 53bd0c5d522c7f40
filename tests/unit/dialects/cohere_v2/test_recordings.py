"""Answers of Cohere's servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

from typing import Any

import pytest

from relay.adapters.dialects.cohere_v2 import DIALECT, norm_request
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import a_scene
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded

pytestmark = needs_recordings

WHOLE = recorded("cohere", endpoint="chat", kind="json")
STREAMS = recorded("cohere", endpoint="chat", kind="sse")


def check_usage(answer: ChatResponse, told: Any) -> None:
    """Counts are those that are billed."""
    assert answer.usage is not None
    assert answer.usage.input_tokens == told["billed_units"]["input_tokens"]
    assert answer.usage.output_tokens == told["billed_units"]["output_tokens"]


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    answer = fold(check_splits(recording.body, DIALECT.decoder))
    said = {"text": "", "thinking": "", "tool_plan": "", "arguments": ""}
    for event in recording.events:
        message = event.get("delta", {}).get("message", {})
        content = message.get("content") or {}
        for name in ("text", "thinking"):
            said[name] += content.get(name, "") if isinstance(content, dict) else ""
        said["tool_plan"] += message.get("tool_plan", "")
        calls = message.get("tool_calls") or {}
        said["arguments"] += calls["function"]["arguments"] if isinstance(calls, dict) and calls else ""
    parts = answer.choices[0].parts
    texts = "".join(part.text for part in parts if isinstance(part, Text))
    assert texts == said["text"] + said["tool_plan"]
    assert "".join(part.text for part in parts if isinstance(part, Thinking)) == said["thinking"]
    assert "".join(part.arguments for part in parts if isinstance(part, ToolCall)) == said["arguments"]
    check_usage(answer, recording.events[-1]["delta"]["usage"])
    check_clients(answer)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_passes_through_a_tap(recording: Recording) -> None:
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene())
    answer = fold([*decoder.feed(recording.body), *decoder.close()])
    passed = tap.feed(recording.body).raw + tap.close().raw
    again = DIALECT.decoder()
    assert fold([*again.feed(passed), *again.close()]) == answer


@pytest.mark.parametrize("recording", WHOLE)
def test_a_recorded_answer_is_read(recording: Recording) -> None:
    answer = DIALECT.decode_response(recording.body)
    told = recording.value
    [choice] = answer.choices
    assert choice.raw_finish == told["finish_reason"]
    wanted = [part["text"] for part in told["message"].get("content") or () if part.get("text")]
    assert [part.text for part in choice.parts if isinstance(part, Text)] == [
        *wanted,
        *filter(None, [told["message"].get("tool_plan")]),
    ]
    assert [part.name for part in choice.parts if isinstance(part, ToolCall)] == [
        call["function"]["name"] for call in told["message"].get("tool_calls") or ()
    ]
    cited = [each for part in choice.parts if isinstance(part, Text) for each in part.citations]
    for citation in told["message"].get("citations") or ():
        assert any((each.start, each.end) == (citation["start"], citation["end"]) for each in cited)
    check_usage(answer, told["usage"])
    check_clients(answer)


@pytest.mark.parametrize("recording", recorded("cohere", failed=True))
def test_a_recorded_error_says_something(recording: Recording) -> None:
    assert DIALECT.decode_error(recording.body).message


@pytest.mark.parametrize("recording", WHOLE + STREAMS)
def test_a_recorded_request_settles(recording: Recording) -> None:
    request = DIALECT.decode_request(recording.request)
    assert DIALECT.decode_request(DIALECT.encode_request(request).body) == norm_request(request)
