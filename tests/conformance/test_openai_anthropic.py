"""Anthropic as a provider of OpenAI's clients, as the checklist of their routes has it."""

from typing import Any

import pytest

from tests.conformance.asking import HELLO, chat, message_of, streamed_or_whole
from tests.conformance.saying import sent
from tests.conformance.wire import Api
from tests.support.declarations import WEATHER
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e


@pytest.mark.conformance("openai", 30)
def test_instructions_reach_anthropic_as_its_system(claude: Api, upstream: ScriptedUpstream) -> None:
    chat(claude, "ant/basic", messages=[{"role": "developer", "content": "be brief"}, *HELLO])
    assert (sent(upstream)["system"], sent(upstream)["messages"]) == ("be brief", HELLO)


@pytest.mark.conformance("openai", 33)
@pytest.mark.parametrize("provider", ["ant", "oll"])
def test_an_inline_picture_reaches_anthropic_with_its_type(
    claude: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    message_of(chat(claude, f"{provider}/image", messages=[{"role": "user", "content": [part]}]))
    [message] = sent(upstream)["messages"]
    if provider == "ant":
        source = {"type": "base64", "media_type": "image/png", "data": data}
        assert message["content"] == [{"type": "image", "source": source}]
    else:
        assert message["images"] == [data]


@pytest.mark.conformance("openai", 35)
def test_a_limit_has_anthropics_name(claude: Api, upstream: ScriptedUpstream) -> None:
    chat(claude, "ant/basic", max_completion_tokens=7)
    assert sent(upstream)["max_tokens"] == 7
    assert "max_completion_tokens" not in sent(upstream)


@pytest.mark.conformance("openai", 37)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_anthropic_gets_a_limit_though_none_was_given(
    claude: Api, upstream: ScriptedUpstream, path: str
) -> None:
    assert claude.post(path, {"model": "ant/basic", "messages": HELLO}).status == 200
    assert sent(upstream)["max_tokens"] >= 4096


@pytest.mark.conformance("openai", 46)
@streamed_or_whole
def test_what_anthropic_read_from_its_cache_is_among_the_tokens_of_the_prompt(
    claude: Api, stream: bool
) -> None:
    model = "ant/basic?input_tokens=100&cached_tokens=80"
    answer = chat(claude, model, stream=stream, stream_options={"include_usage": True} if stream else None)
    usage = answer.chunks[-1]["usage"] if stream else answer.json["usage"]
    assert usage["prompt_tokens"] == 100
    assert usage["prompt_tokens_details"]["cached_tokens"] == 80


@pytest.mark.conformance("openai", 76)
def test_ids_of_calls_are_cleaned_for_anthropic_and_kept_for_the_client(
    claude: Api, upstream: ScriptedUpstream
) -> None:
    function = {"name": "weather", "arguments": "{}"}
    turns: list[Any] = [
        *HELLO,
        {
            "role": "assistant",
            "tool_calls": [{"id": "call_a|b", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_a|b", "content": "4"},
    ]
    message_of(chat(claude, "ant/basic", messages=turns, tools=[WEATHER]))
    call, result = (turn["content"][0] for turn in sent(upstream)["messages"][1:])
    assert call["id"] == result["tool_use_id"]
    assert call["id"].replace("_", "").isalnum()
    [own] = message_of(chat(claude, "ant/tools", tools=[WEATHER]))["tool_calls"]
    turns[1]["tool_calls"][0]["id"] = turns[2]["tool_call_id"] = own["id"]
    message_of(chat(claude, "ant/basic", messages=turns, tools=[WEATHER]))
    assert sent(upstream)["messages"][1]["content"][0]["id"] == own["id"]


@pytest.mark.conformance("openai", 78)
@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ("none", {"type": "none"}),
        ("auto", {"type": "auto"}),
    ],
    ids=str,
)
def test_a_choice_of_tools_is_said_in_anthropics_words(
    claude: Api, upstream: ScriptedUpstream, choice: Any, told: Any
) -> None:
    chat(claude, "ant/basic", tools=[WEATHER], tool_choice=choice)
    assert sent(upstream)["tool_choice"] == told


@pytest.mark.conformance("openai", 79)
def test_one_call_at_a_time_is_said_in_anthropics_words(claude: Api, upstream: ScriptedUpstream) -> None:
    chat(claude, "ant/basic", tools=[WEATHER], parallel_tool_calls=False)
    assert sent(upstream)["tool_choice"]["disable_parallel_tool_use"] is True


@pytest.mark.conformance("openai", 80)
def test_results_of_one_turn_reach_anthropic_together_and_first(
    claude: Api, upstream: ScriptedUpstream
) -> None:
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        for number in range(3)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": call["id"]} for call in calls]
    more = {"role": "user", "content": "and?"}
    turns = [*HELLO, {"role": "assistant", "tool_calls": calls}, *results, more]
    message_of(chat(claude, "ant/basic", messages=turns, tools=[WEATHER]))
    last = sent(upstream)["messages"][-1]
    assert last["role"] == "user"
    assert [block["type"] for block in last["content"]] == ["tool_result"] * 3 + ["text"]
    assert [block["content"] for block in last["content"][:3]] == ["c0", "c1", "c2"]
