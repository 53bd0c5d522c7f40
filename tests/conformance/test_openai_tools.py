"""Tool calls through OpenAI's chat: their chunks, ids, arguments and finish."""

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from tests.conformance.asking import (
    HELLO,
    chat,
    deltas_of,
    every_provider,
    message_of,
    streamed_or_whole,
    translated,
)
from tests.conformance.wire import Answer, Api
from tests.support.declarations import CLOCK, SCHEMA, WEATHER
from tests.support.official_clients import openai_client
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

TOOLS = [WEATHER, CLOCK]
ARGUMENTS = {"city": "abc", "days": 1}

liberties = pytest.mark.parametrize(
    "model",
    [
        "up/tools?calls=2&parts=at_once",
        "up/tools?calls=2&parts=same_index",
        "direct/tools?calls=2&parts=at_once",
        "oll/tools?calls=2",
    ],
)
"""Providers that send name and arguments at once, or each call as the first."""


def calls_of(answer: Answer) -> dict[int, list[Any]]:
    """The deltas of each call, by its index."""
    calls: dict[int, list[Any]] = defaultdict(list)
    for delta in deltas_of(answer):
        for call in delta.get("tool_calls") or ():
            calls[call["index"]].append(call)
    return calls


def arguments_of(call: list[Any]) -> Any:
    return json.loads("".join(delta["function"]["arguments"] for delta in call))


@pytest.mark.conformance("openai", 70)
@every_provider
def test_a_call_is_named_first_and_then_given_arguments(api: Api, provider: str) -> None:
    (call,) = calls_of(chat(api, f"{provider}/tools", tools=[WEATHER], stream=True)).values()
    first, *rest = call
    assert first.pop("id")
    assert first == {"index": 0, "type": "function", "function": {"name": "weather", "arguments": ""}}
    assert rest
    assert all(set(delta) == {"index", "function"} for delta in rest)
    assert all(set(delta["function"]) == {"arguments"} for delta in rest)
    assert arguments_of(call) == ARGUMENTS


@pytest.mark.conformance("openai", 71)
@every_provider
def test_two_calls_have_indexes_and_ids_of_their_own(api: Api, provider: str) -> None:
    calls = calls_of(chat(api, f"{provider}/tools?calls=2", tools=TOOLS, stream=True))
    assert list(calls) == [0, 1]
    assert len({call[0]["id"] for call in calls.values()}) == 2


@pytest.mark.conformance("openai", 71)
def test_two_calls_that_a_provider_numbers_alike_are_told_apart(api: Api) -> None:
    model = "up/tools?calls=2&parts=same_index"
    calls = calls_of(chat(api, model, tools=TOOLS, stream=True))
    assert [(index, call[0]["function"]["name"]) for index, call in calls.items()] == [
        (0, "weather"),
        (1, "clock"),
    ]
    assert [arguments_of(call) for call in calls.values()] == [ARGUMENTS, {}]


@pytest.mark.conformance("openai")
@liberties
def test_arguments_that_come_with_the_name_are_not_lost(api: Api, model: str) -> None:
    calls = calls_of(chat(api, model, tools=TOOLS, stream=True))
    assert [arguments_of(call) for call in calls.values()] == [ARGUMENTS, {}]
    lines = api.post("/api/chat", {"model": model, "messages": HELLO, "tools": TOOLS}).lines
    told = [call["function"] for line in lines for call in line["message"].get("tool_calls") or ()]
    assert [call["arguments"] for call in told] == [ARGUMENTS, {}]


@pytest.mark.conformance("openai", 73)
@pytest.mark.parametrize("model", ["up/tools", "direct/tools", "oll/tools", "up/tools?parts=bare"])
def test_arguments_are_always_text_that_is_json(api: Api, model: str) -> None:
    (call,) = message_of(chat(api, model, tools=[CLOCK]))["tool_calls"]
    assert call["function"] == {"name": "clock", "arguments": "{}"}
    (call,) = message_of(chat(api, model, tools=[WEATHER]))["tool_calls"]
    assert isinstance(call["function"]["arguments"], str)
    assert json.loads(call["function"]["arguments"]) == ({} if "bare" in model else ARGUMENTS)


@pytest.mark.conformance("openai", 74)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("model", ["up/tools?finish=stop", "up/tools", "direct/tools", "oll/tools"])
def test_an_answer_with_a_call_finishes_with_it_whatever_the_provider_says(
    api: Api, model: str, stream: bool
) -> None:
    answer = chat(api, model, tools=[WEATHER], stream=stream)
    chunks = answer.chunks if stream else [answer.json]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["tool_calls"]


@pytest.mark.conformance("openai", 77)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_a_long_id_reaches_openai_short_and_in_both_places(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    call_id = "call_" + "x" * 85
    call = {"id": call_id, "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "noon"},
    ]
    answer = chat(api, f"{provider}/tools", tools=[CLOCK], messages=messages)
    assert message_of(answer)["content"]
    _, asked, told = upstream.ledger.chats[-1].body["messages"]
    (written,) = asked["tool_calls"]
    assert written["id"] == told["tool_call_id"]
    assert 0 < len(written["id"]) <= 64


@pytest.mark.conformance("openai", 70, 71, 73)
@translated
@pytest.mark.parametrize("script", ["tools?calls=2", "tools?calls=2&parts=same_index"])
def test_openai_pythons_helper_puts_calls_together(api: Api, provider: str, script: str) -> None:
    with (
        openai_client(api.url) as client,
        client.chat.completions.stream(
            model=f"{provider}/{script}",
            messages=[{"role": "user", "content": "hi"}],
            tools=TOOLS,  # type: ignore[arg-type]  # plain dictionaries are what the client takes, too
        ) as stream,
    ):
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls or []
    assert [call.function.name for call in calls] == ["weather", "clock"]
    assert [json.loads(call.function.arguments) for call in calls] == [ARGUMENTS, {}]


ODD_NAMES = ["n" * 80, "files.read"]
TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def called_before(name: str) -> list[Any]:
    """A conversation in which the tool was already of use."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "user", "content": "and tomorrow?"},
    ]


@pytest.mark.conformance("openai", 82)
@every_provider
@streamed_or_whole
@pytest.mark.parametrize("name", ODD_NAMES, ids=["long", "dotted"])
def test_a_tool_may_have_any_name(
    api: Api, upstream: ScriptedUpstream, provider: str, stream: bool, name: str
) -> None:
    tool = {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
    answer = chat(
        api, f"{provider}/tools?calls=2", tools=[tool, CLOCK], messages=called_before(name), stream=stream
    )
    messages = deltas_of(answer) if stream else [message_of(answer)]
    functions = [call["function"] for message in messages for call in message.get("tool_calls") or ()]
    assert [function["name"] for function in functions if "name" in function] == [name, "clock"]
    body = upstream.ledger.chats[-1].body
    sent = body["tools"][0]["function"]["name"]
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == sent
    assert sent == name if provider == "oll" else TAKEN.fullmatch(sent)
