"""Anthropic's messages, as the checklist of the OpenAI routes has them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import anthropic
import pytest

from tests.conformance.asking import HELLO, TEXT
from tests.conformance.conftest import Place, relay_with
from tests.conformance.saying import content_of, error_of, events_of, every_provider, say, sent
from tests.conformance.wire import Api
from tests.support.declarations import WEATHER
from tests.support.official_clients import anthropic_client
from tests.support.process import run_cli
from tests.support.relay_toml import Toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
FUNCTION: Any = WEATHER["function"]
TOOL = {"name": "weather", "input_schema": FUNCTION["parameters"]}


@pytest.fixture(scope="module")
def keyed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    """A relay that wants a key, and one that it takes."""
    folder = tmp_path_factory.mktemp("keyed")
    provider: Toml = {"kind": "ollama", "base_url": place.upstream.base_url, "models": ["basic"]}
    settings: Mapping[str, Toml] = {"providers": {"oll": provider}, "auth": {"mode": "keys"}}
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
            case _:
                pass
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
