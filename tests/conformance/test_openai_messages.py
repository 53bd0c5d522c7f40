"""Anthropic's messages, and Anthropic as a provider, as the checklist of the OpenAI routes has them."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.conformance.asking import HELLO, TEXT, chat, message_of, streamed_or_whole
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Answer, Api
from tests.support.declarations import WEATHER
from tests.support.official_clients import anthropic_client
from tests.support.process import run_cli
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

PROVIDERS = ("ant", "up", "oll")
every_provider = pytest.mark.parametrize("provider", PROVIDERS)
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
TOOL = {"name": "weather", "input_schema": WEATHER["function"]["parameters"]}


@pytest.fixture(scope="module")
def claude(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A relay with Anthropic beside the others, all of them the scripted one."""
    models = ["basic", "tools", "think", "image"]
    upstream = place.upstream
    providers = {
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, "api_key": "sk-test", "models": models},
        "up": {
            "kind": "openai-compatible",
            "base_url": upstream.openai_url,
            "api_key": "k",
            "models": models,
        },
        "oll": {"kind": "ollama", "base_url": upstream.base_url, "models": models},
    }
    with relay_with(place, tmp_path_factory.mktemp("claude"), {"providers": providers}) as api:
        yield api


def say(api: Api, model: str, **options: Any) -> Answer:
    """A message, of one greeting unless `messages` are given."""
    return api.post("/v1/messages", {"model": model, "max_tokens": 1024, "messages": HELLO, **options})


def content_of(answer: Answer) -> list[Any]:
    """The blocks of a good whole message."""
    assert answer.status == 200
    content: list[Any] = answer.json["content"]
    return content


def events_of(answer: Answer) -> list[Any]:
    """The events of a good stream, each with its type in the `event:` line as well."""
    assert answer.status == 200
    *frames, rest = answer.body.decode().split("\n\n")
    assert rest == ""
    told = [frame.split("\n") for frame in frames if not frame.startswith(":")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in told]
    assert [name for name, _ in told] == [f"event: {event['type']}" for event in events]
    return events


def error_of(answer: Answer) -> Any:
    """What an error in Anthropic's envelope says."""
    assert answer.json["type"] == "error"
    assert set(answer.json["error"]) == {"type", "message"}
    return answer.json["error"]


def sent(upstream: ScriptedUpstream) -> Any:
    """The body that reached the provider last."""
    return upstream.ledger.chats[-1].body


@pytest.fixture(scope="module")
def keyed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    """A relay that wants a key, and one that it takes."""
    folder = tmp_path_factory.mktemp("keyed")
    provider = {
        "kind": "ollama",
        "base_url": place.upstream.base_url,
        "models": ["basic"],
    }
    settings = {"providers": {"oll": provider}, "auth": {"mode": "keys"}}
    if place.relay is None:
        yield place.api, "none"
        return
    with relay_with(place, folder, settings) as api:
        yield api, run_cli("keys", "create", "web", cwd=folder).stdout.strip()


@pytest.mark.conformance("openai", 2)
def test_no_key_is_refused_in_anthropics_envelope(keyed: tuple[Api, str]) -> None:
    answer = say(keyed[0], "oll/basic")
    assert answer.status == 401
    assert error_of(answer)["type"] == "authentication_error"


@pytest.mark.conformance("openai", 3)
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
@pytest.mark.parametrize("path", PATHS)
def test_a_key_counts_in_either_header_of_every_route(keyed: tuple[Api, str], path: str, header: str) -> None:
    api, key = keyed
    words = {"input": "hi"} if path.endswith("responses") else {"messages": HELLO, "max_tokens": 64}
    value = f"Bearer {key}" if header == "authorization" else key
    body = json.dumps({"model": "oll/basic", **words}).encode()
    answer = api.send("POST", path, body, {header: value})
    assert (answer.status, TEXT in answer.body.decode()) == (200, True)
    assert api.send("POST", path, body, {header: value + "x"}).status == 401


@pytest.mark.conformance("openai", 6)
@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"model":'])
def test_a_body_that_is_no_json_is_refused_in_anthropics_envelope(claude: Api, body: bytes) -> None:
    answer = claude.send("POST", "/v1/messages", body)
    assert answer.status == 400
    assert error_of(answer)["type"] == "invalid_request_error"
    assert error_of(answer)["message"]


@pytest.mark.conformance("openai", 9)
def test_an_unknown_model_is_not_found_in_anthropics_words(claude: Api) -> None:
    answer = say(claude, "nobody/nothing")
    assert (answer.status, error_of(answer)["type"]) == (404, "not_found_error")


@pytest.mark.conformance("openai", 11)
def test_every_message_has_the_id_that_anthropics_client_looks_for(claude: Api) -> None:
    answers = [
        say(claude, "ant/basic"),
        say(claude, "up/basic", stream=True),
        say(claude, "zzz"),
        say(claude, "up/fault/500"),
    ]
    for answer in answers:
        assert answer.headers["request-id"] == answer.headers["x-request-id"] != ""
    with anthropic_client(claude.url) as client, pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.create(model="zzz", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert raised.value.request_id == raised.value.response.headers["request-id"]


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
    turns = [
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


@pytest.mark.conformance("openai", 23)
def test_the_list_parses_with_anthropic_python(claude: Api) -> None:
    with anthropic_client(claude.url) as client:
        first, second = (list(client.models.list(limit=1000)) for _ in range(2))
    assert {"ant/basic", "up/basic", "oll/basic"} <= {model.id for model in first}
    assert len({model.id for model in first}) == len(first)
    assert [model.created_at for model in first] == [model.created_at for model in second]


@pytest.mark.conformance("openai", 113)
@pytest.mark.conformance("ollama", 126)
@every_provider
def test_a_stream_has_every_event_in_its_order(claude: Api, provider: str) -> None:
    events = events_of(say(claude, f"{provider}/think", stream=True))
    names = [event["type"] for event in events]
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [event["index"] for event in starts] == [0, 1]
    assert events[-2]["delta"]["stop_reason"] == "end_turn"
    assert events[-2]["usage"]["output_tokens"] == 7
    with anthropic_client(claude.url) as client:
        asked: Any = {"model": f"{provider}/think", "max_tokens": 99, "messages": HELLO}
        with client.messages.stream(**asked) as stream:
            assert stream.get_final_text() == TEXT


@pytest.mark.conformance("openai", 114)
@every_provider
def test_both_ends_of_a_stream_have_counts(claude: Api, provider: str) -> None:
    events = events_of(say(claude, f"{provider}/basic", stream=True))
    start, end = events[0]["message"]["usage"], events[-2]["usage"]
    assert all(isinstance(start[name], int) for name in ("input_tokens", "output_tokens"))
    assert end["output_tokens"] == 4
    assert isinstance(end.get("input_tokens", 0), int)


@pytest.mark.conformance("openai", 115)
@every_provider
def test_thoughts_end_before_the_text_begins(claude: Api, provider: str) -> None:
    open_block, kinds = "", list[str]()
    for event in events_of(say(claude, f"{provider}/think", stream=True)):
        match event["type"]:
            case "content_block_start":
                assert open_block == ""
                open_block = event["content_block"]["type"]
                kinds.append(open_block)
            case "content_block_delta":
                kind = event["delta"]["type"]
                assert kind == "signature_delta" or kind == f"{open_block}_delta"
            case "content_block_stop":
                open_block = ""
    assert kinds == ["thinking", "text"]


@pytest.mark.conformance("openai", 116)
@every_provider
def test_a_call_begins_empty_and_gets_its_input_in_pieces(claude: Api, provider: str) -> None:
    events = events_of(say(claude, f"{provider}/tools", tools=[TOOL], stream=True))
    [start] = [event for event in events if event["type"] == "content_block_start"]
    assert (start["content_block"]["type"], start["content_block"]["input"]) == ("tool_use", {})
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"input_json_delta"}
    assert set(json.loads("".join(delta["partial_json"] for delta in deltas))) == {"city", "days"}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


LIKE_CLAUDE_CODE: dict[str, Any] = {
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330"},
        {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "look it up"}]},
        {"role": "system", "content": "The tools WebFetch and Grep are deferred."},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "tool_use", "id": "toolu_1", "name": "ToolSearch", "input": {"query": "web"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1",
             "content": [{"type": "tool_reference", "tool_name": "WebFetch"}]},
        ]},
    ],
    "tools": [
        {"name": "ToolSearch", "input_schema": {"type": "object", "properties": {}}},
        {"name": "WebFetch", "input_schema": {"type": "object"}, "defer_loading": True},
        {"name": "Grep", "input_schema": {"type": "object"}, "defer_loading": True},
    ],
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
    "thinking": {"type": "adaptive", "display": "omitted"},
    "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
    "stream": True,
}  # fmt: skip


@pytest.mark.conformance("openai", 117)
@pytest.mark.parametrize("provider", ["up", "oll"])
def test_what_claude_code_sends_is_answered_by_other_providers(
    claude: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    answer = claude.post(
        "/v1/messages?beta=true",
        {"model": f"{provider}/basic", "max_tokens": 32_000, **LIKE_CLAUDE_CODE},
        anthropic_beta="context-management-2025-06-27,interleaved-thinking-2025-05-14",
        anthropic_version="2023-06-01",
    )
    assert events_of(answer)[-1]["type"] == "message_stop"
    body = sent(upstream)
    names = [tool["function"]["name"] for tool in body["tools"]]
    assert names == ["ToolSearch", "WebFetch"]
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "system", "assistant", "tool"]
    assert "WebFetch" in json.dumps(body["messages"][-1])


@pytest.mark.conformance("openai", 118)
@every_provider
def test_results_out_of_order_are_told_by_their_ids(
    claude: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    calls = [{"type": "tool_use", "id": f"toolu_{n}", "name": "weather", "input": {"n": n}} for n in range(2)]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": f"r{n}"} for n in (1, 0)]
    turns = [*HELLO, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    assert TEXT in json.dumps(content_of(say(claude, f"{provider}/basic", messages=turns, tools=[TOOL])))
    if provider == "ant":
        told = {block["tool_use_id"]: block["content"] for block in sent(upstream)["messages"][-1]["content"]}
    else:
        told = {turn["tool_call_id"]: turn["content"] for turn in sent(upstream)["messages"][-2:]}
    assert told == {"toolu_0": "r0", "toolu_1": "r1"}


@pytest.mark.conformance("openai", 119)
@every_provider
@pytest.mark.parametrize("script", ["basic", "think", "tools"])
def test_a_whole_message_says_what_its_stream_says(claude: Api, provider: str, script: str) -> None:
    asked: Any = {
        "model": f"{provider}/{script}",
        "max_tokens": 1024,
        "messages": HELLO,
        "tools": [TOOL],
    }
    with anthropic_client(claude.url) as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()

    def said(message: Any) -> object:
        blocks = [block.model_dump(exclude={"id", "parsed_output"}) for block in message.content]
        return blocks, message.stop_reason, message.usage.output_tokens

    assert said(whole) == said(streamed)


@pytest.mark.conformance("openai", 120)
@every_provider
def test_tokens_are_counted_and_failures_told_as_claude_code_reads_them(claude: Api, provider: str) -> None:
    counted = claude.post("/v1/messages/count_tokens", {"model": f"{provider}/basic", "messages": HELLO})
    assert counted.status == 200
    assert counted.json["input_tokens"] > 0
    broken = say(claude, f"{provider}/fault/error_event?after_chunks=2", stream=True)
    last = broken.body.decode().rstrip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: error"
    assert json.loads(last[1].removeprefix("data: "))["error"]["type"] in ("overloaded_error", "api_error")
    words = "prompt is too long: 9 tokens > 8 maximum"
    model = f"{provider}/fault/400?code=context_length_exceeded&message={words.replace(' ', '+')}"
    full = say(claude, model.replace(">", "%3E"))
    assert full.status == 400
    assert "prompt is too long" in error_of(full)["message"]
