"""Anthropic's official client on every provider's dialect, and the other official clients on Anthropic's."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.e2e.conftest import wait_until_listed
from tests.support.books import row_of
from tests.support.declarations import SCHEMA, WEATHER
from tests.support.official_clients import anthropic_client, ollama_client, openai_client
from tests.support.pictures import png
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream, everything_ended

pytestmark = pytest.mark.e2e

PROVIDERS = ("ant", "up", "oll")
NUMBERED = "000 001 002 003 "

every_provider = pytest.mark.parametrize("provider", PROVIDERS)
streamed = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])

FUNCTION: Any = WEATHER["function"]
TOOL: dict[str, Any] = {
    "name": FUNCTION["name"],
    "description": FUNCTION["description"],
    "input_schema": FUNCTION["parameters"],
}


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("anthropic")
    providers = {
        "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-up-canary"},
        "oll": {"kind": "ollama", "base_url": upstream.base_url},
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, "api_key": "sk-ant-canary"},
    }
    write_relay_toml(folder, {"providers": providers})
    with running_server(folder) as server:
        wait_until_listed(server, PROVIDERS)
        yield server


def ask(client: anthropic.Anthropic, model: str, content: Any = "What is it?", **options: Any) -> Any:
    """One message; a stream by the helper, which is strict about the order of events."""
    asked: dict[str, Any] = {"model": model, "max_tokens": 1024, "messages": [], **options}
    asked["messages"] = asked["messages"] or [{"role": "user", "content": content}]
    if not asked.pop("stream", False):
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def check_books(relay: ServerProcess, upstream: ScriptedUpstream, request_id: str, usage: Any) -> None:
    """The client's counts are the ledger's and the provider's own."""
    row = row_of(relay.folder, request_id)
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    counted = (row["usage"]["input_tokens"], row["usage"]["output_tokens"])
    assert (row["outcome"], row["usage_source"], row["dialect"]) == ("ok", "reported", "anthropic.messages")
    assert counted == (usage.input_tokens + cached, usage.output_tokens)
    upstream.ledger.wait(everything_ended)
    call = upstream.ledger.chats[-1]
    assert counted == (call.tokens_in, call.tokens_out)


@every_provider
@streamed
def test_a_message_is_answered_and_booked(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str, stream: bool
) -> None:
    ids: list[str] = []
    with anthropic_client(relay.url, ids) as client:
        message = ask(client, f"{provider}/basic", stream=stream, system="be brief")
    assert (message.model, message.stop_reason) == (f"{provider}/basic", "end_turn")
    assert text_of(message) == NUMBERED
    check_books(relay, upstream, ids[0], message.usage)


@every_provider
@streamed
def test_a_loop_of_tools_comes_to_its_end(relay: ServerProcess, provider: str, stream: bool) -> None:
    with anthropic_client(relay.url) as client:
        options: dict[str, Any] = {"stream": stream, "tools": [TOOL, {**TOOL, "name": "again"}]}
        asked = [{"role": "user", "content": "What is the weather, twice?"}]
        model = f"{provider}/tools?calls=2"
        first = ask(client, model, messages=asked, **options)
        calls = [block for block in first.content if block.type == "tool_use"]
        assert (first.stop_reason, len(calls)) == ("tool_use", 2)
        assert all(set(call.input) == set(TOOL["input_schema"]["required"]) for call in calls)
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "4 °C"} for call in calls[::-1]]
        turns = [
            *asked,
            {
                "role": "assistant",
                "content": [block.model_dump(exclude_none=True) for block in first.content],
            },
            {"role": "user", "content": results},
        ]
        second = ask(client, model, messages=turns, **options)
    assert second.stop_reason == "end_turn"
    assert text_of(second) == NUMBERED


@every_provider
@streamed
def test_thoughts_come_before_the_text_in_a_block_of_their_own(
    relay: ServerProcess, provider: str, stream: bool
) -> None:
    with anthropic_client(relay.url) as client:
        message = ask(client, f"{provider}/think", stream=stream, thinking={"type": "adaptive"})
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "h00 h01 h02 "
    assert bool(message.content[0].signature) == (provider == "ant")
    assert text_of(message) == NUMBERED


@every_provider
def test_a_picture_arrives(relay: ServerProcess, provider: str) -> None:
    picture = png()
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(picture).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    with anthropic_client(relay.url) as client:
        message = ask(client, f"{provider}/image", content)
    assert hashlib.sha256(picture).hexdigest() in text_of(message)


@every_provider
def test_a_schema_is_kept_to(relay: ServerProcess, provider: str) -> None:
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    with anthropic_client(relay.url) as client:
        message = ask(client, f"{provider}/schema", output_config=form)
    assert set(json.loads(text_of(message))) >= set(SCHEMA["required"])


def test_what_anthropics_own_clients_say_passes_as_it_is(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    marked = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2VhbA=="}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "hello"}]},
        {"role": "user", "content": "again"},
    ]
    with anthropic_client(relay.url) as client:
        ask(
            client,
            "ant/basic?cached_tokens=3&input_tokens=9",
            messages=turns,
            system=marked,
            extra_body={"top_k": 5},
        )
    sent = upstream.ledger.chats[-1].body
    assert sent is not None
    assert (sent["system"], sent["messages"], sent["top_k"]) == (marked, turns, 5)


@every_provider
def test_tokens_are_counted_or_estimated(relay: ServerProcess, provider: str) -> None:
    with anthropic_client(relay.url) as client:
        asked: Any = {"messages": [{"role": "user", "content": "x" * 350}], "tools": [TOOL]}
        answer = client.messages.with_raw_response.count_tokens(model=f"{provider}/basic", **asked)
    estimated = answer.headers.get("x-relay-token-count")
    assert answer.headers["x-relay-provider"] == provider
    tokens = answer.parse().input_tokens
    if provider == "ant":
        assert (estimated, tokens) == (None, 88)
    else:
        assert estimated == "estimated"
        assert 100 <= tokens <= 400


@every_provider
def test_failures_are_anthropics(relay: ServerProcess, provider: str) -> None:
    with anthropic_client(relay.url) as client:
        with pytest.raises(anthropic.RateLimitError) as limited:
            ask(client, f"{provider}/fault/429?retry_after=7")
        assert limited.value.response.headers["retry-after"] == "7"
        assert limited.value.request_id == limited.value.response.headers["x-request-id"]
        with pytest.raises(anthropic.APIStatusError) as broken:
            ask(client, f"{provider}/fault/error_event?after_chunks=2", stream=True)
    body: Any = broken.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] in ("overloaded_error", "api_error")


def test_an_unknown_model_and_a_bad_body_are_anthropics_errors(relay: ServerProcess) -> None:
    with anthropic_client(relay.url) as client:
        with pytest.raises(anthropic.NotFoundError) as unknown:
            ask(client, "no-such-model")
        with pytest.raises(anthropic.BadRequestError):
            ask(client, "up/basic", messages=[{"role": "narrator", "content": "hi"}])
    body: Any = unknown.value.body
    assert body["error"]["type"] == "not_found_error"
    assert "no-such-model" in body["error"]["message"]


def test_the_list_of_models_parses(relay: ServerProcess) -> None:
    with anthropic_client(relay.url) as client:
        models = list(client.models.list(limit=1000))
    assert {"ant/basic", "up/basic"} <= {model.id for model in models}


@streamed
def test_openais_client_calls_anthropics_provider(
    relay: ServerProcess, upstream: ScriptedUpstream, stream: bool
) -> None:
    turns: list[Any] = [{"role": "user", "content": "What is the weather?"}]
    with openai_client(relay.url) as client:
        options: dict[str, Any] = {"model": "ant/tools", "tools": [WEATHER], "tool_choice": "required"}
        if stream:
            with client.chat.completions.stream(messages=turns, **options) as events:
                first: Any = events.get_final_completion()
        else:
            first = client.chat.completions.create(messages=turns, **options)
        message = first.choices[0].message
        [call] = message.tool_calls
        turns += [
            {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
            {"role": "tool", "tool_call_id": call.id, "content": "4 °C"},
        ]
        second = client.chat.completions.create(messages=turns, **options)
    assert first.choices[0].finish_reason == "tool_calls"
    assert (second.choices[0].finish_reason, second.choices[0].message.content) == ("stop", NUMBERED)
    sent: Any = upstream.ledger.chats[-1].body
    assert sent["messages"][-1]["content"][0]["tool_use_id"] == call.id
    assert sent["tool_choice"] == {"type": "any"}


def test_ollamas_client_calls_anthropics_provider(relay: ServerProcess) -> None:
    with ollama_client(relay.url) as client:
        parts: Any = list(
            client.chat("ant/think", [{"role": "user", "content": "hi"}], stream=True, think=True)
        )
    assert "".join(part.message.thinking or "" for part in parts) == "h00 h01 h02 "
    assert "".join(part.message.content or "" for part in parts) == NUMBERED
    assert parts[-1].eval_count == 7
