"""Answers of the real Anthropic: see `tests/support/recordings.py`."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from relay.adapters.dialects.anthropic_messages import DIALECT, norm_request
from relay.adapters.outbound.http.failures import refusal
from relay.domain.chat import Opaque, Text, Thinking, ToolCall
from relay.domain.errors import BadCredential, Rejected
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.recordings import Recording, check_clients, check_splits, needs_recordings, recorded

pytestmark = needs_recordings


def blocks_of(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A plain reading of a stream: its blocks as a whole answer has them."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            for member, name in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                blocks[-1][name] = blocks[-1].get(name, "") + delta.get(member, "")
            blocks[-1]["signature"] = delta.get("signature", blocks[-1].get("signature"))
    return [{**block, "input": json.loads(block["json"])} if block["json"] else block for block in blocks]


def check(answer: ChatResponse, blocks: list[dict[str, Any]], usage: dict[str, Any], word: str) -> None:
    """Against a plain reading: every block, its order, its words and its seals; the stop word; the counts."""
    assert answer.choices[0].raw_finish == word
    assert answer.usage is not None
    assert answer.usage.output_tokens == usage["output_tokens"]
    cached = usage.get("cache_creation_input_tokens", 0) + usage.get("cache_read_input_tokens", 0)
    assert answer.usage.input_tokens == usage["input_tokens"] + cached
    said = [block for block in blocks if block["type"] != "text" or block["text"]]
    assert len(answer.choices[0].parts) == len(said)
    for part, block in zip(answer.choices[0].parts, said, strict=True):
        match part:
            case Text(text=text):
                assert (block["type"], block["text"]) == ("text", text)
            case Thinking(sealed=sealed) if sealed:
                assert (block["type"], block["data"]) == ("redacted_thinking", sealed)
            case Thinking():
                assert (block["thinking"], block["signature"]) == (part.text, part.signature)
            case ToolCall():
                assert (block["id"], block["name"], block["input"]) == (
                    part.id, part.name, json.loads(part.arguments),
                )  # fmt: skip
            case Opaque(json=text):
                told = json.loads(text)
                assert told == {name: block[name] for name in told}
            case _:
                pytest.fail(f"{part} is nothing that was recorded")
    check_clients(answer)


@pytest.mark.slow
@pytest.mark.parametrize("recording", recorded("anthropic", endpoint="messages", kind="sse"))
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    events = recording.events
    first = next(event["message"]["usage"] for event in events if event["type"] == "message_start")
    last = next(event for event in events if event["type"] == "message_delta")
    answer = fold(check_splits(recording.body, DIALECT.decoder))
    check(answer, blocks_of(events), first | last["usage"], last["delta"]["stop_reason"])


@pytest.mark.parametrize("recording", recorded("anthropic", endpoint="messages", kind="json"))
def test_a_recorded_whole_answer_is_read(recording: Recording) -> None:
    told = recording.value
    check(DIALECT.decode_response(recording.body), told["content"], told["usage"], told["stop_reason"])


@pytest.mark.parametrize("recording", recorded("anthropic", endpoint="messages", failed=True))
def test_a_recorded_error_is_what_it_says(recording: Recording) -> None:
    fault = DIALECT.decode_error(recording.body)
    failure = refusal(recording.status, recording.headers, fault, now_s=0)
    assert fault.message == recording.value["error"]["message"]
    if recording.status == 401:
        assert isinstance(failure, BadCredential)
    else:
        assert isinstance(failure, Rejected)
        assert (failure.status, failure.message) == (recording.status, fault.message)


@pytest.mark.parametrize(
    "recording",
    [
        *recorded("anthropic", endpoint="messages"),
        *recorded("anthropic", endpoint="messages", failed=True),
    ],
)
def test_a_recorded_request_is_understood_and_settles(recording: Recording) -> None:
    read = DIALECT.decode_request(recording.request)
    written = DIALECT.encode_request(read)
    assert DIALECT.decode_request(written.body) == norm_request(read)
    sent, again = json.loads(recording.request), json.loads(written.body)
    assert {name for name in sent if sent[name] not in (None, False)} <= {*again, "thinking"}
