"""Embeddings of real servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.dialects.embeddings import OLLAMA, OPENAI
from relay.domain.embeddings import EmbedRequest, fitted

_FOLDER = os.environ.get("RELAY_RECORDINGS")
_PROVIDERS = ("openai-chat", "openrouter", "mistral", "ollama-compat", "ollama")

pytestmark = pytest.mark.skipif(not _FOLDER, reason="RELAY_RECORDINGS is not set")


def _recordings() -> list[Any]:
    paths = [path for name in _PROVIDERS for path in Path(_FOLDER or "", name).glob("embeddings--*.json")]
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths if _FOLDER]


@pytest.mark.parametrize("recording", _recordings())
def test_a_recorded_answer_is_read_whole(recording: Any) -> None:
    body = recording["response"]["body"].encode()
    written = json.loads(body)
    count = len(written.get("embeddings") or written.get("data"))
    asked = EmbedRequest(model="m", texts=("a",) * count)
    if recording["provider"] == "ollama":
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


@pytest.mark.parametrize(
    "recording", [param for param in _recordings() if param.values[0]["request"]["body"] is not None]
)
def test_a_recorded_request_is_understood(recording: Any) -> None:
    request = OPENAI.decode_request(json.dumps(recording["request"]["body"]).encode())
    assert OPENAI.decode_request(OPENAI.encode_request(request).body) == request
