"""Gemini and Cohere, called through the backend over real sockets: what leaves for them, and what is made of it.

No vendor can be called here; requests are held against its documentation, answers are synthetic.
"""

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.adapters.outbound.http.interface import UpstreamHttp
from relay.domain.chat import DialectName
from relay.domain.errors import BadCredential, Interrupted, Limited, Malformed, Overloaded, Rejected
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import a_scene
from tests.support.native_kinds import COHERE, GEMINI, KINDS, Kind
from tests.support.upstream.taped import TapedAnswer, TapedProvider, taped_provider
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

CLIENTS: tuple[DialectName, ...] = ("openai.chat", "ollama.chat")
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object"}


@pytest.fixture
async def http(anyio_backend: str) -> AsyncIterator[UpstreamHttp]:
    client = Http1Upstream(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    yield client
    await client.aclose()


async def ask(
    kind: Kind, provider: TapedProvider, http: UpstreamHttp, client: DialectName = "openai.chat", **asked: Any
) -> Outcome:
    backend = backend_for(kind.name, http, base_url=provider.base_url)
    return await outcome(backend, upstream_call(client, **asked))


def taped(*pieces: bytes, status: int = 200, cut: bool = False) -> TapedAnswer:
    return TapedAnswer(pieces=pieces, status=status, cut=cut)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def cut_up(data: bytes) -> list[bytes]:
    return [data[start : start + 11] for start in range(0, len(data), 11)]


def received(result: Outcome, client: DialectName) -> ChatResponse:
    """What a client of the dialect makes of what it is sent."""
    encoder = DIALECTS[client].encoder(a_scene())
    data = b"".join(map(encoder.send, result.events)) + encoder.close()
    decoder = DIALECTS[client].decoder()
    return fold([*decoder.feed(data), *decoder.close()])


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_whole_answer_reaches_the_client(kind: Kind, client: DialectName, http: UpstreamHttp) -> None:
    async with taped_provider(taped(as_json(kind.whole))) as provider:
        result = await ask(kind, provider, http, client, stream=False)
    assert result.is_complete
    assert (result.text, result.passes) == ("Hello, world", False)
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (7, 3)
    [call] = provider.calls
    assert call.path == kind.whole_path
    assert kind.key.items() <= call.headers.items()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_stream_reaches_the_client_in_pieces(
    kind: Kind, client: DialectName, http: UpstreamHttp
) -> None:
    async with taped_provider(taped(*cut_up(kind.sse(kind.spoken)))) as provider:
        result = await ask(kind, provider, http, client)
    assert result.is_complete
    assert result.text == "Hello, world"
    assert sum(bool(piece.events) for piece in result.pieces) > 1
    answer = received(result, client)
    assert answer.choices[0].finish == "stop"
    assert result.usage is not None
    assert result.usage.output_tokens == 3
    assert provider.calls[0].path == kind.stream_path


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_tool_is_called_and_its_result_goes_back(
    kind: Kind, stream: bool, http: UpstreamHttp
) -> None:
    async with taped_provider(taped(as_json(kind.calling)), taped(as_json(kind.whole))) as provider:
        first = await ask(kind, provider, http, stream=stream, tools=[TOOL])
        answer = received(first, "openai.chat")
        [call] = (
            DIALECTS["openai.chat"]
            .decode_request(
                as_json({"model": "m", "messages": [{"role": "user", "content": "hi"}, spoken(answer)]})
            )
            .messages[1]
            .parts
        )
        messages = [
            {"role": "user", "content": "hi"},
            spoken(answer),
            {"role": "tool", "tool_call_id": getattr(call, "id", ""), "content": "seen"},
        ]
        second = await ask(kind, provider, http, stream=stream, tools=[TOOL], messages=messages)
    assert answer.choices[0].finish == "tool_calls"
    assert second.text == "Hello, world"
    check_tool_round(kind, json.loads(provider.calls[1].body), getattr(call, "id", ""))


def spoken(answer: ChatResponse) -> dict[str, Any]:
    """The assistant's message as a client of OpenAI's sends it back."""
    body = DIALECTS["openai.chat"].encode_response(answer, a_scene())
    message = json.loads(body)["choices"][0]["message"]
    return {"role": "assistant", "content": message["content"], "tool_calls": message["tool_calls"]}


def check_tool_round(kind: Kind, sent: Any, call_id: str) -> None:
    assert call_id
    if kind is GEMINI:
        _, called, answered = sent["contents"]
        part = called["parts"][0]
        assert part["functionCall"] == {"name": "look", "args": {"at": 1.5}, "id": call_id}
        assert part["thoughtSignature"] == "skip_thought_signature_validator", "a chat client keeps none"
        assert answered["role"] == "user"
        assert answered["parts"] == [
            {"functionResponse": {"name": "look", "response": {"output": "seen"}, "id": call_id}}
        ]
    else:
        _, called, answered = sent["messages"]
        [tool_call] = called["tool_calls"]
        assert tool_call["function"] == {"name": "look", "arguments": '{"at":1.5}'}
        assert answered == {"role": "tool", "content": "seen", "tool_call_id": call_id}


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_an_error_in_the_middle_ends_the_stream_as_one(kind: Kind, http: UpstreamHttp) -> None:
    begun = [each for each in kind.spoken if "Hello" in json.dumps(each)][:1]
    started = kind.spoken[:2] if kind is COHERE else ()
    async with taped_provider(taped(kind.sse([*started, *begun, *kind.error_events]))) as provider:
        result = await ask(kind, provider, http)
    assert isinstance(result.failure, Overloaded)
    assert result.failure.message == "overloaded"
    assert result.text == "Hello"


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_stream_without_its_finish_is_no_answer(kind: Kind, cut: bool, http: UpstreamHttp) -> None:
    async with taped_provider(taped(kind.sse(kind.spoken[:-1]), cut=cut)) as provider:
        result = await ask(kind, provider, http)
    assert isinstance(result.failure, Interrupted)
    assert result.text.startswith("Hello")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"{", b"{}", b"[]", b"null", b"\xff\xfe"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_what_is_no_answer_is_told_as_such(
    kind: Kind, body: bytes, stream: bool, http: UpstreamHttp
) -> None:
    async with taped_provider(taped(body)) as provider:
        result = await ask(kind, provider, http, stream=stream)
    assert isinstance(result.failure, Malformed | Interrupted)


GEMINI_BAD_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
    }
}
GEMINI_LONG = {"error": {"code": 400, "message": "The input is too long", "status": "INVALID_ARGUMENT"}}
GEMINI_MISSING = {"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}}
COHERE_LONG = {"message": "no", "error_type": "TOO_MANY_TOKENS"}
REFUSALS = [
    (GEMINI, (400, GEMINI_BAD_KEY), (BadCredential, "upstream_authentication")),
    (GEMINI, (404, GEMINI_MISSING), (Rejected, "NOT_FOUND")),
    (GEMINI, (400, GEMINI_LONG), (Rejected, "context_length_exceeded")),
    (GEMINI, (429, {"error": {"code": 429, "message": "no"}}), (Limited, "rate_limit_exceeded")),
    (GEMINI, (503, [{"error": {"code": 503, "message": "no"}}]), (Overloaded, "upstream_overloaded")),
    (COHERE, (401, {"message": "invalid api token"}), (BadCredential, "upstream_authentication")),
    (COHERE, (400, COHERE_LONG), (Rejected, "context_length_exceeded")),
    (COHERE, (429, {"message": "trial key"}), (Limited, "rate_limit_exceeded")),
    (COHERE, (498, {"message": "blocked"}), (Overloaded, "upstream_overloaded")),
]


@pytest.mark.parametrize(("kind", "answer", "meaning"), REFUSALS)
async def test_a_refusal_means_what_the_vendor_says(
    kind: Kind, answer: tuple[int, Any], meaning: tuple[type[Exception], str], http: UpstreamHttp
) -> None:
    status, body = answer
    async with taped_provider(taped(as_json(body), status=status)) as provider:
        result = await ask(kind, provider, http)
    assert result.failure is not None
    assert (type(result.failure), result.failure.code) == meaning
    assert "API key" not in result.failure.message


PICTURE = "data:image/png;base64,iVBORw0KGgo="
ASKED: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image_url", "image_url": {"url": PICTURE}},
            ],
        },
    ],
    "max_tokens": 64,
    "seed": 7,
    "temperature": 1.5,
    "top_p": 0.5,
    "stop": ["END"],
    "frequency_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "user": "u-1",
    "reasoning_effort": "low",
    "tools": [TOOL],
    "tool_choice": "required",
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
}
"""What a client of OpenAI's dialect asks for."""

SENT: dict[str, tuple[dict[str, Any], set[str]]] = {
    "gemini": (
        {
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "hi"},
                        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                    ],
                }
            ],
            "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            "generationConfig": {
                "maxOutputTokens": 64,
                "temperature": 1.5,
                "topP": 0.5,
                "stopSequences": ["END"],
                "seed": 7,
                "frequencyPenalty": 0.1,
                "responseMimeType": "application/json",
                "responseJsonSchema": SCHEMA,
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"},
            },
        },
        {"user", "openai.chat:logit_bias"},
    ),
    "cohere": (
        {
            "model": "m-1",
            "messages": [
                {"role": "system", "content": "Be kind."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "hi"},
                        {"type": "image_url", "image_url": {"url": PICTURE}},
                    ],
                },
            ],
            "tools": [TOOL],
            "tool_choice": "REQUIRED",
            "response_format": {"type": "json_object", "json_schema": SCHEMA},
            "max_tokens": 64,
            "stop_sequences": ["END"],
            "temperature": 1.0,
            "p": 0.5,
            "seed": 7,
            "frequency_penalty": 0.1,
            "thinking": {"type": "enabled", "token_budget": 2048},
            "stream": False,
        },
        {"temperature", "user", "openai.chat:logit_bias"},
    ),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_row_sends_exactly_this(kind: Kind, http: UpstreamHttp) -> None:
    async with taped_provider(taped(as_json(kind.whole))) as provider:
        result = await ask(kind, provider, http, stream=False, **ASKED)
    sent, losses = SENT[kind.name]
    assert json.loads(provider.calls[0].body) == sent
    assert set(result.losses) == losses


OFF: dict[str, object] = {
    "gemini-2.5-flash": {"thinkingConfig": {"thinkingBudget": 0}},
    "gemini-2.5-pro": {"thinkingConfig": {"thinkingBudget": 128}},
    "gemini-3-flash": {"thinkingConfig": {"thinkingLevel": "minimal"}},
    "gemini-2.0-flash": None,
}


@pytest.mark.parametrize("model", OFF)
async def test_a_client_that_wants_no_thinking_gets_the_least_of_its_family(
    model: str, http: UpstreamHttp
) -> None:
    async with taped_provider(taped(as_json(GEMINI.whole))) as provider:
        await ask(GEMINI, provider, http, "ollama.chat", model=model, stream=False, think=False)
    assert json.loads(provider.calls[0].body).get("generationConfig") == OFF[model]
