"""Ollama's tools: calls whole, arguments as objects, results bound by id, name or place."""

import json
import re
from typing import Any

import pytest

from tests.conformance.wire import Answer, Api
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

TEXT = "000 001 002 003 "
ASK = {"role": "user", "content": "weather?"}


def tool(name: str, parameters: object = None) -> dict[str, Any]:
    function = {"name": name} if parameters is None else {"name": name, "parameters": parameters}
    return {"type": "function", "function": function}


WEATHER = tool(
    "weather",
    {
        "type": "object",
        "properties": {"zeta": {"type": "string"}, "alpha": {"type": "integer"}},
        "required": ["zeta", "alpha"],
    },
)
CLOCK = tool("clock", {"type": "object", "properties": {}})


def chat(api: Api, model: str, messages: list[Any], *, stream: bool = False, tools: object = None) -> Answer:
    body = {"model": model, "messages": messages, "stream": stream, "tools": tools or [WEATHER, CLOCK]}
    return api.post("/api/chat", body)


def bound(upstream: ScriptedUpstream) -> list[tuple[str, str]]:
    """On the OpenAI wire: each result's text with the name of the call whose id it carries."""
    messages = upstream.ledger.chats[-1].body["messages"]
    names = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or []
    }
    return [(m["content"], names[m["tool_call_id"]]) for m in messages if m["role"] == "tool"]


def call(name: str, identity: str = "", arguments: object = None) -> dict[str, Any]:
    made = {"function": {"name": name, "arguments": {} if arguments is None else arguments}}
    return {"id": identity, **made} if identity else made


@pytest.mark.conformance("ollama", 67, 68, 70)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_calls_have_indexes_ids_and_object_arguments_in_order(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/tools?calls=2", [ASK]).json
    calls = answer["message"]["tool_calls"]
    assert [one["function"]["index"] for one in calls] == [0, 1]
    assert len({one["id"] for one in calls}) == 2
    assert all(re.match("call_", one["id"]) and "type" not in one for one in calls)
    assert list(calls[0]["function"]["arguments"].items()) == [("zeta", "abc"), ("alpha", 1)]
    assert answer["done_reason"] == "stop"


@pytest.mark.conformance("ollama", 69)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_a_call_without_arguments_has_an_empty_object(api: Api, provider: str) -> None:
    (one,) = chat(api, f"{provider}/tools", [ASK], tools=[CLOCK]).json["message"]["tool_calls"]
    assert one["function"]["arguments"] == {}


@pytest.mark.conformance("ollama", 71)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_a_streamed_call_is_whole_on_one_unfinished_line(api: Api, provider: str) -> None:
    lines = chat(api, f"{provider}/tools?calls=2", [ASK], stream=True).lines
    with_calls = [line for line in lines if line["message"].get("tool_calls")]
    assert not any(line["done"] for line in with_calls)
    names = [one["function"]["name"] for line in with_calls for one in line["message"]["tool_calls"]]
    assert names == ["weather", "clock"]
    assert all(
        isinstance(one["function"]["arguments"], dict)
        for line in with_calls
        for one in line["message"]["tool_calls"]
    )


@pytest.mark.conformance("ollama", 72, 75)
def test_results_are_bound_by_id_in_any_order(api: Api, upstream: ScriptedUpstream) -> None:
    history = [
        ASK,
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call("weather", "call_a"), call("clock", "call_b")],
        },
        {"role": "tool", "content": "noon", "tool_call_id": "call_b"},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_a"},
    ]
    assert chat(api, "up/tools", history).json["message"]["content"] == TEXT
    assert bound(upstream) == [("noon", "clock"), ("sunny", "weather")]


@pytest.mark.conformance("ollama", 73)
def test_results_without_ids_are_bound_by_the_tools_name_and_then_in_order(
    api: Api, upstream: ScriptedUpstream
) -> None:
    calls = [call("weather", arguments={"n": 1}), call("clock"), call("weather", arguments={"n": 2})]
    history = [
        ASK,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "noon", "tool_name": "clock"},
        {"role": "tool", "content": "sunny", "tool_name": "weather"},
        {"role": "tool", "content": "rainy", "tool_name": "weather"},
    ]
    assert chat(api, "up/tools", history).json["message"]["content"] == TEXT
    assert bound(upstream) == [("noon", "clock"), ("sunny", "weather"), ("rainy", "weather")]
    messages = upstream.ledger.chats[-1].body["messages"]
    made = next(message["tool_calls"] for message in messages if message.get("tool_calls"))
    arguments = {one["id"]: json.loads(one["function"]["arguments"]) for one in made}
    results = [message for message in messages if message["role"] == "tool"]
    assert [arguments[one["tool_call_id"]] for one in results] == [{}, {"n": 1}, {"n": 2}]


@pytest.mark.conformance("ollama", 74, 76)
def test_bare_results_are_bound_by_their_place(api: Api, upstream: ScriptedUpstream) -> None:
    history = [
        ASK,
        {"role": "assistant", "tool_calls": [call("weather"), call("clock")]},
        {"role": "tool", "content": "sunny"},
        {"role": "tool", "content": "noon"},
    ]
    assert chat(api, "up/tools", history).json["message"]["content"] == TEXT
    assert bound(upstream) == [("sunny", "weather"), ("noon", "clock")]


@pytest.mark.conformance("ollama", 77)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_arguments_in_a_string_are_accepted(api: Api, provider: str) -> None:
    history = [
        ASK,
        {"role": "assistant", "content": "", "tool_calls": [call("weather", "call_a", '{"zeta": "x"}')]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_a"},
    ]
    assert chat(api, f"{provider}/tools", history).json["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 78)
@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"type": "object", "$defs": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/x"}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}},
        None,
    ],
)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_any_schema_reaches_the_provider(
    api: Api, upstream: ScriptedUpstream, provider: str, parameters: object
) -> None:
    answer = chat(api, f"{provider}/tools", [ASK], tools=[tool("free", parameters)])
    assert answer.json["message"]["tool_calls"][0]["function"]["name"] == "free"
    assert upstream.ledger.chats[-1].body["tools"][0]["function"].get("parameters") == parameters


@pytest.mark.conformance("ollama", 79)
def test_a_model_without_tools_says_so_and_minds_no_empty_list(api: Api) -> None:
    body = {"model": "plain", "messages": [ASK], "stream": False}
    assert api.post("/api/chat", {**body, "tools": []}).json["message"]["content"] == TEXT
    refused = api.post("/api/chat", {**body, "tools": [CLOCK]})
    assert refused.status == 400
    assert "does not support tools" in refused.json["error"]


@pytest.mark.conformance("ollama", 80)
@pytest.mark.parametrize("role", ["assistant", "system"])
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_the_last_message_need_not_be_the_users(api: Api, provider: str, role: str) -> None:
    messages = [{"role": role, "content": "Once upon"}]
    answer = api.post("/api/chat", {"model": f"{provider}/basic", "messages": messages, "stream": False})
    assert answer.json["message"]["content"] == TEXT
