"""What the backend over HTTP sends, and what it makes of what comes back, chunk by chunk."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from relay.adapters.outbound.http.interface import HttpRequest, HttpResponse
from relay.application.ports import ChatBackend
from relay.domain.chat import DialectName
from relay.domain.errors import (
    BadCredential,
    Interrupted,
    InvalidRequest,
    Malformed,
    Overloaded,
    TimedOut,
    Unreachable,
)
from relay.domain.usage import Usage
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, Step, whole
from tests.support.upstream_calls import backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio


def chunk(content: str | None = None, finish: str | None = None, choice: int = 0) -> bytes:
    delta = {} if content is None else {"role": "assistant", "content": content}
    choices = [{"index": choice, "delta": delta, "finish_reason": finish}]
    return b"data: %b\n\n" % json.dumps({"id": "1", "model": "m-1", "choices": choices}).encode()


USAGE = b'data: {"id":"1","model":"m-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
ANSWER = (chunk("Hello"), chunk(" there"), chunk(finish="stop"), USAGE, DONE)
BODY = {
    "id": "1",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}
LINE = (
    b'{"model":"m-1","message":{"role":"assistant","content":"Hello"},"done":false}\n',
    b'{"model":"m-1","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n',
)


def playing(
    kind: str, answer: Answer | Callable[[HttpRequest], Answer], **section: object
) -> tuple[ChatBackend, RecordingHttp]:
    http = RecordingHttp(answer if callable(answer) else lambda request: answer)
    return backend_for(kind, http, **section), http


def streaming(*steps: Step, kind: str = "openai", **section: object) -> tuple[ChatBackend, RecordingHttp]:
    return playing(kind, lambda request: ScriptedResponse(steps), **section)


async def test_a_passed_body_keeps_what_the_relay_does_not_know() -> None:
    backend, http = streaming(*ANSWER)
    call = upstream_call("openai.chat", made_up={"n": 1}, temperature=0.50)
    assert (await outcome(backend, call)).is_complete
    sent = json.loads(http.requests[0].body)
    assert sent["model"] == "m-1"
    assert sent["made_up"] == {"n": 1}
    assert sent["stream_options"] == {"include_usage": True}
    assert list(sent)[:3] == ["model", "messages", "stream"]


async def test_headers_carry_the_key_the_request_and_who_asks() -> None:
    backend, http = streaming(*ANSWER)
    await outcome(backend, upstream_call("openai.chat"))
    headers = http.requests[0].headers
    assert headers["authorization"] == "Bearer k-1"
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"] == "request-1"
    assert headers["user-agent"].startswith("llm-relay/")
    assert "k-1" not in repr(backend)


async def test_a_header_of_its_own_can_carry_the_key() -> None:
    backend, http = streaming(*ANSWER, auth={"scheme": "header", "header": "Api-Key"})
    await outcome(backend, upstream_call("openai.chat"))
    assert http.requests[0].headers["api-key"] == "k-1"
    assert "authorization" not in http.requests[0].headers


async def test_a_provider_without_its_key_is_not_called() -> None:
    backend, http = streaming(*ANSWER, api_key="env:NOT_SET")
    result = await outcome(backend, upstream_call("openai.chat"))
    assert isinstance(result.failure, BadCredential)
    assert result.failure.message == "the provider cannot be called: no key: NOT_SET is not set"
    assert http.requests == []


async def test_a_provider_that_needs_no_key_is_called_without_one() -> None:
    backend, http = playing("ollama", ScriptedResponse(LINE), auth={"scheme": "none"})
    assert (await outcome(backend, upstream_call("ollama.chat"))).is_complete
    assert "authorization" not in http.requests[0].headers


async def test_a_system_prompt_is_put_first_and_rules_out_passing() -> None:
    backend, http = streaming(*ANSWER, quirks={"system_prompt": "Be brief."})
    result = await outcome(backend, upstream_call("openai.chat"))
    assert not result.passes
    assert json.loads(http.requests[0].body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


async def test_a_row_that_may_not_pass_is_translated_even_in_its_own_dialect() -> None:
    backend, _ = streaming(*ANSWER, kind="groq")
    result = await outcome(backend, upstream_call("openai.chat"))
    assert result.is_complete
    assert not result.passes


async def test_losses_of_codec_and_quirks_are_told_together() -> None:
    backend, http = streaming(*ANSWER, kind="groq")
    call = upstream_call(
        "ollama.chat", options={"num_ctx": 4096, "presence_penalty": 1.0, "temperature": 0.5}
    )
    result = await outcome(backend, call)
    assert result.losses == ("ollama.chat:options", "presence_penalty")
    sent = json.loads(http.requests[0].body)
    assert sent["temperature"] == 0.5
    assert "presence_penalty" not in sent


async def test_quirks_edit_a_passed_body_too() -> None:
    backend, http = streaming(*ANSWER)
    result = await outcome(backend, upstream_call("openai.chat", max_tokens=5, model="o3"))
    assert result.passes
    assert result.losses == ()
    sent = json.loads(http.requests[0].body)
    assert sent["max_completion_tokens"] == 5
    assert "max_tokens" not in sent


async def test_a_profile_counts_for_the_models_it_matches_alone() -> None:
    for model, losses in (("o3-2026", ("temperature",)), ("O3", ("temperature",)), ("gpt-4o", ())):
        backend, http = streaming(*ANSWER)
        call = upstream_call("openai.chat", model=model, temperature=0.5)
        assert (await outcome(backend, call)).losses == losses
        assert ("temperature" in json.loads(http.requests[0].body)) == (losses == ())


async def test_thinking_is_asked_of_an_ollama_only_when_the_client_did() -> None:
    asked: list[tuple[DialectName, dict[str, Any], object]] = [
        ("openai.chat", {}, None),
        ("openai.chat", {"reasoning_effort": "none"}, False),
        ("ollama.chat", {}, None),
        ("ollama.chat", {"think": True}, True),
        ("ollama.chat", {"think": False}, False),
    ]
    for dialect, fields, think in asked:
        backend, http = playing("ollama", ScriptedResponse(LINE))
        assert (await outcome(backend, upstream_call(dialect, **fields))).is_complete
        sent = json.loads(http.requests[0].body)
        assert sent.get("think") == think
        assert ("think" in sent) == (think is not None)


async def test_a_body_that_cannot_be_translated_is_the_clients_fault_and_is_not_sent() -> None:
    backend, http = streaming(*ANSWER)
    result = await outcome(backend, upstream_call("ollama.chat", messages="nonsense"))
    assert isinstance(result.failure, InvalidRequest)
    assert http.requests == []


async def test_usage_that_was_not_asked_for_is_counted_and_withheld() -> None:
    backend, _ = streaming(*ANSWER)
    result = await outcome(backend, upstream_call("openai.chat", include_usage=False))
    assert result.usage == Usage(input_tokens=7, output_tokens=3)
    assert b"prompt_tokens" not in result.raw
    assert result.raw.endswith(DONE)


async def test_chunks_that_mean_nothing_are_read_over() -> None:
    backend, _ = streaming(b": ping\n\n", b"\n", b"\r\n", b"  ", *ANSWER)
    result = await outcome(backend, upstream_call("openai.chat"))
    assert result.is_complete
    assert all(piece.events or piece.raw or piece.last for piece in result.pieces)


@pytest.mark.parametrize("dialect", ["openai.chat", "ollama.chat"])
async def test_a_whole_answer_in_place_of_a_stream_is_passed_on_as_a_stream(dialect: DialectName) -> None:
    backend, _ = streaming(b" \r\n", json.dumps(BODY).encode())
    result = await outcome(backend, upstream_call(dialect))
    assert result.is_complete
    assert result.text == "Hello"
    if result.passes:
        assert result.raw.startswith(b"data: {")
        assert result.raw.endswith(DONE)
        assert b'"model":"asked"' in result.raw


@pytest.mark.parametrize("dialect", ["openai.chat", "ollama.chat"])
async def test_a_stream_in_place_of_a_whole_answer_is_passed_on_whole(dialect: DialectName) -> None:
    backend, _ = streaming(*ANSWER)
    result = await outcome(backend, upstream_call(dialect, stream=False))
    assert result.is_complete
    assert result.text == "Hello there"
    if result.passes:
        body = json.loads(result.raw)
        assert body["model"] == "asked"
        assert body["choices"][0]["message"]["content"] == "Hello there"


async def test_lines_in_place_of_a_whole_answer_are_passed_on_whole() -> None:
    backend, _ = playing("ollama", ScriptedResponse(LINE))
    result = await outcome(backend, upstream_call("ollama.chat", stream=False))
    assert result.is_complete
    assert json.loads(result.raw)["message"]["content"] == "Hello"
    assert json.loads(result.raw)["model"] == "asked"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", ["openai.chat", "ollama.chat"])
async def test_an_error_under_status_200_is_the_providers_failure(dialect: DialectName, stream: bool) -> None:
    backend, http = streaming(b'{"error":{"message":"no capacity","code":503}}')
    result = await outcome(backend, upstream_call(dialect, stream=stream))
    assert isinstance(result.failure, Overloaded)
    assert result.pieces == []
    assert http.responses[0].closed


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["openai", "ollama"])
@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"<!doctype html><h1>Bad gateway</h1>", b"Service unavailable", b"\x1f\x8b\x08", b"null"],
)
async def test_a_body_that_is_nothing_of_the_kind_is_refused(kind: str, stream: bool, body: bytes) -> None:
    backend, http = streaming(body, kind=kind)
    result = await outcome(backend, upstream_call("openai.chat", stream=stream))
    assert isinstance(result.failure, Malformed | Interrupted)
    if body.strip():
        assert isinstance(result.failure, Malformed)
    assert result.pieces == []
    assert http.responses[0].closed


async def test_an_error_after_content_is_raised_after_it_and_not_passed_on() -> None:
    backend, http = streaming(
        chunk("Hello"), b'data: {"error":{"message":"boom","code":"server_error"}}\n\n', DONE
    )
    result = await outcome(backend, upstream_call("openai.chat"))
    assert result.text == "Hello"
    assert result.failure is not None
    assert b"boom" not in result.raw
    assert b"[DONE]" not in result.raw
    assert http.responses[0].closed


async def test_content_and_error_in_one_chunk_are_told_apart() -> None:
    backend, _ = streaming(chunk("Hello") + b'data: {"error":{"message":"boom"}}\n\n')
    result = await outcome(backend, upstream_call("ollama.chat"))
    assert result.text == "Hello"
    assert result.failure is not None


@pytest.mark.parametrize("ending", [Interrupted("cut"), TimedOut("slow", phase="idle")])
@pytest.mark.parametrize("dialect", ["openai.chat", "ollama.chat"])
async def test_a_break_after_the_finish_costs_the_client_nothing(
    dialect: DialectName, ending: Interrupted | TimedOut
) -> None:
    for steps in (ANSWER, ANSWER[:4], ANSWER[:3]):
        backend, _ = streaming(*steps, ending)
        result = await outcome(backend, upstream_call(dialect))
        assert result.is_complete
        assert result.text == "Hello there"


async def test_a_break_before_the_last_choice_is_finished_is_a_break() -> None:
    backend, _ = streaming(chunk("a"), chunk("b", choice=1), chunk(finish="stop"), Interrupted("cut"))
    result = await outcome(backend, upstream_call("openai.chat", n=2))
    assert isinstance(result.failure, Interrupted)
    assert result.failure.message == "cut"


async def test_an_answer_whose_connection_stays_open_ends_after_a_moment() -> None:
    for kind, steps in (("openai", ANSWER), ("ollama", LINE)):
        backend, http = streaming(*steps, 60.0, kind=kind)
        with anyio.fail_after(3):
            result = await outcome(backend, upstream_call("openai.chat"))
        assert result.is_complete
        assert http.responses[0].closed


async def test_a_connection_is_let_go_of_with_the_last_piece() -> None:
    backend, http = streaming(*ANSWER)
    exchange = await backend.open(upstream_call("openai.chat"))
    while not (await exchange.read()).last:
        assert not http.responses[0].closed
    assert http.responses[0].closed == 1
    await exchange.aclose()
    assert http.responses[0].closed == 1


async def test_a_refusal_lets_go_of_its_connection() -> None:
    backend, http = playing("openai", whole({"error": {"message": "no"}}, status=400))
    await outcome(backend, upstream_call("openai.chat"))
    assert http.responses[0].closed == 1


async def test_every_way_out_gives_the_place_in_the_bulkhead_back() -> None:
    answers: list[Answer] = [
        ScriptedResponse(ANSWER),
        whole(BODY),
        whole({"error": {"message": "no"}}, status=500),
        Unreachable("refused"),
        ScriptedResponse((chunk("a"), Interrupted("cut"))),
        ScriptedResponse((b"<html>",)),
    ]
    backend, _ = playing("openai", lambda request: answers.pop(0), max_in_flight=1)
    while answers:
        await outcome(backend, upstream_call("openai.chat"))
    answers.append(ScriptedResponse(ANSWER))
    exchange = await backend.open(upstream_call("openai.chat"))
    await exchange.read()
    answers.append(ScriptedResponse(ANSWER))
    with anyio.move_on_after(0.05) as scope:
        await backend.open(upstream_call("openai.chat"))
    assert scope.cancelled_caught
    await exchange.aclose()
    assert (await outcome(backend, upstream_call("openai.chat"))).is_complete


async def test_a_call_cancelled_while_it_is_sent_gives_its_place_back() -> None:
    class HangingHttp(RecordingHttp):
        async def send(self, request: HttpRequest) -> HttpResponse:
            await anyio.sleep(60)
            raise AssertionError

    backend = backend_for("openai", HangingHttp(lambda request: whole({})), max_in_flight=1)
    for _ in range(3):
        with anyio.move_on_after(0.01) as scope:
            await backend.open(upstream_call("openai.chat"))
        assert scope.cancelled_caught
