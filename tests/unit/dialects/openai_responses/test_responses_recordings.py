"""Answers of real servers of Responses, for whoever has the recordings: see `tests/support/recordings.py`."""

import pytest

from relay.adapters.dialects.openai_responses import DIALECT, norm_request
from relay.domain.chat import Opaque, Text, ToolCall
from relay.domain.errors import RelayError
from relay.domain.events import Failed
from relay.domain.folding import fold
from tests.support.laws.language import a_scene
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded

pytestmark = needs_recordings

PROVIDERS = ("openai-responses", "xai", "openrouter", "deepseek", "perplexity")
STREAMS = recorded(*PROVIDERS, endpoint="responses", kind="sse")
WHOLE = recorded(*PROVIDERS, endpoint="responses", kind="json")


@pytest.mark.slow
@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    events = check_splits(recording.body, DIALECT.decoder)
    assert not isinstance(events[-1], Failed)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_is_read_and_passed_on(recording: Recording) -> None:
    body = recording.body
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene())
    cuts = [body[start : start + 9] for start in range(0, len(body), 9)]
    events = [event for cut in cuts for event in decoder.feed(cut)] + list(decoder.close())
    passed = b"".join(tap.feed(cut).raw for cut in cuts) + tap.close().raw
    answer = fold(events)
    again = DIALECT.decoder()
    read = fold([*again.feed(passed), *again.close()])
    assert (read.choices, read.usage, read.model) == (answer.choices, answer.usage, "asked-for")
    check_clients(answer)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_ends_as_its_last_event_says(recording: Recording) -> None:
    decoder = DIALECT.decoder()
    streamed = fold([*decoder.feed(recording.body), *decoder.close()]).choices[0]
    ends = ("response.completed", "response.incomplete")
    told = next(event["response"] for event in recording.events if event["type"] in ends)
    texts = [
        part["text"] for item in told["output"] for part in item.get("content") or () if "annotations" in part
    ]
    calls = [item["arguments"] for item in told["output"] if item["type"] == "function_call"]
    assert [part.text for part in streamed.parts if isinstance(part, Text)] == [
        text for text in texts if text
    ]
    assert [part.arguments for part in streamed.parts if isinstance(part, ToolCall)] == calls


@pytest.mark.parametrize("recording", WHOLE)
def test_a_recorded_answer_is_read(recording: Recording) -> None:
    answer = DIALECT.decode_response(recording.body)
    said = recording.value
    parts = answer.choices[0].parts
    own = [item for item in said["output"] if item["type"] not in ("message", "reasoning", "function_call")]
    assert sum(isinstance(part, Opaque) for part in parts) == len(own)
    assert sum(isinstance(part, ToolCall) for part in parts) == sum(
        item["type"] == "function_call" for item in said["output"]
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == said["usage"]["total_tokens"]
    check_clients(answer)


@pytest.mark.parametrize("recording", recorded(*PROVIDERS, endpoint="responses", failed=True))
def test_a_recorded_error_says_something(recording: Recording) -> None:
    assert DIALECT.decode_error(recording.body).message


@pytest.mark.parametrize("recording", WHOLE + STREAMS)
def test_a_recorded_request_settles(recording: Recording) -> None:
    try:
        request = DIALECT.decode_request(recording.request)
    except RelayError as refusal:
        pytest.skip(f"it needs what the provider kept: {refusal.message}")
    assert DIALECT.decode_request(DIALECT.encode_request(request).body) == norm_request(request)
