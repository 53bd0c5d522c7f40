"""What a real Ollama is sent, and what is told to be lost."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.base import WireRequest
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.chat import (
    Audio,
    ChatRequest,
    Effort,
    File,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import Unsupported

TOOL = ToolSpec(name="f", description="d", parameters='{"type":"object","x":1.0}')


def message(role: Role, *parts: Part, name: str | None = None) -> Message:
    return Message(role=role, parts=parts, name=name)


def encoded(*messages: Message, **settings: Any) -> WireRequest:
    return DIALECT.encode_request(ChatRequest(model="m", messages=messages, **settings))


def body(*messages: Message, **settings: Any) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(encoded(*messages, **settings).body)
    return written


def test_a_plain_call_says_model_messages_and_stream_in_so_many_words() -> None:
    request = encoded(message("user", Text(text="hi")))
    assert request.path == "/api/chat"
    assert request.body == b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}'
    assert request.losses == ()
    assert body(stream=True)["stream"] is True


def test_developer_is_system_and_texts_are_lines() -> None:
    (written,) = body(message("developer", Text(text="a"), Text(text="b")))["messages"]
    assert written == {"role": "system", "content": "a\nb"}


def test_an_image_goes_as_bare_base64() -> None:
    (written,) = body(message("user", Text(text="see"), Image(data="QUJD", media_type="image/png")))[
        "messages"
    ]
    assert written == {"role": "user", "content": "see", "images": ["QUJD"]}


def test_an_image_by_url_is_refused_by_name_of_the_missing_setting() -> None:
    with pytest.raises(Unsupported) as refused:
        encoded(message("user", Image(url="https://example.com/a.png")))
    assert "send the image inline, as a data: URI" in refused.value.message


def test_calls_and_results_carry_index_id_and_name() -> None:
    written = body(
        message(
            "assistant",
            Thinking(text="Hm", signature="sealed"),
            ToolCall(id="call_a", name="f", arguments='{"b":1.0,"a":2}'),
            ToolCall(id="call_b", name="g", arguments=""),
        ),
        message("tool", ToolResult(call_id="call_b", name="", parts=(Text(text="2"),))),
        message("tool", ToolResult(call_id="call_a", name="", parts=(Text(text="1"),))),
    )["messages"]
    assert written == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm",
            "tool_calls": [
                {"id": "call_a", "function": {"index": 0, "name": "f", "arguments": {"b": 1.0, "a": 2}}},
                {"id": "call_b", "function": {"index": 1, "name": "g", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "2", "tool_name": "g", "tool_call_id": "call_b"},
        {"role": "tool", "content": "1", "tool_name": "f", "tool_call_id": "call_a"},
    ]


def test_arguments_that_are_no_object_are_wrapped_and_told() -> None:
    request = encoded(message("assistant", ToolCall(id="c", name="f", arguments='{"city": "Köln')))
    (call,) = json.loads(request.body)["messages"][0]["tool_calls"]
    assert call["function"]["arguments"] == {"_raw": '{"city": "Köln'}
    assert request.losses == ("tool_call.arguments",)


def test_arguments_keep_the_spelling_of_their_numbers() -> None:
    assert (
        b'"arguments":{"a":1.50,"b":1E+2}'
        in encoded(message("assistant", ToolCall(id="c", name="f", arguments='{"a": 1.50, "b": 1E+2}'))).body
    )


def test_tools_are_written_as_given() -> None:
    written = encoded(tools=(TOOL, ToolSpec(name="g"))).body
    assert (
        b'"tools":[{"type":"function","function":{"name":"f","description":"d",'
        b'"parameters":{"type":"object","x":1.0}}},{"type":"function","function":{"name":"g"}}]' in written
    )


def test_tool_choice_none_leaves_the_tools_out() -> None:
    request = encoded(tools=(TOOL,), tool_choice="none")
    assert b"tools" not in request.body
    assert request.losses == ()


@pytest.mark.parametrize(
    ("reasoning", "think"),
    [
        (Reasoning(), True),
        (Reasoning(effort="none"), False),
        (Reasoning(effort="low"), "low"),
        (Reasoning(effort="medium"), "medium"),
        (Reasoning(effort="high"), "high"),
        (Reasoning(effort="max"), "max"),
        (Reasoning(effort="low", budget_tokens=30_000), "low"),
    ],
)
def test_reasoning_is_a_switch_or_a_level(reasoning: Reasoning, think: object) -> None:
    assert body(reasoning=reasoning)["think"] == think


@pytest.mark.parametrize(
    ("budget_tokens", "think"),
    [(0, False), (1024, "low"), (4096, "medium"), (12_288, "high"), (32_000, "max")],
)
def test_a_thinking_budget_becomes_the_nearest_level(budget_tokens: int, think: object) -> None:
    request = encoded(reasoning=Reasoning(budget_tokens=budget_tokens))
    assert json.loads(request.body)["think"] == think
    assert request.losses == ("reasoning.budget_tokens",)


@pytest.mark.parametrize(("effort", "think"), [("minimal", "low"), ("xhigh", "max")])
def test_an_effort_ollama_does_not_know_becomes_its_neighbour(effort: Effort, think: str) -> None:
    request = encoded(reasoning=Reasoning(effort=effort))
    assert json.loads(request.body)["think"] == think
    assert request.losses == ("reasoning.effort",)


def test_the_answers_form_is_written() -> None:
    assert body(output=JsonObject())["format"] == "json"
    assert b'"format":{"type": "object"}' in encoded(output=JsonSchema(schema='{"type": "object"}')).body
    with pytest.raises(Unsupported):
        encoded(output=JsonSchema(schema="true"))


def test_settings_become_options_beside_ollamas_own() -> None:
    sampling = Sampling(temperature=0.5, stop=("END",), max_output_tokens=10, logprobs=True, top_logprobs=2)
    extras = {"ollama.chat": {"options": '{"num_ctx":8192.0}', "keep_alive": '"5m"', "foo": "[1]"}}
    request = encoded(sampling=sampling, extras=extras)
    assert b'"num_ctx":8192.0' in request.body
    written = json.loads(request.body)
    assert written["options"] == {"num_ctx": 8192.0, "temperature": 0.5, "stop": ["END"], "num_predict": 10}
    assert (written["logprobs"], written["top_logprobs"]) == (True, 2)
    assert (written["keep_alive"], written["foo"]) == ("5m", [1])
    assert request.losses == ()


def test_line_separators_are_escaped() -> None:
    assert b"a\\u2028b\\u2029c\\u0085d" in encoded(message("user", Text(text="a\u2028b\u2029c\x85d"))).body


def test_several_choices_are_refused() -> None:
    with pytest.raises(Unsupported) as refused:
        encoded(choice_count=2)
    assert refused.value.param == "n"


def test_whatever_has_no_place_is_told() -> None:
    request = encoded(
        message("user", Text(text="a"), Audio(data="UklGRg==", format="wav"), name="ann"),
        message("user", Text(text="a"), File(file_id="file-1"), Image(data="QUJD", detail="high")),
        message("assistant", Thinking(text="Hm", signature="sealed"), Refusal(text="no")),
        message("tool", ToolResult(call_id="a", name="f", parts=(), is_error=True)),
        tools=(ToolSpec(name="f", strict=True),),
        tool_choice=NamedTool(name="f"),
        parallel_tool_calls=False,
        output=JsonSchema(schema="{}", description="d"),
        user="u",
        extras={"openai.chat": {"logit_bias": "{}", "metadata": "null"}},
    )
    assert set(request.losses) == {
        "messages.name",
        "audio",
        "file",
        "image.detail",
        "thinking.signature",
        "refusal",
        "tool_result.is_error",
        "tools.strict",
        "tool_choice",
        "parallel_tool_calls",
        "output.description",
        "user",
        "openai.chat:logit_bias",
    }
    assert json.loads(request.body)["messages"][2] == {"role": "assistant", "content": "no", "thinking": "Hm"}


def test_what_ollama_does_anyway_is_no_loss() -> None:
    harmless = encoded(
        message("user", Image(data="QUJD", detail="auto")),
        tools=(ToolSpec(name="f", strict=False),),
        tool_choice="auto",
        parallel_tool_calls=True,
        output=JsonSchema(schema="{}", name="reply", strict=True),
    )
    assert harmless.losses == ()
