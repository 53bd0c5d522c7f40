"""Answers of real servers, for whoever has the recordings: `RELAY_RECORDINGS` names their folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.chat import Text, Thinking
from relay.domain.folding import fold

_FOLDER = os.environ.get("RELAY_RECORDINGS")

pytestmark = pytest.mark.skipif(not _FOLDER, reason="RELAY_RECORDINGS is not set")


def _recordings(kind: str) -> list[Any]:
    paths = sorted(Path(_FOLDER, "ollama").glob("*.json")) if _FOLDER else []
    found = [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]
    return [param for param in found if _is(kind, param.values[0])]


def _is(kind: str, recording: Any) -> bool:
    response = recording["response"]
    traits = (recording["endpoint"], response["body_kind"], response["status"])
    return traits == ("api-chat", kind, 200)


@pytest.mark.parametrize("recording", _recordings("ndjson"))
def test_a_recorded_stream_is_read_to_its_end(recording: Any) -> None:
    body = recording["response"]["body"].encode()
    decoder = DIALECT.decoder()
    events = [event for start in range(0, len(body), 9) for event in decoder.feed(body[start : start + 9])]
    answer = fold([*events, *decoder.close()])
    written = [json.loads(line) for line in body.splitlines()]
    assert answer.usage is not None
    assert answer.usage.output_tokens == written[-1]["eval_count"]
    said = "".join(line["message"]["content"] for line in written)
    thought = "".join(line["message"].get("thinking", "") for line in written)
    calls = [call for line in written for call in line["message"].get("tool_calls", ())]
    parts = answer.choices[0].parts
    texts = [part.text for part in parts if isinstance(part, Text | Thinking)]
    assert texts == [text for text in (thought, said) if text]
    assert len(parts) == len(texts) + len(calls)


@pytest.mark.parametrize("recording", _recordings("json"))
def test_a_recorded_whole_answer_is_read(recording: Any) -> None:
    body = recording["response"]["body"]
    answer = DIALECT.decode_response(body.encode() if isinstance(body, str) else json.dumps(body).encode())
    assert answer.choices[0].parts
    assert answer.usage is not None


@pytest.mark.parametrize("recording", [*_recordings("ndjson"), *_recordings("json")])
def test_a_recorded_request_is_understood(recording: Any) -> None:
    if recording["request"]["body"] is None:
        pytest.skip("the source kept no request")
    request = DIALECT.decode_request(json.dumps(recording["request"]["body"]).encode())
    assert DIALECT.decode_request(DIALECT.encode_request(request).body) == request
