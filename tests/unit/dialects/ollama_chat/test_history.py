"""How tool results find their calls."""

import json
import re
from collections.abc import Mapping

import pytest

from relay.adapters.dialects.ollama_chat import DIALECT
from relay.adapters.dialects.ollama_chat.history import settled
from relay.domain.chat import Message, Refusal, Text, ToolCall, ToolResult


def calls(*names: str, ids: bool = False) -> dict[str, object]:
    made = [
        {"function": {"name": name, "arguments": {}}, **({"id": f"call_{index}"} if ids else {})}
        for index, name in enumerate(names)
    ]
    return {"role": "assistant", "content": "", "tool_calls": made}


def tool(content: str, **tie: str) -> dict[str, object]:
    return {"role": "tool", "content": content, **tie}


def read(*messages: Mapping[str, object]) -> tuple[list[ToolCall], dict[str, ToolResult]]:
    """The calls in order, and the results by their text."""
    request = DIALECT.decode_request(json.dumps({"model": "m", "messages": messages}).encode())
    parts = [part for message in request.messages for part in message.parts]
    results = [part for part in parts if isinstance(part, ToolResult)]
    return (
        [part for part in parts if isinstance(part, ToolCall)],
        {part.text: result for result in results for part in result.parts if isinstance(part, Text)},
    )


def test_results_with_ids_are_tied_in_any_order() -> None:
    _, results = read(
        calls("f", "f", ids=True), tool("second", tool_call_id="call_1"), tool("first", tool_call_id="call_0")
    )
    assert results["first"].call_id == "call_0"
    assert results["second"].call_id == "call_1"
    assert results["first"].name == "f"


def test_a_call_without_an_id_is_given_the_same_one_each_time_it_is_read() -> None:
    messages = ({"role": "user", "content": "go"}, calls("f", "g"))
    (first, second), _ = read(*messages)
    assert re.fullmatch(r"call_[a-z0-9]{8}", first.id)
    assert first.id != second.id
    (again, *_), _ = read(*messages, tool("1"), calls("f"))
    assert again.id == first.id


def test_equal_calls_of_two_turns_have_distinct_ids() -> None:
    (first, second), _ = read(calls("f"), tool("1"), calls("f"), tool("2"))
    assert first.id != second.id


def test_results_without_ids_are_tied_by_the_tools_name() -> None:
    (f, g), results = read(calls("f", "g"), tool("of g", tool_name="g"), tool("of f", tool_name="f"))
    assert (results["of f"].call_id, results["of g"].call_id) == (f.id, g.id)


def test_two_calls_of_one_tool_are_answered_in_order() -> None:
    (first, second), results = read(calls("f", "f"), tool("1", tool_name="f"), tool("2", tool_name="f"))
    assert (results["1"].call_id, results["2"].call_id) == (first.id, second.id)


def test_results_with_neither_id_nor_name_are_tied_by_position() -> None:
    (f, g), results = read(calls("f", "g"), tool("1"), tool("2"))
    assert (results["1"].call_id, results["1"].name) == (f.id, "f")
    assert (results["2"].call_id, results["2"].name) == (g.id, "g")


def test_a_result_without_an_id_leaves_the_calls_that_others_name_alone() -> None:
    _, results = read(calls("f", "f", ids=True), tool("loose"), tool("tied", tool_call_id="call_0"))
    assert results["loose"].call_id == "call_1"


def test_an_id_that_no_call_carries_says_nothing() -> None:
    (call,), results = read(calls("f"), tool("1", tool_call_id="call_lost"))
    assert results["1"].call_id == call.id


def test_a_second_result_for_one_call_takes_no_other_call() -> None:
    _, results = read(
        calls("f", "g", ids=True), tool("1", tool_call_id="call_0"), tool("2", tool_call_id="call_0")
    )
    assert results["2"].call_id == "call_0"


def test_a_result_without_any_call_stays_loose() -> None:
    _, results = read(tool("1", tool_name="f"))
    assert (results["1"].call_id, results["1"].name) == ("", "f")


def test_results_inside_another_message_become_messages_of_their_own() -> None:
    mixed = Message(
        role="user",
        parts=(
            Text(text="and"),
            ToolResult(call_id="a", name="", parts=(Text(text="1"), Text(text="2")), is_error=True),
            Refusal(text="no"),
        ),
    )
    assert settled([Message(role="assistant", parts=(ToolCall(id="a", name="f", arguments=""),)), mixed]) == (
        Message(role="assistant", parts=(ToolCall(id="a", name="f", arguments="{}"),)),
        Message(role="tool", parts=(ToolResult(call_id="a", name="f", parts=(Text(text="1\n2"),)),)),
        Message(role="user", parts=(Text(text="and\nno"),)),
    )


@pytest.mark.timeout(20)
def test_a_long_round_is_tied_without_looking_at_every_call_for_every_result() -> None:
    many = 20_000
    called = [ToolCall(id=f"call_{number}", name="f", arguments="{}") for number in range(many)]
    results = [
        Message(role="tool", parts=(ToolResult(call_id=f"call_{number}", name="", parts=()),))
        for number in reversed(range(many))
    ]
    messages = settled([Message(role="assistant", parts=tuple(called)), *results])
    assert all(
        isinstance(part, ToolResult) and part.name == "f"
        for message in messages[1:]
        for part in message.parts
    )
