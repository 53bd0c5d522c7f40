"""What is read before anything else, and the client's own body aimed at a provider."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.errors import InvalidRequest
from tests.unit.dialects.openai_chat.talk import body_of


def test_the_envelope_is_read_and_the_conversation_weighed() -> None:
    envelope = DIALECT.peek(b'{"model":"a/b@x","stream":true,"messages":[{"role":"user"}],"foo":1}')
    assert (envelope.model, envelope.stream, envelope.include_usage) == ("a/b@x", True, False)
    assert envelope.message_bytes == len('[{"role":"user"}]')


@pytest.mark.parametrize(
    ("stream", "options", "told"),
    [
        (True, {"include_usage": True}, True),
        (True, {"include_usage": False}, False),
        (True, {}, False),
        (True, None, False),
        (False, {"include_usage": True}, False),
    ],
)
def test_usage_in_a_stream_is_asked_for(stream: bool, options: object, told: bool) -> None:
    assert DIALECT.peek(body_of(stream=stream, stream_options=options)).include_usage is told


@pytest.mark.parametrize("body", [b"{}", b'{"model":null}', b'{"model":""}'])
def test_a_request_without_a_model_is_refused_as_openai_does(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(body)
    assert (caught.value.code, caught.value.param) == ("missing_required_parameter", "model")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"model":5}',
        body_of() + b"{}",
        b'{"model":"m","messages":["\xff"]}',
        b'{"a":' * 9999,
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.peek(body)


def test_a_body_with_a_lone_surrogate_is_read_all_the_same() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}'
    assert DIALECT.peek(body).model == "m"
    assert (
        json.loads(DIALECT.retarget(body, "x", count_usage=True).body)["messages"][0]["content"] == "\ufffd"
    )


def test_retargeting_touches_the_model_and_the_usage_flag_only() -> None:
    body = (
        b'{ "b": [1.0, {"x" : 1e5}], "model":"m", "stream":true, '
        b'"stream_options":{"include_obfuscation":false}, "a":2}'
    )
    wire = DIALECT.retarget(body, "gpt", count_usage=True)
    assert wire.path == "/chat/completions"
    assert wire.losses == ()
    assert wire.body == (
        b'{"b":[1.0, {"x" : 1e5}],"model":"gpt","stream":true,'
        b'"stream_options":{"include_obfuscation":false,"include_usage":true},"a":2}'
    )


def test_null_and_empty_settings_do_not_pass() -> None:
    body = b'{"model":"m","stop":null,"tools":[ ],"messages":[{"content":null,"x":[]}],"user":""}'
    wire = DIALECT.retarget(body, "x", count_usage=True)
    assert wire.body == b'{"model":"x","messages":[{"content":null,"x":[]}],"user":""}'


def test_a_long_id_of_a_call_is_shortened_alike_in_call_and_result() -> None:
    long, short = "call_" + "x" * 85, "call_1"
    calls: list[Any] = [{"id": long, "a": 1.0}, {"id": short}, "odd", {"id": 5}]
    messages: list[Any] = [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": long, "b": {"id": long}},
        {"role": "tool", "tool_call_id": short},
        "odd",
        {"role": "assistant", "tool_calls": "odd"},
    ]
    sent = json.loads(DIALECT.retarget(body_of(messages=messages), "x", count_usage=True).body)["messages"]
    fitted = sent[1]["tool_call_id"]
    assert len(fitted) <= 64
    assert fitted.startswith("call_xxx")
    assert sent == [
        {**messages[0], "tool_calls": [{"id": fitted, "a": 1.0}, *calls[1:]]},
        {**messages[1], "tool_call_id": fitted},
        *messages[2:],
    ]


@pytest.mark.parametrize(
    ("body", "count_usage"),
    [
        (b'{"model":"m"}', True),
        (b'{"model":"m","stream":false}', True),
        (b'{"model":"m","stream":null}', True),
        (b'{"model":"m","stream":true}', False),
    ],
)
def test_usage_is_asked_for_only_in_a_stream_and_only_when_wanted(body: bytes, count_usage: bool) -> None:
    assert b"stream_options" not in DIALECT.retarget(body, "x", count_usage=count_usage).body


@pytest.mark.parametrize("options", ["null", "{}", '{"include_usage":false}', '"odd"'])
def test_usage_is_asked_for_whatever_the_options_were(options: str) -> None:
    body = f'{{"model":"m","stream":true,"stream_options":{options}}}'.encode()
    assert json.loads(DIALECT.retarget(body, "x", count_usage=True).body)["stream_options"] == {
        "include_usage": True
    }


def test_of_a_doubled_member_the_last_is_sent_alone() -> None:
    body = DIALECT.retarget(
        b'{"model":"a","model":"b","messages":[1],"messages":[2]}', "x", count_usage=True
    ).body
    assert body == b'{"model":"x","messages":[2]}'
