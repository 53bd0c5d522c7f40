"""Embeddings of real servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import math

import pytest

from relay.adapters.dialects.embeddings import COHERE, GEMINI, OLLAMA, OPENAI, PERPLEXITY
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


@pytest.mark.parametrize("recording", recorded("gemini", endpoint="batchEmbedContents"))
def test_geminis_recorded_vectors_are_read_and_brought_to_length_1(recording: Recording) -> None:
    count = len(recording.asked["requests"])
    asked = EmbedRequest(model="m", texts=("a",) * count, dimensions=768)
    vectors = GEMINI.decode_response(recording.body, asked).response.vectors
    assert [len(vector) for vector in vectors] == [768] * count
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-9) for vector in vectors)
    told = recording.value["embeddings"][0]["values"]
    assert vectors[0][0] / vectors[0][1] == pytest.approx(told[0] / told[1])


@pytest.mark.parametrize("recording", recorded("cohere", endpoint="embeddings"))
def test_coheres_recorded_vectors_are_read(recording: Recording) -> None:
    asked = EmbedRequest(model="m", texts=tuple(recording.asked["texts"]))
    response = COHERE.decode_response(recording.body, asked).response
    assert [list(vector) for vector in response.vectors] == recording.value["embeddings"]["float"]
    assert response.usage is not None
    assert response.usage.input_tokens == recording.value["meta"]["billed_units"]["input_tokens"]
    assert COHERE.decode_request(recording.request).texts == asked.texts


@pytest.mark.parametrize("recording", recorded("perplexity", endpoint="embeddings"))
def test_perplexitys_recorded_bytes_become_vectors_of_length_1(recording: Recording) -> None:
    asked = EmbedRequest(model="m", texts=("a",) * len(recording.value["data"]))
    response = PERPLEXITY.decode_response(recording.body, asked).response
    assert response.usage is not None
    assert response.usage.input_tokens == recording.value["usage"]["prompt_tokens"]
    assert all(len(vector) == 1024 for vector in response.vectors)
    assert all(math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-9) for vector in response.vectors)
