"""What providers are sent."""

import json

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import (
    EFFORTS,
    Audio,
    ChatRequest,
    File,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    Refusal,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from tests.unit.dialects.openai_chat.talk import asked, sent, sent_messages

USER = Message(role="user", parts=(Text(text="hi"),))


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    wire = DIALECT.encode_request(ChatRequest(model="m", messages=(USER,)))
    assert (wire.path, wire.losses) == ("/chat/completions", ())
    assert json.loads(wire.body) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_zero_is_sent_as_zero() -> None:
    sampling = Sampling(temperature=0.0, top_p=0.0, seed=0, presence_penalty=0.0)
    body = sent(ChatRequest(model="m", messages=(USER,), sampling=sampling))
    assert (body["temperature"], body["top_p"], body["seed"], body["presence_penalty"]) == (0, 0, 0, 0)


def test_settings_go_by_their_names_on_the_wire() -> None:
    request = ChatRequest(
        model="m",
        messages=(USER,),
        sampling=Sampling(
            max_output_tokens=9, stop=("x",), repeat_penalty=1.1, top_k=4, logprobs=True, top_logprobs=1
        ),
        choice_count=2,
        user="u",
        stream=True,
    )
    assert sent(request) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 9,
        "top_k": 4,
        "stop": ["x"],
        "repetition_penalty": 1.1,
        "logprobs": True,
        "top_logprobs": 1,
        "n": 2,
        "user": "u",
    }


def test_tools_are_sent_with_their_schemas_as_spelled() -> None:
    schema = '{ "type": "object", "properties": {"n": {"default": 1.0}} }'
    tools = (ToolSpec(name="f", description="d", parameters=schema, strict=True), ToolSpec(name="g"))
    request = ChatRequest(
        model="m", messages=(USER,), tools=tools, tool_choice=NamedTool(name="f"), parallel_tool_calls=False
    )
    body = DIALECT.encode_request(request).body
    assert schema.encode() in body
    assert json.loads(body)["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": json.loads(schema), "strict": True},
        },
        {"type": "function", "function": {"name": "g"}},
    ]
    assert json.loads(body)["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert json.loads(body)["parallel_tool_calls"] is False


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    body = sent(ChatRequest(model="m", messages=(USER,), tool_choice="none", parallel_tool_calls=True))
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)


def test_an_output_format_is_sent() -> None:
    schema = JsonSchema(schema='{"type":"object"}', name="n", strict=True, description="d")
    assert sent(ChatRequest(model="m", messages=(USER,), output=schema))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"},
    }
    assert sent(ChatRequest(model="m", messages=(USER,), output=JsonObject()))["response_format"] == {
        "type": "json_object"
    }


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        *((Reasoning(effort=effort), effort) for effort in EFFORTS),
        (Reasoning(), "medium"),
        (Reasoning(budget_tokens=0), "none"),
        (Reasoning(budget_tokens=1024), "low"),
        (Reasoning(budget_tokens=4096), "medium"),
        (Reasoning(budget_tokens=16384), "high"),
        (Reasoning(budget_tokens=30000), "xhigh"),
    ],
)
def test_reasoning_is_sent_as_an_effort(reasoning: Reasoning, effort: str) -> None:
    assert sent(ChatRequest(model="m", messages=(USER,), reasoning=reasoning))["reasoning_effort"] == effort


def test_every_kind_of_content_is_sent() -> None:
    parts = (
        Text(text="a"),
        Image(data="iVBORw0KGgo=", media_type=None, detail="low"),
        Image(url="https://x.test/a.png"),
        Audio(data="UklG", format="wav"),
        File(file_id="file-1"),
        File(data="data:,x", filename="x.txt"),
    )
    (message,) = sent_messages(Message(role="user", parts=parts, name="ann"))
    assert message == {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "a"},
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
            },
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,eA==", "filename": "x.txt"}},
        ],
    }


def test_an_assistants_turn_is_sent_with_thinking_and_calls() -> None:
    parts = (
        ToolCall(id="c1", name="f", arguments=""),
        Thinking(text="a", signature="s"),
        Thinking(text="b"),
    )
    result = ToolResult(call_id="c1", name="f", parts=(Text(text="x"), Text(text="y")), is_error=True)
    messages = (Message(role="assistant", parts=parts), Message(role="tool", parts=(result,)))
    assert sent_messages(*messages) == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "ab",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
    ]
    losses = DIALECT.encode_request(ChatRequest(model="m", messages=messages)).losses
    assert losses == ("thinking.signature", "tool_result.is_error")


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (Message(role="assistant", parts=()), ""),
        (Message(role="assistant", parts=(Refusal(text="no"),)), None),
        (Message(role="user", parts=(Text(text=""),)), ""),
    ],
)
def test_content_is_never_left_out(message: Message, content: str | None) -> None:
    assert sent_messages(message)[0]["content"] == content


def test_own_extras_are_written_back_and_foreign_ones_are_losses() -> None:
    request = ChatRequest(
        model="m",
        messages=(USER,),
        tools=(ToolSpec(name="f"),),
        reasoning=Reasoning(budget_tokens=2000),
        extras={
            "openai.chat": {
                "logit_bias": '{"5": -100}',
                "tools": '[{"type":"custom"}]',
                "reasoning.exclude": "true",
            },
            "ollama.chat": {"keep_alive": '"5m"', "format": "null"},
        },
    )
    wire = DIALECT.encode_request(request)
    body = json.loads(wire.body)
    assert body["logit_bias"] == {"5": -100}
    assert [tool["type"] for tool in body["tools"]] == ["function", "custom"]
    assert not any("." in name for name in body)
    assert wire.losses == ("reasoning.exclude", "ollama.chat:keep_alive", "reasoning.budget_tokens")


def test_extras_go_out_as_they_came_in() -> None:
    members = {
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "response_format": {"type": "grammar"},
        "reasoning_effort": "ultra",
        "thinking": {"type": "enabled"},
        "metadata": {"a": "b"},
    }
    body = sent(asked(**members, tools=[{"type": "custom", "custom": {"name": "g"}}]))
    assert {name: body[name] for name in members} == members
    assert body["tools"] == [{"type": "custom", "custom": {"name": "g"}}]


def test_line_separators_are_escaped() -> None:
    body = DIALECT.encode_request(
        ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="\u2028"),)),))
    ).body
    assert b"\\u2028" in body
