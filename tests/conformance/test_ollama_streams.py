"""Ollama's streams: framing, order, failures, load and unload."""

import http.client
import json
import time
from typing import Any

import pytest

from tests.conformance.conftest import Place
from tests.conformance.wire import Answer, Api
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "hi"}]
TEXT = "000 001 002 003 "
METRICS = {
    "done_reason",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
    "eval_count",
}

both = pytest.mark.parametrize("provider", ["oll", "up"])


def chat(api: Api, model: str, **options: Any) -> Answer:
    return api.post("/api/chat", {"model": model, "messages": HELLO, **options})


def text_of(answer: Answer) -> str:
    return "".join(line["message"]["content"] for line in answer.lines)


@pytest.mark.conformance("ollama", 81, 82)
@both
@pytest.mark.parametrize("options", [{}, {"stream": None}])
def test_chats_stream_unless_told_otherwise_one_object_a_line(
    api: Api, provider: str, options: dict[str, Any]
) -> None:
    answer = chat(api, f"{provider}/basic", **options)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = answer.lines
    assert len(lines) >= 2
    for line in lines:
        assert {"model", "created_at", "message", "done"} <= set(line)
        assert line["message"]["role"] == "assistant"
        assert isinstance(line["message"]["content"], str)


@pytest.mark.conformance("ollama", 83)
@both
def test_the_last_line_alone_is_done_and_has_the_metrics(api: Api, provider: str) -> None:
    *earlier, last = chat(api, f"{provider}/basic").lines
    assert not any(line["done"] or METRICS & set(line) for line in earlier)
    assert last["done"]
    assert set(last) >= METRICS
    assert last["message"]["content"] == ""


@pytest.mark.conformance("ollama", 84)
@both
def test_the_first_line_leaves_long_before_the_last(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic?chunks=3&delay_ms=400")
    assert answer.pieces[0][0] < 0.9
    assert answer.pieces[-1][0] > 1.1


@pytest.mark.conformance("ollama", 85)
@both
def test_separators_that_break_line_readers_are_escaped(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/unicode")
    for separator in (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85"):
        assert separator not in answer.body
    assert "line\u2028sep para\u2029sep next\u0085line cr\rlf\r\n emoji \U0001f600" in text_of(answer)


@pytest.mark.conformance("ollama", 86)
@both
def test_half_a_surrogate_pair_becomes_a_replacement_character(api: Api, provider: str) -> None:
    body = b'{"model":"%b/echo","stream":false,"messages":[{"role":"user","content":"a\\ud83d"}]}'
    answer = api.send("POST", "/api/chat", body % provider.encode())
    assert answer.json["message"]["content"] == "a\ufffd"


@pytest.mark.conformance("ollama", 87)
@both
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_before_the_first_token_has_its_status(api: Api, provider: str, status: int) -> None:
    answer = chat(api, f"{provider}/fault/{status}")
    assert answer.status in ({429} if status == 429 else {500, 502, 503})
    assert answer.headers["content-type"].startswith("application/json")
    assert isinstance(answer.json["error"], str)


@pytest.mark.conformance("ollama", 88)
@both
def test_a_break_in_the_stream_is_a_last_line_with_an_error_alone(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/fault/cut?after_chunks=2")
    *lines, last = answer.lines
    assert answer.status == 200
    assert "".join(line["message"]["content"] for line in lines) == "000 001 "
    assert list(last) == ["error"]
    assert isinstance(last["error"], str)
    assert not any(line["done"] for line in lines)


@pytest.mark.conformance("ollama", 90)
@both
def test_a_client_that_leaves_stops_the_provider(
    place: Place, upstream: ScriptedUpstream, provider: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", place.api.port, timeout=5)
    body = {"model": f"{provider}/basic?chunks=500&delay_ms=10", "messages": HELLO}
    connection.request("POST", "/api/chat", json.dumps(body))
    response = connection.getresponse()
    assert json.loads(response.readline())["done"] is False
    left = time.monotonic()
    response.close()
    connection.close()
    (call,) = upstream.ledger.wait(lambda calls: bool(calls) and calls[-1].peer_closed_at is not None)
    assert (call.peer_closed_at or 0) - left < 1.0


@pytest.mark.conformance("ollama", 91)
@both
def test_a_stream_says_the_same_as_the_whole(api: Api, provider: str) -> None:
    whole = chat(api, f"{provider}/unicode", stream=False).json["message"]["content"]
    assert text_of(chat(api, f"{provider}/unicode")) == whole


@pytest.mark.conformance("ollama", 65)
@pytest.mark.parametrize("model", ["think", "up/think"])
def test_all_thinking_comes_before_the_first_content(api: Api, model: str) -> None:
    lines = chat(api, model, think=True).lines
    kinds = ["thinking" if line["message"].get("thinking") else "content" for line in lines]
    assert kinds == sorted(kinds, reverse=True)
    assert kinds[0] == "thinking"
    assert all("content" in line["message"] for line in lines)


@pytest.mark.conformance("ollama", 96)
@pytest.mark.parametrize(("keep_alive", "reason"), [(None, "load"), (0, "unload")])
def test_a_chat_without_messages_loads_or_unloads(api: Api, keep_alive: object, reason: str) -> None:
    answer = api.post("/api/chat", {"model": "basic", "messages": [], "keep_alive": keep_alive})
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json["message"] == {"role": "assistant", "content": ""}
    assert (answer.json["done"], answer.json["done_reason"]) == (True, reason)
    assert not {"total_duration", "eval_count"} & set(answer.json)
