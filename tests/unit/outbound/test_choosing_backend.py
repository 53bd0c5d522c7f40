"""OpenAI is called by Responses where its chat does not do, and by chat where that alone does."""

import json
from typing import Any

import pytest

from relay.adapters.outbound.providers.choosing_backend import ResponsesModels, needs_responses
from relay.domain.chat import ChatRequest, Effort, Reasoning, ToolSpec
from tests.support.fakes_http import RecordingHttp, whole
from tests.support.upstream_calls import backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

MODELS = ResponsesModels(always=("*codex*",), with_tools=("gpt-5.[4-9]*",))
TOOLS = (ToolSpec(name="look"),)


def asked(*, tools: bool = True, effort: Effort | None = None, **more: Any) -> ChatRequest:
    reasoning = Reasoning(effort=effort) if effort else None
    return ChatRequest(model="m", messages=(), tools=TOOLS if tools else (), reasoning=reasoning, **more)


@pytest.mark.parametrize(
    ("request_", "model", "needs"),
    [
        (asked(), "gpt-5.4", True),
        (asked(effort="low"), "GPT-5.5-mini", True),
        (asked(effort="none"), "gpt-5.4", False),
        (asked(tool_choice="none"), "gpt-5.4", False),
        (asked(tools=False), "gpt-5.4", False),
        (asked(choice_count=2), "gpt-5.4", False),
        (asked(), "gpt-5.2", False),
        (asked(tools=False), "gpt-5.3-codex", True),
    ],
)
def test_responses_are_needed_where_tools_meet_reasoning(
    request_: ChatRequest, model: str, needs: bool
) -> None:
    assert needs_responses(request_, model, MODELS) == needs


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CHAT = {"choices": [{"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"}], "model": "m"}
RESPONSE = {
    "id": "resp_1",
    "status": "completed",
    "model": "m",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}],
}


async def called(model: str, **members: Any) -> tuple[str, Any]:
    http = RecordingHttp(lambda request: whole(RESPONSE if request.url.endswith("/responses") else CHAT))
    result = await outcome(
        backend_for("openai", http), upstream_call("openai.chat", model=model, stream=False, **members)
    )
    assert result.failure is None
    assert result.text == "yes" or result.passes
    [request] = http.requests
    return request.url.removeprefix("https://api.openai.com/v1"), json.loads(request.body)


async def test_openai_is_asked_where_it_answers() -> None:
    assert (await called("gpt-5.4", tools=[TOOL]))[0] == "/responses"
    assert (await called("gpt-5.4"))[0] == "/chat/completions"
    assert (await called("gpt-5.4", tools=[TOOL], reasoning_effort="none"))[0] == "/chat/completions"
    assert (await called("gpt-4o", tools=[TOOL]))[0] == "/chat/completions"
    path, body = await called("gpt-6.1", tools=[TOOL], max_tokens=9, temperature=0.5)
    assert path == "/responses"
    assert (body["max_output_tokens"], body["store"]) == (9, False)
    assert body["include"] == ["reasoning.encrypted_content"]
    assert "temperature" not in body


async def test_openai_s_responses_pass_for_their_own_clients() -> None:
    http = RecordingHttp(lambda request: whole(RESPONSE))
    call = upstream_call("openai.responses", model="gpt-4o", stream=False, input="hi", messages=None)
    result = await outcome(backend_for("openai", http), call)
    assert result.passes
    assert http.requests[0].url == "https://api.openai.com/v1/responses"
