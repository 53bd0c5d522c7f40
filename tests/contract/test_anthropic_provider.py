"""The provider Anthropic: what leaves for it by the family of the model, and what its answers come to."""

import json
from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.interface import HttpRequest
from relay.adapters.outbound.providers.build import build_listers
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.errors import BadCredential, Limited, Overloaded, Rejected
from relay.domain.usage import Usage
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-4-6"
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2}


def message(*content: dict[str, Any], word: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [*content],
        "stop_reason": word, "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip


YES = message({"type": "text", "text": "yes"})
STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": message() | {"stop_reason": None}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]


def sse(*events: dict[str, Any]) -> bytes:
    spelled = ((each["type"], json.dumps(each, separators=(",", ":"))) for each in events)
    return b"".join(f"event: {name}\ndata: {data}\n\n".encode() for name, data in spelled)


async def called(
    answer: Answer | None = None, dialect: Any = "openai.chat", **asked: Any
) -> tuple[Outcome, dict[str, Any], HttpRequest]:
    """What a call comes to, the body that was sent, and the request it was in."""
    http = RecordingHttp(lambda _: answer or whole(YES))
    fields: dict[str, Any] = {"model": MODEL, "stream": False} | asked
    result = await outcome(backend_for("anthropic", http), upstream_call(dialect, **fields))
    [request] = http.requests
    return result, json.loads(request.body), request


async def test_a_chat_arrives_with_key_version_and_a_limit() -> None:
    result, sent, request = await called(temperature=0.5, seed=7, user="u-1")
    assert (request.method, request.url) == ("POST", "https://api.anthropic.com/v1/messages")
    assert request.headers["x-api-key"] == "k-1"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    assert sent == {
        "model": MODEL,
        "max_tokens": 16_384,
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "metadata": {"user_id": "u-1"},
    }
    assert (result.text, result.losses) == ("yes", ("seed",))
    assert result.usage == Usage(input_tokens=15, cache_read_tokens=5, output_tokens=2)


async def test_another_version_may_be_configured() -> None:
    http = RecordingHttp(lambda _: whole(YES))
    backend = backend_for("anthropic", http, headers={"anthropic-version": "2026-10-21"})
    await outcome(backend, upstream_call("openai.chat", model=MODEL, stream=False))
    assert http.requests[0].headers["anthropic-version"] == "2026-10-21"
    assert http.requests[0].headers["x-api-key"] == "k-1"


@pytest.mark.parametrize(
    ("model", "effort", "asked"),
    [
        ("claude-3-5-haiku-20241022", "high", {}),
        ("claude-3-7-sonnet-20250219", "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("claude-opus-4-1-20250805", "none", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-4-5", "xhigh", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        (
            "claude-sonnet-4-6",
            "xhigh",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        ),
        (
            "claude-opus-4-7",
            "xhigh",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        ),
        (
            "claude-sonnet-5",
            "minimal",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        ("claude-fable-5-2", "none", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    ],
)
async def test_a_family_is_asked_to_think_in_its_own_way(
    model: str, effort: str, asked: dict[str, Any]
) -> None:
    result, sent, _ = await called(model=model, reasoning_effort=effort)
    assert {name: sent[name] for name in ("thinking", "output_config") if name in sent} == asked
    assert result.is_complete


async def test_a_budget_has_room_below_the_limit() -> None:
    _, sent, _ = await called(model="claude-sonnet-4-5", reasoning_effort="max")
    assert sent["max_tokens"] > sent["thinking"]["budget_tokens"] == 32_000
    _, sent, _ = await called(model="claude-sonnet-4-5", reasoning_effort="max", max_tokens=2000)
    assert (sent["max_tokens"], sent["thinking"]["budget_tokens"]) == (2000, 1999)


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-5-5", "claude-fable-5"])
async def test_sampling_that_a_family_refuses_is_dropped_and_told(model: str) -> None:
    result, sent, _ = await called(model=model, temperature=0.8)
    assert "temperature" not in sent
    assert "temperature" in result.losses


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-4-5"])
async def test_a_body_of_anthropics_own_clients_passes(model: str) -> None:
    asked: dict[str, Any] = {
        "max_tokens": 9,
        "temperature": 0.8,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": []},
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    }
    result, sent, _ = await called(dialect="anthropic.messages", model=model, **asked)
    assert result.passes
    refused = {"temperature"} if model == "claude-opus-4-7" else set[str]()
    assert {name: sent[name] for name in sent.keys() - {"stream"}} == {
        "model": model, "messages": [{"role": "user", "content": "hi"}],
        **{name: value for name, value in asked.items() if name not in refused},
    }  # fmt: skip
    assert set(result.losses) == refused
    assert json.loads(result.raw) == YES | {"model": "asked"}


@pytest.mark.parametrize(
    ("dialect", "sent"), [("anthropic.messages", "a-2026,b-2026"), ("openai.chat", None)]
)
async def test_what_a_client_wants_to_try_goes_along_where_its_body_passes(
    dialect: Any, sent: str | None
) -> None:
    http = RecordingHttp(lambda _: whole(YES))
    call = upstream_call(dialect, model=MODEL, stream=False, max_tokens=10)
    own = replace(call.original, headers=(("anthropic-beta", "a-2026,b-2026"), ("x-api-key", "theirs")))
    await outcome(backend_for("anthropic", http), replace(call, original=own))
    [request] = http.requests
    assert request.headers.get("anthropic-beta") == sent
    assert request.headers["x-api-key"] == "k-1"


async def test_a_stream_passes_with_its_counts_taken() -> None:
    body = sse(*STREAM)
    steps = tuple(body[place : place + 11] for place in range(0, len(body), 11))
    result, _, _ = await called(ScriptedResponse(steps), dialect="anthropic.messages", stream=True)
    assert (result.passes, result.is_complete) == (True, True)
    assert result.usage == Usage(input_tokens=15, cache_read_tokens=5, output_tokens=7)
    assert result.raw == body.replace(MODEL.encode(), b"asked")


async def test_a_tool_loop_crosses_from_chat_and_back() -> None:
    asked: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": "2+2 and 3+3?"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_a|1", "type": "function", "function": {"name": "add", "arguments": '{"n":1.50}'}},
                {"id": "call_b", "type": "function", "function": {"name": "add", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "call_b", "content": "6"},
            {"role": "tool", "tool_call_id": "call_a|1", "content": "4"},
            {"role": "user", "content": "sure?"},
        ],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }  # fmt: skip
    answer = message({"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"n": 1}}, word="tool_use")
    result, sent, _ = await called(whole(answer), **asked)
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    calls, results = sent["messages"][1]["content"], sent["messages"][2]["content"]
    assert [call["input"] for call in calls] == [{"n": 1.5}, {}]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert {block["tool_use_id"] for block in results[:2]} == {call["id"] for call in calls}
    assert all(call["id"].replace("_", "").isalnum() for call in calls)
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert sent["tools"] == [{"name": "add", "input_schema": {"type": "object"}}]
    assert result.text == '{"n": 1}'


@pytest.mark.parametrize(
    ("status", "kind", "failure"),
    [
        (400, "invalid_request_error", Rejected),
        (401, "authentication_error", BadCredential),
        (402, "billing_error", Limited),
        (404, "not_found_error", Rejected),
        (413, "request_too_large", Rejected),
        (429, "rate_limit_error", Limited),
        (500, "api_error", Overloaded),
        (529, "overloaded_error", Overloaded),
    ],
)
async def test_an_error_is_what_its_status_says(status: int, kind: str, failure: type[Exception]) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}
    result, _, _ = await called(whole(error, status=status))
    assert isinstance(result.failure, failure)


@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages"])
async def test_an_error_in_a_stream_ends_it(dialect: Any) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    body = sse(*STREAM[:4], error)
    result, _, _ = await called(ScriptedResponse((body,)), dialect=dialect, stream=True)
    assert not result.is_complete
    assert isinstance(result.failure, Overloaded)
    assert result.failure.provider_status == 529


async def test_a_stream_that_breaks_off_is_no_answer() -> None:
    result, _, _ = await called(ScriptedResponse((sse(*STREAM[:5]),)), stream=True)
    assert not result.is_complete
    assert result.failure is not None
    assert result.failure.code == "upstream_stream_interrupted"


async def test_the_list_is_read_page_by_page_with_what_each_model_can_do() -> None:
    told = {"image_input": {"supported": True}, "thinking": {"supported": True}}
    pages = {
        "https://api.anthropic.com/v1/models?limit=1000": {
            "data": [{"type": "model", "id": "claude-opus-5", "created_at": "2026-07-24T00:00:00Z",
                      "max_input_tokens": 1_000_000, "max_tokens": 128_000, "capabilities": told}],
            "has_more": True, "first_id": "claude-opus-5", "last_id": "claude-opus-5",
        },
        "https://api.anthropic.com/v1/models?limit=1000&after_id=claude-opus-5": {
            "data": [{"type": "model", "id": "claude-old"}],
            "has_more": False, "first_id": "claude-old", "last_id": "claude-old",
        },
    }  # fmt: skip
    http = RecordingHttp(lambda request: whole(pages[request.url]))
    spec = configured("anthropic", {"api_key": "k-1"}, {})
    [listed] = build_listers([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})
    assert listed.lister is not None
    new, old = await listed.lister.list_models()
    assert (new.id, new.context_tokens, new.max_output_tokens) == ("claude-opus-5", 1_000_000, 128_000)
    assert new.created == 1_784_851_200
    words = frozenset[Capability]({"completion", "tools", "vision", "thinking"})
    assert new.capabilities == Capabilities(offered=words, known=True)
    assert (old.id, old.capabilities.known) == ("claude-old", False)
    assert all(request.headers["anthropic-version"] == "2023-06-01" for request in http.requests)
