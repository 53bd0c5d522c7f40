"""Prompts on their way to providers: by generate where there is one, as a chat where there is none."""

import json
from functools import cache
from typing import Any

import pytest

from relay.adapters.dialects.registry import CLIENT_DIALECTS
from relay.application.ports import OriginalRequest, UpstreamCall
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.errors import LacksCapability, Unsupported
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole
from tests.support.upstream_calls import Outcome, backend_for, outcome

pytestmark = pytest.mark.anyio

GENERATE: DialectName = "ollama.generate"
COMPLETIONS: DialectName = "openai.completions"

LINES = (
    b'{"model":"m-1","created_at":"2026-08-21T10:00:00Z","response":"Hello","done":false}\n',
    b'{"model":"m-1","created_at":"2026-08-21T10:00:01Z","response":"","done":true,"done_reason":"stop",'
    b'"context":[1,2,3],"prompt_eval_count":7,"eval_count":3}\n',
)
GENERATED = {
    "model": "m-1",
    "created_at": "2026-08-21T10:00:00Z",
    "response": "Hello",
    "done": True,
    "done_reason": "stop",
    "context": [1, 2, 3],
    "prompt_eval_count": 7,
    "eval_count": 3,
}
CHATTED = {"model": "m-1", "message": {"role": "assistant", "content": "Hello"}, "done": True}
COMPLETED = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}


def asking(dialect: DialectName, *, stream: bool = False, **members: Any) -> UpstreamCall:
    body = json.dumps({"model": "asked", "prompt": "hi", "stream": stream, **members}).encode()

    @cache
    def decode() -> ChatRequest:
        return CLIENT_DIALECTS[dialect].decode_request(body)

    return UpstreamCall(
        original=OriginalRequest(dialect=dialect, body=body, decode=decode),
        model="m-1",
        echo="asked",
        stream=stream,
        include_usage=True,
        request_id="request-1",
    )


async def sent(
    kind: str, answer: Answer, call: UpstreamCall, **section: object
) -> tuple[Outcome, str, dict[str, Any]]:
    """What came of it, the path it went to below the host, and the body."""
    http = RecordingHttp(lambda request: answer)
    result = await outcome(backend_for(kind, http, **section), call)
    [request] = http.requests
    return result, "/" + request.url.split("/", 3)[3], json.loads(request.body)


ASKED: dict[str, Any] = {
    "suffix": "}",
    "template": "{{ .Prompt }}",
    "context": [9, 8],
    "images": ["iVBORw0KGgoAAAANSUhEUg=="],
    "made_up": {"n": 1.50},
    "keep_alive": "5m",
}


async def test_an_ollama_gets_the_clients_own_prompt() -> None:
    result, path, body = await sent("ollama", whole(GENERATED), asking(GENERATE, **ASKED))
    assert path == "/api/generate"
    assert body == {"model": "m-1", "prompt": "hi", "stream": False, **ASKED}
    assert result.passes
    assert result.losses == ()
    assert json.loads(result.raw) == {**GENERATED, "model": "asked"}
    assert result.usage is not None
    assert result.usage.counts() == {"input_tokens": 7, "output_tokens": 3}


async def test_a_stream_of_an_ollama_passes_with_its_context() -> None:
    result, _, _ = await sent("ollama", ScriptedResponse(LINES), asking(GENERATE, stream=True, raw=True))
    assert result.passes
    assert result.raw == b"".join(LINES).replace(b'"m-1"', b'"asked"')
    assert result.text == "Hello"
    assert result.usage is not None
    assert result.usage.output_tokens == 3


async def test_images_lose_what_a_real_ollama_refuses() -> None:
    images = ["data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="]
    _, _, body = await sent("ollama", whole(GENERATED), asking(GENERATE, Images=images))
    assert body["Images"] == ["iVBORw0KGgoAAAANSUhEUg=="]


async def test_an_ollama_with_instructions_of_its_own_is_still_called_by_generate() -> None:
    quirks = {"system_prompt": "Be brief."}
    result, path, body = await sent("ollama", whole(GENERATED), asking(GENERATE, **ASKED), quirks=quirks)
    assert not result.passes
    assert path == "/api/generate"
    assert body == {"model": "m-1", "prompt": "hi", "stream": False, "system": "Be brief.", **ASKED}
    assert result.losses == ()


async def test_an_ollama_that_has_no_generate_is_called_by_its_chat() -> None:
    call = asking(GENERATE, system="Be brief.", keep_alive="5m", template="x")
    result, path, body = await sent("ollama", whole(CHATTED), call, completions="")
    assert path == "/api/chat"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert result.text == "Hello"
    assert set(result.losses) == {"ollama.generate:template", "ollama.generate:keep_alive"}


async def test_a_provider_of_chats_gets_a_users_message_and_the_rest_is_told_as_lost() -> None:
    call = asking(
        GENERATE, system="Be brief.", template="x", context=[1], keep_alive=1800, options={"num_ctx": 8192}
    )
    result, path, body = await sent("openai", whole(COMPLETED), call)
    assert path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]
    assert result.text == "Hello"
    assert set(result.losses) == {
        "ollama.generate:template",
        "ollama.generate:context",
        "ollama.generate:keep_alive",
        "ollama.generate:options",
    }


@pytest.mark.parametrize("dialect", [GENERATE, COMPLETIONS])
@pytest.mark.parametrize(("kind", "section"), [("openai", {}), ("groq", {}), ("ollama", {"completions": ""})])
async def test_nobody_but_an_ollama_fills_in_the_middle(
    kind: str, section: dict[str, object], dialect: DialectName
) -> None:
    http = RecordingHttp(lambda request: whole(COMPLETED))
    result = await outcome(backend_for(kind, http, **section), asking(dialect, suffix="}"))
    assert isinstance(result.failure, LacksCapability)
    assert result.failure.capability == "insert"
    assert http.requests == []


async def test_nobody_but_an_ollama_takes_a_prompt_without_a_template() -> None:
    http = RecordingHttp(lambda request: whole(COMPLETED))
    result = await outcome(backend_for("openai", http), asking(GENERATE, raw=True))
    assert isinstance(result.failure, Unsupported)
    assert "takes chats only" in result.failure.message
    assert result.failure.status == 400
    assert http.requests == []


async def test_completions_become_a_chat_and_ask_for_no_limit() -> None:
    for kind, answer, path in (
        ("openai", COMPLETED, "/v1/chat/completions"),
        ("ollama", CHATTED, "/api/chat"),
    ):
        result, place, body = await sent(kind, whole(answer), asking(COMPLETIONS, prompt=["hi"]))
        assert place == path
        assert body["messages"] == [{"role": "user", "content": "hi"}]
        assert not {"max_tokens", "max_completion_tokens", "options"} & set(body)
        assert result.text == "Hello"
        assert not result.passes


async def test_completions_of_an_ollama_fill_in_the_middle() -> None:
    call = asking(COMPLETIONS, suffix="}", max_tokens=5, stop="\n", seed=1, logit_bias={"1": 2})
    result, path, body = await sent("ollama", whole(GENERATED), call)
    assert path == "/api/generate"
    assert body == {
        "model": "m-1",
        "prompt": "hi",
        "stream": False,
        "suffix": "}",
        "options": {"seed": 1, "stop": ["\n"], "num_predict": 5},
    }
    assert result.text == "Hello"
    assert result.losses == ("openai.chat:logit_bias",)


async def test_settings_of_completions_reach_a_provider_of_openais_chat() -> None:
    call = asking(
        COMPLETIONS,
        stream=True,
        max_tokens=5,
        logprobs=2,
        n=2,
        logit_bias={"1": 2},
        user="u",
        made_up=1,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    result, _, body = await sent("openai", whole(COMPLETED), call)
    assert {name: body[name] for name in ("logprobs", "top_logprobs", "n", "logit_bias", "user")} == {
        "logprobs": True,
        "top_logprobs": 2,
        "n": 2,
        "logit_bias": {"1": 2},
        "user": "u",
    }
    assert body["max_completion_tokens"] == 5
    assert set(result.losses) == {
        "openai.completions:made_up",
        "openai.completions:stream_options.include_obfuscation",
    }


async def test_generates_error_replies_are_read_as_ollamas() -> None:
    error = {"error": "registry.ollama.ai/library/m-1:latest does not support insert"}
    result, _, _ = await sent("ollama", whole(error, status=400), asking(GENERATE, suffix="}"))
    assert result.failure is not None
    assert (result.failure.status, result.failure.message) == (400, error["error"])
