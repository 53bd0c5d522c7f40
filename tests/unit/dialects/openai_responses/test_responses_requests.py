"""Requests of Responses between wire and canonical form: what the laws do not single out."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_responses import DIALECT
from relay.domain.chat import (
    ChatRequest,
    File,
    HostedTool,
    Image,
    Message,
    NamedTool,
    Opaque,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest, RelayError, Unsupported

USER = Message(role="user", parts=(Text(text="hi"),))


def read(**members: Any) -> ChatRequest:
    return DIALECT.decode_request(json.dumps({"model": "m", "input": "hi", **members}).encode())


def written(*messages: Message, **members: Any) -> Any:
    wire = DIALECT.encode_request(ChatRequest(model="m", messages=messages or (USER,), **members))
    return json.loads(wire.body)


def losses(*messages: Message, **members: Any) -> tuple[str, ...]:
    return DIALECT.encode_request(ChatRequest(model="m", messages=messages or (USER,), **members)).losses


def test_instructions_are_the_first_message() -> None:
    system = Message(role="system", parts=(Text(text="Be brief."),))
    assert read(instructions="Be brief.").messages == (system, USER)
    assert read(instructions=[{"role": "system", "content": "Be brief."}]).messages == (system, USER)
    assert read(instructions="", input="hi").messages == (USER,)
    assert written(system, USER)["instructions"] == "Be brief."
    assert [item["role"] for item in written(USER, system)["input"]] == ["user", "system"]
    assert "instructions" not in written(USER, system)


def test_what_the_model_did_in_a_row_is_one_turn() -> None:
    items: list[dict[str, Any]] = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "gAAAA"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": {"at": 1.50}},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** Begin"},
        {"type": "function_call_output", "call_id": "call_1", "output": "seen"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "done"},
    ]
    turn, *results = read(input=items).messages
    assert turn.parts == (
        Thinking(text="", sealed="gAAAA", id="rs_1", origin="openai.responses"),
        Text(text="Looking."),
        ToolCall(id="call_1", name="look", arguments='{"at": 1.5}'),
        ToolCall(id="call_2", name="patch", arguments="*** Begin", freeform=True),
    )
    assert [result.parts[0] for result in results] == [
        ToolResult(call_id="call_1", name="look", parts=(Text(text="seen"),)),
        ToolResult(call_id="call_2", name="patch", parts=(Text(text="done"),)),
    ]
    kinds = [item["type"] for item in written(turn, *results)["input"]]
    assert kinds == [item["type"] for item in items]


def test_a_picture_or_a_file_of_a_result_stays_in_it() -> None:
    call = Message(role="assistant", parts=(ToolCall(id="c", name="look", arguments=""),))
    parts = (
        Text(text="a"),
        Image(url="https://example.org/p.png"),
        File(data="JVBERi0=", media_type="application/pdf", filename="p.pdf"),
        File(url="https://example.org/p.pdf"),
    )
    result = Message(role="tool", parts=(ToolResult(call_id="c", name="look", parts=parts, is_error=True),))
    *_, item = written(USER, call, result)["input"]
    assert item["output"] == [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "https://example.org/p.png"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "p.pdf"},
        {"type": "input_file", "file_url": "https://example.org/p.pdf"},
    ]
    assert losses(USER, call, result) == ("tool_result.is_error",)


def test_only_its_own_seal_goes_to_a_provider() -> None:
    own = Thinking(text="Hm.", sealed="gAAAA", id="rs_1", origin="openai.responses")
    for thinking, loss in (
        (Thinking(text="Hm.", signature="c2ln", origin="anthropic.messages"), "thinking.signature"),
        (Thinking(text="Hm."), "thinking"),
    ):
        turn = Message(role="assistant", parts=(thinking, Text(text="So.")))
        assert [item["type"] for item in written(USER, turn)["input"]] == ["message", "message"]
        assert losses(USER, turn) == (loss,)
    *_, reasoning, _ = written(USER, Message(role="assistant", parts=(own, Text(text="So."))))["input"]
    assert reasoning == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAAA",
    }


def test_a_seal_in_the_relay_s_envelope_is_its_maker_s_again() -> None:
    for encrypted, origin in (
        ("relay1:anthropic.messages:eyJzaWduYXR1cmUiOiJjMmxuIn0=", "anthropic.messages"),
        ("relay1:nobody:eyJzaWduYXR1cmUiOiJjMmxuIn0=", None),
    ):
        item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted}
        (turn,) = read(input=[item]).messages
        assert turn.parts == (Thinking(text="", signature="c2ln", id="rs_1", origin=origin),)  # type: ignore[arg-type]
    for broken in ("relay1:", "relay1:anthropic.messages:", "relay1:anthropic.messages:?", "relay1:x:e30"):
        item = {"type": "reasoning", "summary": [], "encrypted_content": broken}
        assert read(input=[item, {"role": "user", "content": "hi"}]).messages[-1] == USER


def test_tools_of_every_kind_are_read() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
    asked = read(
        tools=[
            {"type": "function", "name": "look", "parameters": None, "strict": None},
            {"type": "custom", "name": "patch", "format": grammar},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "close"}]},
            {"type": "namespace", "name": "functions", "tools": [{"type": "function", "name": "bare"}]},
            {"type": "function", "name": "look", "description": "told twice"},
            {"type": "web_search"},
        ],
        tool_choice={"type": "custom", "name": "patch"},
    )
    assert asked.tools == (
        ToolSpec(name="look"),
        ToolSpec(name="patch", freeform=True, format=json.dumps(grammar)),
        ToolSpec(name="agents__close", namespace="agents"),
        ToolSpec(name="bare", namespace="functions"),
    )
    assert asked.hosted_tools == (HostedTool(origin="openai.responses", json='{"type": "web_search"}'),)
    assert asked.tool_choice == NamedTool(name="patch")


def test_a_tool_is_strict_only_if_that_was_said() -> None:
    """The API takes a tool for strict that says nothing."""
    strict = [ToolSpec(name=name, strict=said) for name, said in (("a", None), ("b", False), ("c", True))]
    assert [tool["strict"] for tool in written(tools=tuple(strict))["tools"]] == [False, False, True]


def test_a_choice_of_its_own_kind_is_kept_for_it() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    asked = read(tools=[{"type": "function", "name": "f"}], tool_choice=choice)
    assert asked.tool_choice is None
    again = json.loads(DIALECT.encode_request(asked).body)
    assert again["tool_choice"] == choice


def test_fields_inside_of_known_ones_go_back_to_their_place() -> None:
    text = {"verbosity": "low", "format": {"type": "json_object"}}
    reasoning = {"effort": "low", "summary": "auto"}
    body = json.loads(DIALECT.encode_request(read(text=text, reasoning=reasoning, metadata={"a": "b"})).body)
    assert (body["text"], body["reasoning"], body["metadata"]) == (
        {"format": {"type": "json_object"}, "verbosity": "low"},
        reasoning,
        {"a": "b"},
    )


def test_what_the_relay_sees_to_is_neither_kept_nor_lost() -> None:
    asked = read(
        store=True,
        include=["reasoning.encrypted_content"],
        stream=True,
        stream_options={"x": 1},
        background=False,
    )
    assert asked.extras == {}
    assert asked.include_usage
    assert json.loads(DIALECT.encode_request(asked).body)["store"] is False


def test_what_it_has_no_word_for_is_lost_and_several_answers_are_refused() -> None:
    sampling = Sampling(stop=("x",), seed=1, top_k=2, presence_penalty=0.0, top_logprobs=3)
    assert set(losses(sampling=sampling)) == {"stop", "seed", "top_k", "presence_penalty", "top_logprobs"}
    assert losses(reasoning=Reasoning(budget_tokens=2048)) == ("reasoning.budget_tokens",)
    named = Message(role="user", parts=USER.parts, name="ann")
    assert losses(named) == ("messages.name",)
    with pytest.raises(Unsupported):
        written(choice_count=2)


def test_logprobs_are_asked_for_as_it_has_them() -> None:
    body = written(sampling=Sampling(logprobs=True, top_logprobs=3))
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 3)
    assert read(**{name: body[name] for name in ("include", "top_logprobs")}).sampling == Sampling(
        logprobs=True, top_logprobs=3
    )


def test_parts_of_its_own_go_back_as_they_were() -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    picture = {"type": "input_image", "file_id": "file-1"}
    turns = read(input=[item, {"role": "user", "content": [picture]}]).messages
    assert [type(message.parts[0]) for message in turns] == [Opaque, Opaque]
    assert written(*turns)["input"] == [
        item,
        {"type": "message", "role": "user", "content": [picture]},
    ]


REFUSED: list[tuple[dict[str, Any], int, str | None]] = [
    ({"model": ""}, 400, "model"),
    ({"input": None}, 400, "input"),
    ({"input": 5}, 400, "input"),
    ({"input": [{"role": "wizard", "content": "hi"}]}, 400, "input[0].role"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, 400, "input[0].content[0]"),
    (
        {"input": [{"role": "user", "content": "hi"}, {"type": "item_reference", "id": "rs_9"}]},
        404,
        "input[1]",
    ),
    ({"input": [{"type": "function_call", "name": 5}]}, 400, "input[0]"),
    ({"tools": [{"type": "function", "name": "f"}], "tool_choice": "perhaps"}, 400, "tool_choice"),
    ({"previous_response_id": "resp_9"}, 400, "previous_response_id"),
]


@pytest.mark.parametrize(("members", "status", "param"), REFUSED)
def test_what_cannot_be_read_is_refused_at_its_place(
    members: dict[str, Any], status: int, param: str | None
) -> None:
    with pytest.raises(RelayError) as refused:
        read(**members)
    assert isinstance(refused.value, InvalidRequest)
    assert (refused.value.status, refused.value.param) == (status, param)
