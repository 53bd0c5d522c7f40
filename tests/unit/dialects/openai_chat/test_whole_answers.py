"""Answers that are not streamed, read and renamed."""

import json

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.errors import (
    Malformed,
    Overloaded,
)
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import (
    said,
    stream_of,
    whole,
)

STOP = said({}, "stop")


def test_a_whole_answer_means() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "reasoning": "hm",
        "refusal": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"n": 1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"n": 1.5}}},
        ],
    }
    answer = DIALECT.decode_response(
        b" \n" + whole(message, usage={"prompt_tokens": 1, "completion_tokens": 2})
    )
    (choice,) = answer.choices
    assert choice.parts == (
        Thinking(text="hm"),
        ToolCall(id="a", name="f", arguments='{"n": 1}'),
        ToolCall(id="b", name="g", arguments='{"n":1.5}'),
    )
    assert choice.finish == "tool_calls"
    assert answer.usage == Usage(input_tokens=1, output_tokens=2)


def test_calls_that_share_an_id_are_told_apart() -> None:
    calls = [{"id": "a", "function": {"name": name, "arguments": "{}"}} for name in ("f", "g")]
    (choice,) = DIALECT.decode_response(whole({"tool_calls": calls})).choices
    assert [part.name for part in choice.parts if isinstance(part, ToolCall)] == ["f", "g"]


def test_choices_that_share_an_index_are_told_apart() -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
    answer = DIALECT.decode_response(json.dumps({"choices": [choice, choice]}).encode())
    assert [choice.index for choice in answer.choices] == [0, 1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'"x"',
        whole({"content": "x"}, None),
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        DIALECT.decode_response(body)


def test_an_error_in_a_good_status_is_a_failure() -> None:
    with pytest.raises(Overloaded) as caught:
        DIALECT.decode_response(b'{"error":{"code":502,"message":"m"},"choices":[]}')
    assert caught.value.provider_status == 502


def test_a_stream_in_place_of_a_whole_answer_is_read() -> None:
    answer = DIALECT.decode_response(b": ping\n\n" + stream_of([said({"content": "x"}), STOP]))
    assert answer.choices[0].parts == (Text(text="x"),)
    with pytest.raises(Malformed):
        DIALECT.decode_response(stream_of([said({"content": "x"})]))


def test_renaming_touches_the_model_only() -> None:
    body = b'{"x":1.0,"model":"m","choices":[ {"a" : 1e5} ]}'
    assert DIALECT.rename_response(body, "n") == b'{"x":1.0,"model":"n","choices":[ {"a" : 1e5} ]}'
    assert json.loads(DIALECT.rename_response(b'{"t":"\\ud83d"}', "n")) == {"t": "\ufffd", "model": "n"}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":"\xff"}', b'{"a":' * 9999])
def test_what_is_no_object_cannot_be_renamed(body: bytes) -> None:
    with pytest.raises(Malformed):
        DIALECT.rename_response(body, "n")
