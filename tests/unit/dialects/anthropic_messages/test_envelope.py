"""A client's own body aimed at Anthropic: untouched but for what would be refused; and its tokens counted."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.anthropic_messages import DIALECT
from relay.adapters.dialects.anthropic_messages.counting import estimated_tokens, read_count, written_count
from relay.adapters.dialects.anthropic_messages.envelope import retarget_count
from relay.domain.errors import InvalidRequest, Malformed

HELLO = [{"role": "user", "content": "hi"}]


def aimed(body: bytes) -> bytes:
    return DIALECT.retarget(body, "theirs", count_usage=True).body


def test_a_body_keeps_its_spelling() -> None:
    body = b'{"model":"ours", "max_tokens":9,"messages":[ {"role":"user","content":"hi"} ],"x":1.50}'
    assert aimed(body) == (
        b'{"model":"theirs","max_tokens":9,"messages":[ {"role":"user","content":"hi"} ],"x":1.50}'
    )


def test_a_body_without_a_limit_gets_one_and_another_model_does_not_get_through() -> None:
    sent = json.loads(aimed(b'{"model":"m","Model":"claude-opus-5","messages":[]}'))
    assert sent == {"model": "theirs", "messages": [], "max_tokens": 8192}


def test_thoughts_without_a_seal_are_taken_out_and_sealed_ones_stay() -> None:
    sealed = {"type": "thinking", "thinking": "a", "signature": "s"}
    unsealed = {"type": "thinking", "thinking": "b", "signature": ""}
    said = {"type": "text", "text": "c"}
    turns: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": [unsealed, said]},
        {"role": "assistant", "content": [sealed, said]},
        {"role": "assistant", "content": [unsealed]},
    ]
    sent = json.loads(aimed(json.dumps({"model": "m", "messages": turns}).encode()))
    assert [turn["content"] for turn in sent["messages"]] == ["hi", [said], [sealed, said]]


@pytest.mark.parametrize(
    "messages", [b'"signature"', b'[{"content":[{"signature":7}]}]', b'[7,"signature"]', b"null"]
)
def test_what_is_odd_is_the_providers_to_refuse(messages: bytes) -> None:
    body = b'{"model":"theirs","messages":' + messages + b',"signature":1,"max_tokens":1}'
    assert aimed(body) == body


def test_a_count_is_asked_for_without_what_belongs_to_an_answer() -> None:
    wire = retarget_count(b'{"model":"m","max_tokens":9,"stream":true,"messages":[],"tools":[]}', "theirs")
    assert wire.path == "/v1/messages/count_tokens"
    assert json.loads(wire.body) == {"model": "theirs", "messages": [], "tools": []}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":[]}', b'{"model":7}', b"\xff"])
def test_a_body_without_a_model_is_the_clients_fault(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.peek(body)


def test_the_size_of_a_conversation_is_that_of_all_that_is_said() -> None:
    peeked = DIALECT.peek(b'{"model":"m","stream":true,"system":"be brief","messages":[1]}')
    assert (peeked.message_bytes, peeked.stream, peeked.include_usage) == (len('"be brief"[1]'), True, True)


def estimate(**members: Any) -> int:
    body = {"model": "m", "messages": HELLO, **members}
    return estimated_tokens(DIALECT.decode_request(json.dumps(body).encode()))


def test_an_estimate_grows_with_all_that_is_sent() -> None:
    plain = estimate()
    assert 1 <= plain <= 20
    assert estimate(messages=[{"role": "user", "content": "x" * 3500}]) >= 1000
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9_000_000},
    }
    assert plain + 1000 <= estimate(messages=[{"role": "user", "content": [picture]}]) <= 5000
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 900_000},
    }
    assert estimate(messages=[{"role": "user", "content": [pdf]}]) >= 20_000
    result = {"type": "tool_result", "tool_use_id": "t", "content": [picture]}
    assert estimate(messages=[{"role": "user", "content": [result]}]) >= 1600
    tool = {"name": "f", "description": "d" * 350, "input_schema": {}}
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert estimate(tools=[tool, search]) >= plain + 100


def test_a_count_is_a_number_or_the_provider_is_broken() -> None:
    assert read_count(b'{"input_tokens":7,"more":1}') == 7
    assert json.loads(written_count(7)) == {"input_tokens": 7}
    for body in (b"", b"{}", b'{"input_tokens":"7"}', b"\xff"):
        with pytest.raises(Malformed):
            read_count(body)
