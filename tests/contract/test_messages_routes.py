"""Anthropic's routes, against the whole listener: messages and the count of their tokens."""

import json
from typing import Any

import pytest

from relay.domain.errors import Interrupted, Limited, Overloaded, Rejected, RelayError
from tests.support.asgi import Answer, call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.chatting import RELAY_HEADERS
from tests.unit.inbound_http.listener import HELLO, Listener, listening

pytestmark = pytest.mark.anyio

MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"
both_ways = pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])
either = pytest.mark.parametrize("path", [MESSAGES, COUNT])


async def ask(
    listener: Listener, path: str = MESSAGES, /, headers: dict[str, str] | None = None, **members: Any
) -> Answer:
    body = {"model": "up/basic", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **members}
    return await call(listener.api, "POST", path, headers=headers or {}, body=json.dumps(body).encode())


class Counter:
    """A `TokenCounter` that answers or fails."""

    def __init__(self, answer: int | RelayError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def count(self, body: bytes, model: str, request_id: str) -> int:
        self.asked.append((json.loads(body)["model"], model))
        if isinstance(self.answer, RelayError):
            raise self.answer
        return self.answer


@both_ways
async def test_a_message_is_answered_whole(hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    answer = await ask(listener)
    said = answer.json()
    assert answer.status == 200
    assert set(answer.headers) >= RELAY_HEADERS | {"request-id"}
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert (said["type"], said["role"], said["model"]) == ("message", "assistant", "up/basic")
    assert said["content"] == [{"type": "text", "text": "Hello", "citations": None}]
    assert said["stop_reason"] == "end_turn"
    assert (said["usage"]["input_tokens"], said["usage"]["output_tokens"]) == (12, 2)
    [started] = listener.books.started
    assert started.context.dialect == "anthropic.messages"


@both_ways
@pytest.mark.parametrize("path", [MESSAGES, "/messages", "//v1/messages/"])
async def test_a_message_is_streamed_with_named_events(path: str, hot_in_front: bool) -> None:
    answer = await ask(listening(hot_in_front=hot_in_front), path, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *frames, rest = answer.body.decode().split("\n\n")
    assert rest == ""
    names = [frame.partition("\n")[0].removeprefix("event: ") for frame in frames]
    deltas = ["content_block_delta"] * 2
    assert names == [
        "message_start", "content_block_start", *deltas, "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip


async def test_what_the_client_says_of_versions_is_taken() -> None:
    headers = {"anthropic-version": "2026-10-21", "anthropic-beta": "a-2026,b-2026", "x-app": "cli"}
    listener = listening()
    assert (await ask(listener, headers=headers)).status == 200
    assert listener.backend.calls[0].original.headers == (("anthropic-beta", "a-2026,b-2026"),)


@pytest.mark.parametrize("betas", ["", "a\tb", "grüße", "x" * 3000])
async def test_what_is_no_list_of_trials_goes_no_further(betas: str) -> None:
    listener = listening()
    assert (await ask(listener, headers={"anthropic-beta": betas})).status == 200
    assert listener.backend.calls[0].original.headers == ()


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_key_counts_in_either_header(header: str) -> None:
    listener = listening(mode="keys")
    key = listener.keys.issue()
    value = f"Bearer {key}" if header == "authorization" else key
    assert (await ask(listener, headers={header: value})).status == 200
    refused = await ask(listener)
    assert refused.status == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    assert refused.headers["request-id"] == refused.headers["x-request-id"]


@either
@pytest.mark.parametrize(
    ("members", "status", "kind"),
    [
        ({"model": "nobody"}, 404, "not_found_error"),
        ({"model": ""}, 400, "invalid_request_error"),
        ({"model": 7}, 400, "invalid_request_error"),
    ],
    ids=str,
)
async def test_what_cannot_be_served_is_told_in_anthropics_shape(
    path: str, members: dict[str, Any], status: int, kind: str
) -> None:
    answer = await ask(listening(), path, **members)
    assert (answer.status, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", kind)


@either
@both_ways
async def test_a_wrong_method_is_told_in_anthropics_shape(path: str, hot_in_front: bool) -> None:
    answer = await call(listening(hot_in_front=hot_in_front).api, "GET", path)
    assert answer.status == 405
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "POST" in answer.headers["allow"]


async def test_a_failure_before_and_after_the_first_byte() -> None:
    limited = await ask(listening(TapeBackend((Limited("slow down", retry_after_s=7),))))
    assert (limited.status, limited.headers["retry-after"]) == (429, "7")
    assert limited.json() == {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    broken = await ask(listening(TapeBackend((*HELLO[:-1], Interrupted("it broke")))), stream=True)
    assert broken.status == 200
    last = broken.body.decode().rstrip().rpartition("\n\n")[2].split("\n")
    assert last[0] == "event: error"
    assert json.loads(last[1].removeprefix("data: "))["error"] == {"type": "api_error", "message": "it broke"}


@both_ways
async def test_a_provider_that_counts_is_asked(hot_in_front: bool) -> None:
    counter = Counter(88)
    answer = await ask(listening(counters={"up": counter}, hot_in_front=hot_in_front), COUNT)
    assert (answer.status, answer.json()) == (200, {"input_tokens": 88})
    assert counter.asked == [("up/basic", "basic")]
    assert "x-relay-token-count" not in answer.headers
    assert (answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == ("up", "1")


@pytest.mark.parametrize("counters", [{}, {"up": Counter(Overloaded("busy"))}], ids=["none", "busy"])
async def test_tokens_that_nobody_counts_are_estimated_and_that_is_said(counters: dict[str, Counter]) -> None:
    listener = listening(counters=counters)
    answer = await ask(listener, COUNT, system="x" * 350)
    assert answer.headers["x-relay-token-count"] == "estimated"
    assert 100 <= answer.json()["input_tokens"] <= 140
    assert listener.books.started == [], "what costs nothing has no row"


async def test_what_the_provider_refuses_to_count_is_refused() -> None:
    answer = await ask(listening(counters={"up": Counter(Rejected("no such role"))}), COUNT)
    assert (answer.status, answer.json()["error"]["message"]) == (400, "no such role")


async def test_a_key_that_does_not_reach_a_model_may_not_count_for_it() -> None:
    listener = listening(mode="keys", counters={"up": Counter(1)})
    key = listener.keys.issue(models=("other/*",))
    answer = await ask(listener, COUNT, headers={"x-api-key": key})
    assert (answer.status, answer.json()["error"]["type"]) == (403, "permission_error")
