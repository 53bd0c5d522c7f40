"""What clients' requests mean."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import (
    Audio,
    File,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, Unsupported
from tests.unit.dialects.openai_chat.talk import asked, body_of, heard

PNG = "iVBORw0KGgoAAAA="


def test_instructions_stay_where_they_stand() -> None:
    roles = [
        message.role
        for message in heard(
            {"role": "system", "content": "a"},
            {"role": "developer", "content": "b"},
            {"role": "user", "content": "c"},
            {"role": "system", "content": "d"},
        )
    ]
    assert roles == ["system", "developer", "user", "system"]


@pytest.mark.parametrize(
    ("part", "meaning"),
    [
        ({"type": "text", "text": "hi"}, Text(text="hi")),
        ({"type": "input_text", "text": "hi"}, Text(text="hi")),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            Image(data=PNG, media_type="image/png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://x.test/a.png"}, Image(url="https://x.test/a.png")),
        ({"type": "image_url", "image_url": f"DATA:;base64,{PNG}"}, Image(data=PNG, media_type="image/png")),
        ({"type": "image_url", "image_url": PNG}, Image(data=PNG, media_type="image/png")),
        (
            {"type": "image_url", "image_url": "data:image/jpeg;base64,/9j/\nAAA"},
            Image(data="/9j/AAA=", media_type="image/jpeg"),
        ),
        (
            {"type": "image_url", "image_url": "data:image/svg+xml,%3Csvg/%3E"},
            Image(data="PHN2Zy8+", media_type="image/svg+xml"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            Audio(data="UklG", format="wav"),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JV", "filename": "a.pdf"}},
            File(data="JV==", media_type="application/pdf", filename="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, File(file_id="file-1")),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, Thinking(text="hm")),
        ({"type": "thinking", "thinking": "hm"}, Thinking(text="hm")),
    ],
)
def test_a_content_part_means(part: dict[str, Any], meaning: Part) -> None:
    (message,) = heard({"role": "user", "content": [part]})
    assert message.parts == (meaning,)


@pytest.mark.parametrize("content", ["", None, [], [{"type": "text", "text": ""}]])
def test_content_that_says_nothing_is_no_part(content: object) -> None:
    (message,) = heard({"role": "assistant", "content": content})
    assert message.parts == ()


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_an_assistants_thinking_comes_first_under_any_of_its_names(name: str) -> None:
    (message,) = heard({"role": "assistant", "content": "4", name: "2+2"})
    assert message.parts == (Thinking(text="2+2"), Text(text="4"))


def test_an_assistants_refusal_is_read() -> None:
    (message,) = heard({"role": "assistant", "refusal": "no"})
    assert message.parts == (Refusal(text="no"),)


def test_an_effort_of_another_scale_stays_as_it_is() -> None:
    request = asked(reasoning={"effort": "ultra", "max_tokens": 5})
    assert request.reasoning is None
    assert json.loads(request.extras["openai.chat"]["reasoning"]) == {"effort": "ultra", "max_tokens": 5}


def test_a_tool_round_knows_the_tools_name() -> None:
    _, result = heard(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"n": 1.0}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "ok"}]},
    )
    assert result == Message(
        role="tool", parts=(ToolResult(call_id="c1", name="f", parts=(Text(text="ok"),)),)
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('"{\\"n\\": 1.0}"', '{"n": 1.0}'), ('{"n": 1.0}', '{"n": 1.0}'), ("null", ""), ('""', "")],
)
def test_a_calls_arguments_keep_their_spelling(arguments: str, text: str) -> None:
    call = f'{{"id":"c1","function":{{"name":"f","arguments":{arguments}}}}}'
    body = f'{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{call}]}}]}}'
    (message,) = DIALECT.decode_request(body.encode()).messages
    assert message.parts == (ToolCall(id="c1", name="f", arguments=text),)


def test_legacy_functions_are_tools() -> None:
    request = asked(
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        messages=[
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "ok"},
        ],
    )
    assert request.tools == (ToolSpec(name="f", parameters='{"type": "object"}'),)
    assert request.tool_choice == NamedTool(name="f")
    assert request.messages[0].parts == (ToolCall(id="", name="f", arguments="{}"),)
    assert request.messages[1].parts == (ToolResult(call_id="", name="f", parts=(Text(text="ok"),)),)


def test_a_schema_is_kept_as_it_is_spelled() -> None:
    schema = '{ "type":"object", "properties": {"n": {"maximum": 1e3}} }'
    tool = f'{{"type":"function","function":{{"name":"f","strict":true,"parameters":{schema}}}}}'
    body = f'{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{tool}]}}'
    assert DIALECT.decode_request(body.encode()).tools == (
        ToolSpec(name="f", parameters=schema, strict=True),
    )


@pytest.mark.parametrize(
    ("choice", "meaning"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ({"type": "function", "function": {"name": "f"}}, NamedTool(name="f")),
        (None, None),
    ],
)
def test_a_tool_choice_means(choice: object, meaning: object) -> None:
    request = asked(tools=[{"type": "function", "function": {"name": "f"}}], tool_choice=choice)
    assert request.tool_choice == meaning


def test_what_only_this_dialect_knows_is_kept_as_extras() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}
    request = asked(
        tools=[{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}],
        tool_choice=allowed,
        response_format={"type": "grammar"},
        reasoning_effort="ultra",
        reasoning={"exclude": True},
        logit_bias={"5": -100},
        stream_options={"include_obfuscation": False},
        metadata=None,
        modalities=[],
    )
    extras = {name: json.loads(text) for name, text in request.extras["openai.chat"].items()}
    assert extras == {
        "logit_bias": {"5": -100},
        "tools": [{"type": "custom", "custom": {"name": "g"}}],
        "tool_choice": allowed,
        "response_format": {"type": "grammar"},
        "reasoning_effort": "ultra",
        "reasoning": {"exclude": True},
        "stream_options.include_obfuscation": False,
    }
    assert [tool.name for tool in request.tools] == ["f"]
    assert (request.tool_choice, request.output, request.reasoning) == (None, None, None)


@pytest.mark.parametrize(
    ("members", "sampling"),
    [
        (
            {"temperature": 0, "top_p": 1, "top_k": 40, "min_p": 0.1},
            Sampling(temperature=0, top_p=1, top_k=40, min_p=0.1),
        ),
        ({"stop": "x"}, Sampling(stop=("x",))),
        ({"stop": ["x", "", "y"]}, Sampling(stop=("x", "y"))),
        ({"seed": 7.0}, Sampling(seed=7)),
        ({"max_tokens": 5}, Sampling(max_output_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 9.0}, Sampling(max_output_tokens=9)),
        ({"repeat_penalty": 1.1}, Sampling(repeat_penalty=1.1)),
        ({"repetition_penalty": 1.2}, Sampling(repeat_penalty=1.2)),
        ({"logprobs": True, "top_logprobs": 2}, Sampling(logprobs=True, top_logprobs=2)),
        (
            {"presence_penalty": 0.5, "frequency_penalty": -0.5},
            Sampling(presence_penalty=0.5, frequency_penalty=-0.5),
        ),
        ({"stop": None, "seed": None, "temperature": None, "max_tokens": None}, Sampling()),
    ],
)
def test_sampling_settings_mean(members: dict[str, Any], sampling: Sampling) -> None:
    assert asked(**members).sampling == sampling


@pytest.mark.parametrize(
    ("members", "meaning"),
    [
        ({"reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"reasoning": {"effort": "low"}}, Reasoning(effort="low")),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget_tokens=2000)),
        ({"reasoning": {"enabled": True}}, Reasoning()),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none")),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Reasoning(budget_tokens=1024)),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, Reasoning(effort="max")),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "max"}, Reasoning(effort="none")),
        ({"reasoning_effort": None}, None),
        ({}, None),
    ],
)
def test_reasoning_means(members: dict[str, Any], meaning: Reasoning | None) -> None:
    assert asked(**members).reasoning == meaning


@pytest.mark.parametrize(
    ("asked_for", "meaning"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonObject()),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}},
            JsonSchema(schema='{"a": 1}', name="n", strict=True),
        ),
        ({"type": "json_schema"}, JsonSchema(schema="{}")),
    ],
)
def test_a_response_format_means(asked_for: object, meaning: object) -> None:
    assert asked(response_format=asked_for).output == meaning


def test_null_and_empty_lists_are_absent() -> None:
    request = asked(
        stop=None, tools=[], tool_choice=None, parallel_tool_calls=None, metadata=None, functions=[]
    )
    assert request == asked()


def test_the_rest_of_the_envelope_is_read() -> None:
    request = asked(n=2, user="u", stream=True, stream_options={"include_usage": True})
    assert (request.choice_count, request.user, request.stream, request.include_usage) == (2, "u", True, True)


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"model": None}, "missing_required_parameter", "model"),
        ({"messages": []}, "missing_required_parameter", "messages"),
        ({"messages": None}, "missing_required_parameter", "messages"),
        ({"n": 0}, "invalid_value", "n"),
        ({"temperature": "hot"}, "invalid_value", "temperature"),
        ({"messages": [{"role": "king"}]}, "invalid_value", "messages[0].role"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "yes"},
            "invalid_value",
            "tool_choice",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "missing_required_parameter",
            "messages[0].content[0]",
        ),
    ],
)
def test_a_wrong_request_names_the_field(members: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(**members)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]},
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
        },
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}}],
        },
    ],
)
def test_content_without_a_canonical_form_is_refused_by_its_place(message: dict[str, Any]) -> None:
    with pytest.raises(Unsupported) as caught:
        asked(messages=[message])
    assert (caught.value.param or "").startswith("messages[0].")


def test_a_value_is_not_repeated_in_an_error() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(seed="my secret prompt")
    assert "secret" not in caught.value.message


def test_a_lone_surrogate_is_cleaned() -> None:
    body = b'\xef\xbb\xbf{"model":"m","messages":[{"role":"user","content":"a\\ud83d!"}]}'
    assert DIALECT.decode_request(body).messages[0].parts == (Text(text="a\ufffd!"),)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}{}", b'{"model":"\xff"}', b"[" * 5000, body_of() + b"x"]
)
def test_what_is_no_request_is_the_clients_fault(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.decode_request(body)
