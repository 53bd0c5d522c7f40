"""Providers that are called by Responses: the address, the key and the body that really leave for them.

No vendor can be called here; what is asserted is what its documentation asks for.
"""

import json
from typing import Any

import pytest

from relay.domain.chat import DialectName
from tests.support.fakes_http import RecordingHttp, whole
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

TOOL = {"name": "f", "parameters": {"type": "object"}}
ASKED: dict[str, Any] = {
    "max_tokens": 64,
    "seed": 7,
    "temperature": 0.5,
    "stop": ["x"],
    "user": "u-1",
    "reasoning_effort": "max",
    "tools": [{"type": "function", "function": TOOL}],
    "tool_choice": "required",
}
"""What a client of OpenAI's chat asks for."""

BODY = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "m-1",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbA=="},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "yes"}],
        },
    ],
    "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
}
CARRIED = {
    "model": "m-1",
    "input": [{"type": "message", "role": "user", "content": "hi"}],
    "store": False,
    "tools": [{"type": "function", "strict": False, **TOOL}],
    "tool_choice": "required",
    "max_output_tokens": 64,
}
UNSAID = ("seed", "stop")

ROWS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "openai-responses": (
        "https://api.openai.com/v1/responses",
        {"temperature": 0.5, "reasoning": {"effort": "max"}, "safety_identifier": "u-1"},
        UNSAID,
    ),
    "xai": (
        "https://api.x.ai/v1/responses",
        {
            "temperature": 0.5,
            "reasoning": {"effort": "xhigh"},
            "safety_identifier": "u-1",
            "include": ["reasoning.encrypted_content"],
        },
        UNSAID,
    ),
    "perplexity": (
        "https://api.perplexity.ai/v1/agent",
        {"reasoning": {"effort": "xhigh"}},
        (*UNSAID, "temperature", "safety_identifier"),
    ),
}


async def sent(kind: str, dialect: DialectName = "openai.chat", **asked: Any) -> tuple[Any, Any, Outcome]:
    http = RecordingHttp(lambda request: whole(BODY))
    result = await outcome(backend_for(kind, http), upstream_call(dialect, stream=False, **asked))
    assert result.is_complete, result.failure
    [request] = http.requests
    return request, json.loads(request.body), result


@pytest.mark.parametrize("kind", ROWS)
async def test_a_row_sends_exactly_this(kind: str) -> None:
    url, differs, losses = ROWS[kind]
    request, body, result = await sent(kind, **ASKED)
    assert (request.method, request.url) == ("POST", url)
    assert request.headers["authorization"] == "Bearer k-1"
    assert body == CARRIED | differs
    assert sorted(result.losses) == sorted(losses)
    assert result.text == "yes"


async def test_perplexity_s_own_model_searches_unless_the_caller_brings_tools() -> None:
    searching = {"tools": [{"type": "web_search"}]}
    _, body, _ = await sent("perplexity", model="perplexity/sonar")
    assert body == {"model": "perplexity/sonar", "input": CARRIED["input"], "store": False, **searching}
    _, body, _ = await sent("perplexity", model="perplexity/sonar", tools=ASKED["tools"])
    assert [tool["type"] for tool in body["tools"]] == ["function"]


async def test_perplexity_is_told_of_a_schema_in_words() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    _, body, _ = await sent("perplexity", response_format=asked)
    assert "text" not in body
    assert json.dumps(schema) in body["instructions"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gpt-5-mini", {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high"}}),
        ("o3", {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high"}}),
        (
            "gpt-5.2",
            {
                "include": ["reasoning.encrypted_content"],
                "temperature": 0.5,
                "reasoning": {"effort": "xhigh"},
            },
        ),
        ("gpt-6.1", {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "max"}}),
        ("gpt-4o-mini", {"temperature": 0.5}),
    ],
)
async def test_openai_s_families_are_asked_for_what_they_take(model: str, said: dict[str, Any]) -> None:
    _, body, _ = await sent("openai-responses", model=model, temperature=0.5, reasoning_effort="max")
    body.pop("store")
    assert body == {"model": model, "input": CARRIED["input"], **said}


async def test_a_client_s_own_body_passes_but_is_not_kept_there() -> None:
    members = {"input": "hi", "metadata": {"a": "b"}, "tools": [], "store": True, "unheard_of": 1.50}
    _, body, result = await sent("openai-responses", "openai.responses", messages=None, **members)
    assert result.passes
    assert body == {
        "model": "m-1",
        "stream": False,
        "input": "hi",
        "metadata": {"a": "b"},
        "unheard_of": 1.5,
        "store": False,
    }
    assert json.loads(result.raw)["model"] == "asked"


async def test_another_dialect_s_seal_does_not_pass() -> None:
    """A client that has gone on with another model sends it back as it got it."""
    foreign = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": "relay1:anthropic.messages:e30=",
    }
    own = {**foreign, "encrypted_content": "gAAAA"}
    turn = {"role": "user", "content": "say relay1: aloud"}
    _, body, result = await sent(
        "openai-responses", "openai.responses", messages=None, input=[turn, foreign, own, turn]
    )
    assert result.passes
    assert body["input"] == [turn, own, turn]
