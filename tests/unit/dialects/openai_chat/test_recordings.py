"""Answers of real servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT, norm_request
from relay.domain.errors import RelayError
from relay.domain.events import Failed
from relay.domain.folding import fold
from tests.unit.dialects.openai_chat.talk import a_scene

_FOLDER = os.environ.get("RELAY_RECORDINGS")

pytestmark = pytest.mark.skipif(not _FOLDER, reason="RELAY_RECORDINGS is not set")

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


def recordings(kind: str, status: int = 200) -> list[Any]:
    """The chat recordings of one kind of body."""
    paths = [path for name in PROVIDERS for path in sorted(Path(_FOLDER or "none", name).glob("*.json"))]
    found = [(path.stem, json.loads(path.read_text())) for path in paths]
    return [
        pytest.param(recording, id=name)
        for name, recording in found
        if recording["endpoint"] == "chat"
        and recording["response"]["body_kind"] == kind
        and (recording["response"]["status"] == 200) == (status == 200)
    ]


@pytest.mark.parametrize("recording", recordings("sse"))
def test_a_recorded_stream_is_read_and_passed_on(recording: Any) -> None:
    body = recording["response"]["body"].encode()
    decoder, tap = DIALECT.decoder(), DIALECT.tap(a_scene(include_usage=True))
    cuts = [body[start : start + 9] for start in range(0, len(body), 9)]
    events = [event for cut in cuts for event in decoder.feed(cut)] + list(decoder.close())
    passed = b"".join(tap.feed(cut).raw for cut in cuts) + tap.close().raw
    if "error-in-stream" in recording["tags"]:
        assert isinstance(events[-1], Failed)
        assert b"[DONE]" not in passed
        return
    answer = fold(events)
    again = DIALECT.decoder()
    read = fold([*again.feed(passed), *again.close()])
    assert (read.choices, read.usage, read.model) == (answer.choices, answer.usage, "asked-for")


@pytest.mark.parametrize("recording", recordings("json"))
def test_a_recorded_answer_is_read(recording: Any) -> None:
    body = recording["response"]["body"]
    answer = DIALECT.decode_response(body.encode())
    said = json.loads(body)
    assert [choice.raw_finish for choice in answer.choices] == [
        choice.get("native_finish_reason") or choice["finish_reason"] for choice in said["choices"]
    ]
    assert answer.usage is not None
    assert answer.usage.total_tokens == said["usage"]["total_tokens"]


@pytest.mark.parametrize("recording", recordings("json", status=400))
def test_a_recorded_error_says_something(recording: Any) -> None:
    assert DIALECT.decode_error(recording["response"]["body"].encode()).message


@pytest.mark.parametrize("recording", recordings("json") + recordings("sse"))
def test_a_recorded_request_settles(recording: Any) -> None:
    body = json.dumps(recording["request"]["body"]).encode()
    try:
        request = DIALECT.decode_request(body)
    except RelayError as refusal:
        pytest.skip(f"not one of this dialect's: {refusal.message}")
    assert DIALECT.decode_request(DIALECT.encode_request(request).body) == norm_request(request)
