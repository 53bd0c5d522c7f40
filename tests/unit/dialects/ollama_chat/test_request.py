"""What a caller's request is understood as."""

import base64
import json
from collections.abc import Mapping

import pytest

from relay.adapters.dialects.ollama_chat import DIALECT, load_or_unload
from relay.domain.chat import (
    ChatRequest,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


def asked(**members: object) -> ChatRequest:
    return DIALECT.decode_request(json.dumps({"model": "basic", **members}).encode())


def said(*messages: Mapping[str, object]) -> tuple[Message, ...]:
    return asked(messages=list(messages)).messages


def refusal(**members: object) -> str:
    with pytest.raises(InvalidRequest) as refused:
        asked(**members)
    return refused.value.message


def test_a_call_streams_unless_it_says_otherwise() -> None:
    assert asked().stream
    assert asked(stream=None).stream
    assert not asked(stream=False).stream
    assert DIALECT.peek(b'{"model":"basic"}').stream
    assert not DIALECT.peek(b'{"model":"basic","stream":false}').stream


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_missing(body: bytes) -> None:
    for read in (DIALECT.peek, DIALECT.decode_request, load_or_unload):
        with pytest.raises(InvalidRequest, match=r"^missing request body$"):
            read(body)


@pytest.mark.parametrize("body", [b"{}", b'{"model":""}', b'{"model":null,"messages":[]}'])
def test_a_model_is_required(body: bytes) -> None:
    for read in (DIALECT.peek, DIALECT.decode_request):
        with pytest.raises(InvalidRequest, match=r"^model is required$"):
            read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":',
        b"[]",
        b"null",
        b'{"model":5}',
        b'{"model":"m","stream":"yes"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    for read in (DIALECT.peek, DIALECT.decode_request):
        with pytest.raises(InvalidRequest):
            read(body)


def test_keys_are_read_in_any_case() -> None:
    body = (
        b'{"Model":"basic","MESSAGES":[{"Role":"user","Content":"hi"},'
        b'{"role":"assistant","Tool_Calls":[{"ID":"call_1","Function":{"NAME":"f","Arguments":{"Key":1.0}}}]}],'
        b'"Stream":false}'
    )
    assert DIALECT.decode_request(body) == ChatRequest(
        model="basic",
        messages=(
            Message(role="user", parts=(Text(text="hi"),)),
            Message(role="assistant", parts=(ToolCall(id="call_1", name="f", arguments='{"Key":1.0}'),)),
        ),
    )
    envelope = DIALECT.peek(body)
    assert (envelope.model, envelope.stream) == ("basic", False)


def test_null_is_the_same_as_absent() -> None:
    names = ("stream", "format", "keep_alive", "tools", "options", "think", "truncate", "logprobs", "zzz")
    assert asked(messages=[], **dict.fromkeys(names)) == asked()
    message = {"role": "user", "content": None, "images": None, "tool_calls": None, "tool_name": None}
    assert said(message) == (Message(role="user", parts=()),)


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"model":"m"}', b'{"model":"m"} {"model":"n"}', b'{"model":"m"}]']
)
def test_only_the_first_value_is_read_and_a_bom_is_no_part_of_it(body: bytes) -> None:
    assert DIALECT.decode_request(body).model == "m"
    assert DIALECT.peek(body).model == "m"


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"cut \\ud83d"}]}'
    assert DIALECT.decode_request(body).messages[0].parts == (Text(text="cut \ufffd"),)


def test_fields_without_a_neutral_form_are_kept_for_ollama() -> None:
    request = asked(keep_alive="5m", truncate=False, shift=True, foo={"a": 1}, options={"num_ctx": 8192.0})
    assert request.extras == {
        "ollama.chat": {
            "keep_alive": '"5m"',
            "truncate": "false",
            "shift": "true",
            "foo": '{"a": 1}',
            "options": '{"num_ctx":8192.0}',
        }
    }


@pytest.mark.parametrize(
    ("role", "expected"),
    [("USER", "user"), ("System", "system"), ("developer", "system"), ("control", "user"), (None, "user")],
)
def test_roles_are_lowered_and_an_invented_one_is_a_users(role: str | None, expected: str) -> None:
    (message,) = said({"role": role, "content": "hi"})
    assert message.role == expected


def test_a_list_of_parts_is_accepted_as_content() -> None:
    (message,) = said(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is"},
                {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{PNG}"}},
                {"type": "image_url", "image_url": "https://example.com/a.png"},
                {"type": "text", "text": "this?"},
            ],
        }
    )
    assert message.parts == (
        Text(text="What is\nthis?"),
        Image(data=PNG, media_type="image/png"),
        Image(url="https://example.com/a.png"),
    )


@pytest.mark.parametrize(
    "part", [{"type": "video"}, {"type": "image_url"}, "text", 5, {"type": "text", "text": 1}]
)
def test_a_part_that_is_neither_text_nor_image_is_refused(part: object) -> None:
    assert "content" in refusal(messages=[{"role": "user", "content": [part]}])


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM", None),
    ],
)
def test_the_media_type_of_an_image_is_read_from_its_bytes(head: bytes, media_type: str | None) -> None:
    data = base64.b64encode(head + bytes(9)).decode()
    for written in (data, f"data:application/octet-stream;base64,{data}", f"{data[:8]}\r\n{data[8:]}"):
        (message,) = said({"role": "user", "images": [written]})
        assert message.parts == (Image(data=data, media_type=media_type),)


@pytest.mark.parametrize(
    "data", ["%%%", "", "abc", "data:image/png;base64,", "https://example.com/a.png", "é"]
)
def test_an_image_that_is_not_base64_is_refused(data: str) -> None:
    assert refusal(messages=[{"role": "user", "images": [data]}]) == "an image is not valid base64 data"


def test_thinking_text_and_calls_of_an_assistant_are_kept_in_this_order() -> None:
    (message,) = said(
        {
            "role": "assistant",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": {}}}],
            "content": "Wait.",
            "thinking": "Hm",
        }
    )
    assert message.parts == (
        Thinking(text="Hm"),
        Text(text="Wait."),
        ToolCall(id="call_1", name="f", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"b": 1.0, "a": [1e5]}', '{"b":1.0,"a":[1e5]}'),
        (b'"{\\"b\\": 1.0}"', '{"b":1.0}'),
        (b'""', "{}"),
        (b"null", "{}"),
        (b'"{\\"b\\""', '{"_raw":"{\\"b\\""}'),
        (b"[1]", '{"_raw":"[1]"}'),
    ],
)
def test_arguments_keep_their_order_and_numbers_and_are_an_object_in_the_end(
    written: bytes, read: str
) -> None:
    body = (
        b'{"model":"m","messages":[{"role":"assistant","tool_calls":'
        b'[{"id":"call_1","function":{"name":"f","arguments":%b}}]}]}' % written
    )
    assert DIALECT.decode_request(body).messages[0].parts == (
        ToolCall(id="call_1", name="f", arguments=read),
    )


def test_a_call_without_arguments_has_none() -> None:
    (message,) = said({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]})
    assert message.parts == (ToolCall(id="c", name="f", arguments="{}"),)


def test_tools_keep_every_word_of_their_schema() -> None:
    schema = '{"$defs":{"x":{"const":1.50}},"properties":{"a":{"type":["string","null"],"anyOf":[]}}}'
    body = (
        '{"model":"m","tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,'
        f'"parameters":{schema}}}}},{{"function":{{"name":"g"}}}}]}}'
    )
    assert DIALECT.decode_request(body.encode()).tools == (
        ToolSpec(name="f", description="d", parameters=schema),
        ToolSpec(name="g"),
    )
    assert asked(tools=[]).tools == ()


@pytest.mark.parametrize(
    "tool", [{}, {"type": "function"}, {"function": {}}, {"function": {"name": None}}, 1]
)
def test_a_tool_without_a_name_is_refused(tool: object) -> None:
    assert "tools" in refusal(tools=[tool])


def test_the_answers_form_is_free_or_json_or_a_schema() -> None:
    assert asked(format="").output is None
    assert asked(format="json").output == JsonObject()
    assert asked(format={"type": "object"}).output == JsonSchema(schema='{"type": "object"}')
    for wrong in ("xml", 5, True, ["json"]):
        assert "invalid format" in refusal(format=wrong)


@pytest.mark.parametrize(
    ("think", "reasoning"),
    [
        (True, Reasoning()),
        (False, Reasoning(effort="none")),
        ("low", Reasoning(effort="low")),
        ("medium", Reasoning(effort="medium")),
        ("high", Reasoning(effort="high")),
        ("max", Reasoning(effort="max")),
        (None, None),
    ],
)
def test_think_is_a_switch_or_a_level(think: object, reasoning: Reasoning | None) -> None:
    assert asked(think=think).reasoning == reasoning


@pytest.mark.parametrize("think", ["huge", 3, 1, "", "none", {}, [True]])
def test_any_other_think_is_refused_in_ollamas_words(think: object) -> None:
    allowed = '(must be "high", "medium", "low", "max", true, or false)'
    assert refusal(think=think) == f"invalid think value: {json.dumps(think)} {allowed}"


def test_log_probabilities_are_asked_for_with_up_to_twenty_rivals() -> None:
    sampling = asked(logprobs=True, top_logprobs=20).sampling
    assert (sampling.logprobs, sampling.top_logprobs) == (True, 20)
    for wrong in (21, -1):
        assert refusal(top_logprobs=wrong) == "top_logprobs must be between 0 and 20"


def test_a_call_without_messages_loads_or_unloads() -> None:
    assert load_or_unload(b'{"model":"m"}') == "load"
    assert load_or_unload(b'{"model":"m","messages":[ ],"keep_alive":"10m"}') == "load"
    assert load_or_unload(b'{"model":"m","messages":null,"Keep_Alive":0}') == "unload"
    assert load_or_unload(b'{"model":"m","messages":[],"keep_alive":"0s"}') == "unload"
    assert load_or_unload(b'{"model":"m","messages":[{}],"keep_alive":0}') is None
    assert DIALECT.decode_request(b'{"model":"m","messages":[]}').messages == ()


def test_the_size_of_a_conversation_leaves_its_images_out() -> None:
    def message_bytes(messages: object) -> int:
        return DIALECT.peek(json.dumps({"model": "m", "messages": messages}).encode()).message_bytes

    assert message_bytes([]) == message_bytes(None) == 0
    plain = message_bytes([{"role": "user", "content": "hi", "images": []}])
    assert plain == message_bytes([{"role": "user", "content": "hi", "images": [PNG * 1000]}])
    assert DIALECT.peek(b'{"model":"m"}').include_usage


def test_retargeting_changes_the_model_alone() -> None:
    body = b'{"options":{"num_ctx":8192.0},"Model":"basic","foo":[1, 2],"messages":[],"model":"basic"}'
    retargeted = DIALECT.retarget(body, "qwen3:8b", count_usage=True)
    assert retargeted.path == "/api/chat"
    assert retargeted.body == (
        b'{"options":{"num_ctx":8192.0},"Model":"qwen3:8b","foo":[1, 2],"messages":[],"model":"qwen3:8b"}'
    )
    assert retargeted.losses == ()


def test_retargeting_puts_irregular_bytes_right() -> None:
    body = b'\xef\xbb\xbf{"model":"a","messages":[{"content":"\\ud83d\xe2\x80\xa8"}]} trailing'
    retargeted = DIALECT.retarget(body, "b", count_usage=False).body
    assert retargeted == '{"model":"b","messages":[{"content":"\ufffd\\u2028"}]}'.encode()
    with pytest.raises(InvalidRequest):
        DIALECT.retarget(b"[]", "b", count_usage=False)


def test_retargeting_writes_anew_what_the_relay_reads_and_real_ollama_refuses() -> None:
    body = json.dumps(
        {
            "stream": False,
            "Messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "hi"}],
                    "images": [f"data:image/png;base64,{PNG}"],
                },
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
            ],
            "model": "a",
        }
    ).encode()
    retargeted = json.loads(DIALECT.retarget(body, "b", count_usage=False).body)
    assert retargeted == {
        "stream": False,
        "Messages": [
            {"role": "user", "content": "hi", "images": [PNG]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c", "function": {"index": 0, "name": "f", "arguments": {}}}],
            },
        ],
        "model": "b",
    }


def test_retargeting_keeps_text_that_only_looks_like_an_image() -> None:
    text = f"data:image/png;base64,{PNG}"
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": text}]}).encode()
    assert json.loads(DIALECT.retarget(body, "b", count_usage=False).body)["messages"][0]["content"] == text
