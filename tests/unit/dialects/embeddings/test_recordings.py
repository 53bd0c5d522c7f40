"""Embeddings of real servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import math

import pytest

from relay.adapters.dialects.embeddings import OLLAMA, OPENAI
from relay.domain.embeddings import EmbedRequest, fitted
from tests.support.recordings import Recording, needs_recordings, recorded

pytestmark = needs_recordings

RECORDED = [
    *recorded("openai-chat", "openrouter", "mistral", "ollama-compat", endpoint="embeddings"),
    *recorded("ollama", endpoint="api-embed"),
]


@pytest.mark.parametrize("recording", RECORDED)
def test_a_recorded_answer_is_read_whole(recording: Recording) -> None:
    body, written = recording.body, recording.value
    count = len(written.get("embeddings") or written.get("data"))
    asked = EmbedRequest(model="m", texts=("a",) * count)
    if recording.provider == "ollama":
        reading = OLLAMA.decode_response(body, asked)
        assert reading.response.usage is not None
        assert reading.response.usage.input_tokens == written["prompt_eval_count"]
        assert [list(vector) for vector in reading.response.vectors] == written["embeddings"]
    else:
        reading = OPENAI.decode_response(body, asked)
        assert reading.response.usage is not None
        assert reading.response.usage.input_tokens == written["usage"]["prompt_tokens"]
    assert fitted(reading.response, asked) is reading.response
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-3) for vector in reading.response.vectors)


@pytest.mark.parametrize("recording", [param for param in RECORDED if param.values[0].asked is not None])
def test_a_recorded_request_is_understood(recording: Recording) -> None:
    request = OPENAI.decode_request(recording.request)
    assert OPENAI.decode_request(OPENAI.encode_request(request).body) == request
