"""Whole answers, read, written and renamed."""

import json

import pytest

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Malformed, Overloaded
from relay.domain.events import ChatResponse, Choice, TokenLogprob
from relay.domain.usage import Usage
from tests.unit.dialects.ollama_chat.hand_clock import HandClock

WHOLE = (
    b'{"model":"qwen3:8b","created_at":"2026-08-07T06:08:11.017589Z","message":{"role":"assistant","content":"Hi",'
    b'"thinking":"Hm","tool_calls":[{"id":"call_2k7ryu9k","function":{"index":0,"name":"f","arguments":{"a":2}}}]},'
    b'"done":true,"done_reason":"stop","total_duration":3,"prompt_eval_count":310,"eval_count":145}'
)


def test_a_whole_answer_is_read() -> None:
    assert DIALECT.decode_response(WHOLE) == ChatResponse(
        model="qwen3:8b",
        choices=(
            Choice(
                parts=(
                    Thinking(text="Hm"),
                    Text(text="Hi"),
                    ToolCall(id="call_2k7ryu9k", name="f", arguments='{"a":2}'),
                ),
                finish="tool_calls",
                raw_finish="stop",
            ),
        ),
        usage=Usage(input_tokens=310, output_tokens=145),
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", WHOLE.replace(b"true", b"false"), WHOLE[:-1]])
def test_what_is_no_whole_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        DIALECT.decode_response(body)


def test_an_error_in_place_of_an_answer_is_the_providers_failure() -> None:
    with pytest.raises(Overloaded, match="out of memory"):
        DIALECT.decode_response(b'{"error":"out of memory"}')


def test_a_whole_answer_is_written_as_one_object(scene: Scene, clock: HandClock) -> None:
    clock.now_ns += 2_000_000_000
    response = ChatResponse(
        model="upstream-name",
        choices=(
            Choice(
                parts=(
                    Text(text="a"),
                    Refusal(text="b"),
                    Thinking(text="Hm", signature="sealed"),
                    ToolCall(id="call_1", name="f", arguments=""),
                ),
                finish="tool_calls",
                logprobs=(TokenLogprob(token="a", logprob=-1.0),),
            ),
            Choice(parts=(Text(text="other"),), finish="stop", index=1),
        ),
        usage=Usage(input_tokens=3, output_tokens=4),
    )
    assert DIALECT.encode_response(response, scene) == (
        b'{"model":"basic","created_at":"2026-08-21T18:48:24Z","message":{"role":"assistant","content":"ab",'
        b'"thinking":"Hm","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{}}}]},'
        b'"done":true,"done_reason":"stop","logprobs":[{"token":"a","logprob":-1.0}],'
        b'"total_duration":2000000000,"load_duration":1,"prompt_eval_count":3,"prompt_eval_duration":1000000000,'
        b'"eval_count":4,"eval_duration":999999999}'
    )


def test_an_empty_answer_still_has_content(scene: Scene) -> None:
    body = DIALECT.encode_response(ChatResponse(choices=(Choice(parts=(), finish="length"),)), scene)
    answer = json.loads(body)
    assert answer["message"] == {"role": "assistant", "content": ""}
    assert answer["done_reason"] == "length"


def test_renaming_touches_nothing_but_the_model() -> None:
    renamed = DIALECT.rename_response(WHOLE, "basic")
    assert renamed == WHOLE.replace(b'"model":"qwen3:8b"', b'"model":"basic"')


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"x":"\xff"}'])
def test_what_is_no_answer_cannot_be_renamed(body: bytes) -> None:
    with pytest.raises(Malformed):
        DIALECT.rename_response(body, "basic")
