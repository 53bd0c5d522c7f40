"""Answers of real servers of OpenAI's chat, for whoever has the recordings: see `tests/support/recordings.py`."""

import pytest

from relay.adapters.dialects.openai_chat import DIALECT, norm_request
from relay.domain.errors import RelayError
from relay.domain.events import Failed
from relay.domain.folding import fold
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded
from tests.unit.dialects.openai_chat.talk import a_scene

pytestmark = needs_recordings

PROVIDERS = (
    "openai-chat",
    "groq",
    "deepseek",
    "mistral",
    "together",
    "cerebras",
    "openrouter",
    "ollama-compat",
    "xai",
)
STREAMS = recorded(*PROVIDERS, endpoint="chat", kind="sse")
WHOLE = recorded(*PROVIDERS, endpoint="chat", kind="json")


@pytest.mark.slow
@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    events = check_splits(recording.body, DIALECT.decoder)
    assert isinstance(events[-1], Failed) == ("error-in-stream" in recording.tags)


@pytest.mark.parametrize("recording", STREAMS)
def test_a_recorded_stream_is_read_and_passed_on(recording: Recording) -> None:
    body = recording.body
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene(include_usage=True))
    cuts = [body[start : start + 9] for start in range(0, len(body), 9)]
    events = [event for cut in cuts for event in decoder.feed(cut)] + list(decoder.close())
    passed = b"".join(tap.feed(cut).raw for cut in cuts) + tap.close().raw
    if "error-in-stream" in recording.tags:
        assert isinstance(events[-1], Failed)
        assert b"[DONE]" not in passed
        return
    answer = fold(events)
    again = DIALECT.decoder()
    read = fold([*again.feed(passed), *again.close()])
    assert (read.choices, read.usage, read.model) == (answer.choices, answer.usage, "asked-for")
    check_clients(answer)


@pytest.mark.parametrize("recording", WHOLE)
def test_a_recorded_answer_is_read(recording: Recording) -> None:
    answer = DIALECT.decode_response(recording.body)
    said = recording.value
    assert [choice.raw_finish for choice in answer.choices] == [
        choice.get("native_finish_reason") or choice["finish_reason"] for choice in said["choices"]
    ]
    assert answer.usage is not None
    assert answer.usage.total_tokens == said["usage"]["total_tokens"]
    check_clients(answer)


@pytest.mark.parametrize("recording", recorded(*PROVIDERS, endpoint="chat", failed=True))
def test_a_recorded_error_says_something(recording: Recording) -> None:
    assert DIALECT.decode_error(recording.body).message


@pytest.mark.parametrize("recording", WHOLE + STREAMS)
def test_a_recorded_request_settles(recording: Recording) -> None:
    try:
        request = DIALECT.decode_request(recording.request)
        body = DIALECT.encode_request(request).body
    except RelayError as refusal:
        pytest.skip(f"not one of this dialect's: {refusal.message}")
    assert DIALECT.decode_request(body) == norm_request(request)
