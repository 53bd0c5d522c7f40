"""The chat routes over the real use case: what goes wrong before and after the first byte, and who may not ask."""

import json
from typing import Any

import pytest

from relay.adapters.inbound.http.chat import Patience
from relay.application.attempts import AttemptLimits
from relay.application.ports import Piece
from relay.domain import errors
from relay.domain.errors import Interrupted, Limited, Overloaded, Rejected, RelayError, UpstreamError
from relay.domain.events import PartDelta
from tests.support.asgi import call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.chatting import OLLAMA, OPENAI, RELAY_HEADERS, body, both, both_ways, error_text
from tests.unit.inbound_http.listener import (
    HELLO,
    listening,
)

pytestmark = pytest.mark.anyio


PROVIDER_FAILURES: dict[str, UpstreamError] = {
    type(failure).__name__: failure
    for failure in (
        errors.Unreachable("the reason"),
        errors.BadCredential("the reason"),
        errors.Rejected("the reason"),
        errors.Limited("the reason"),
        errors.Overloaded("the reason"),
        errors.TimedOut("the reason", phase="idle"),
        errors.Malformed("the reason"),
        errors.Interrupted("the reason"),
    )
}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", PROVIDER_FAILURES)
@both
async def test_a_failure_before_the_first_byte_has_its_status(path: str, name: str, stream: bool) -> None:
    failure = PROVIDER_FAILURES[name]
    listener = listening(TapeBackend(before=(failure,)))
    answer = await call(listener.api, "POST", path, body=body(path, stream=stream))
    assert answer.status == failure.status
    assert answer.headers["content-type"].startswith("application/json")
    assert error_text(path, answer) == "the reason"
    assert set(answer.headers) >= RELAY_HEADERS
    assert listener.lines[0].error == failure.code


@pytest.mark.parametrize("name", PROVIDER_FAILURES)
@both
async def test_a_failure_after_the_first_byte_is_in_band(path: str, name: str) -> None:
    listener = listening(TapeBackend((*HELLO[:2], PROVIDER_FAILURES[name])))
    answer = await call(listener.api, "POST", path, body=body(path, stream=True))
    assert answer.status == 200
    last = answer.chunks[-1].data
    if path == OPENAI:
        assert json.loads(last.removeprefix(b"data: "))["error"]["message"] == "the reason"
        assert b"[DONE]" not in answer.body
    else:
        assert json.loads(last) == {"error": "the reason"}
        assert b'"done":true' not in answer.body
    (line,) = listener.lines
    assert (line.status, line.outcome, line.error) == (200, "error", PROVIDER_FAILURES[name].code)


REFUSALS: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("half a body", b'{"model":', 400),
    ("no model", b'{"messages":[]}', 400),
    ("an empty model", b'{"model":"","messages":[{"role":"user","content":"hi"}]}', 400),
    ("not an object", b"[]", 400),
    ("deep nesting", b'{"model":"up/basic","messages":' + b"[" * 100_000, 400),
]


@pytest.mark.parametrize(
    ("sent", "status"), [refusal[1:] for refusal in REFUSALS], ids=[r[0] for r in REFUSALS]
)
@both
async def test_a_bad_body_is_a_400_in_the_dialects_shape(path: str, sent: bytes, status: int) -> None:
    listener = listening()
    answer = await call(listener.api, "POST", path, body=sent)
    assert answer.status == status
    assert error_text(path, answer)
    assert answer.headers["x-request-id"]
    assert "x-relay-provider" not in answer.headers
    assert listener.backend.calls == []


@pytest.mark.parametrize(("path", "status"), [("/v1/chat/completions", 400), ("/api/chat", 404)])
async def test_bytes_that_are_no_utf8_are_refused_or_read_as_ollama_reads_them(
    path: str, status: int
) -> None:
    # Go reads them as U+FFFD, so that the body is good and its model is nobody's.
    listener = listening()
    answer = await call(listener.api, "POST", path, body=b'{"model":"\xff"}')
    assert answer.status == status
    assert error_text(path, answer)
    assert listener.backend.calls == []


HOSTILE = [
    b'"temperature": 1e400',
    b'"seed": ' + b"9" * 5000,
    b'"temperature": NaN',
    b'"stop": "\\ud83d"',
    b'"stop": "\x00"',
    b'"user": "\\u0000"',
    b'"stream": "yes"',
    b'"messages": 7',
    b'"messages": [{"role": 1, "content": {}}]',
    b'"messages": [{"role": "tool", "content": [[[]]]}]',
    b'"tools": [{"function": null}]',
    b'"options": []',
    b'"model": "up/basic\\r\\nx-evil: 1"',
    b'"model": {"a": 1}',
    b'"x": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000,
]


@both
async def test_no_body_makes_the_relay_fail(path: str) -> None:
    listener = listening()
    usual = b'"model": "up/basic", "messages": [{"role": "user", "content": "hi"}], "stream": false'
    for hostile in HOSTILE:
        for sent in (b"{%b, %b}" % (usual, hostile), b"\xef\xbb\xbf{%b}" % usual, b"{%b}]" % usual):
            answer = await call(listener.api, "POST", path, body=sent)
            assert answer.status < 500, (hostile[:60], answer.body)
            assert "x-evil" not in answer.headers
            if answer.status != 200:
                assert error_text(path, answer)
    assert listener.events == []


@both
async def test_an_unknown_model_is_a_404(path: str) -> None:
    answer = await call(listening().api, "POST", path, body=body(path, "zzz"))
    assert answer.status == 404
    if path == OPENAI:
        assert answer.json()["error"]["code"] == "model_not_found"
        assert "zzz" in error_text(path, answer)
    else:
        assert answer.json() == {"error": "model 'zzz' not found"}


@both
async def test_what_a_model_is_known_to_lack_is_refused(path: str) -> None:
    answer = await call(listening().api, "POST", path, body=body(path, "up/emb"))
    assert answer.status == 400
    assert "does not support chat" in error_text(path, answer)


@both
async def test_retry_after_is_passed_on(path: str) -> None:
    listener = listening(TapeBackend(before=(Limited("slow down", retry_after_s=7),)))
    answer = await call(listener.api, "POST", path, body=body(path))
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


@both_ways
@both
async def test_another_method_is_a_405_that_says_post(path: str, hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        answer = await call(listener.api, method, path)
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]
        if method == "HEAD":
            assert answer.body == b""
        elif path == OLLAMA:
            assert answer.body == b"405 method not allowed"
            assert answer.headers["content-type"] == "text/plain"
        else:
            assert answer.json()["error"]["type"] == "invalid_request_error"


@both
async def test_options_is_answered_without_a_key(path: str) -> None:
    answer = await call(listening(mode="keys").api, "OPTIONS", path)
    assert (answer.status, answer.body) == (204, b"")
    assert "POST" in answer.headers["allow"]


@both
async def test_a_body_over_the_limit_is_a_413(path: str) -> None:
    patience = Patience(body_bytes=200)
    for pieces in ([b"x" * 201], [b"x" * 100] * 3):
        answer = await call(listening(patience=patience).api, "POST", path, body=pieces)
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert error_text(path, answer)


@both
async def test_without_a_key_nothing_is_read_and_nobody_called(path: str) -> None:
    listener = listening(mode="keys")
    listener.keys.issue()
    for headers in (
        {},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer wrong"},
        {"x-api-key": "lr_x"},
    ):
        answer = await call(listener.api, "POST", f"{path}?key=lr_x", headers=headers, body=b"not even JSON")
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        if path == OPENAI:
            assert answer.json()["error"]["code"] == "invalid_api_key"
    assert listener.books.started == []


async def test_two_different_keys_are_refused() -> None:
    listener = listening(mode="keys")
    headers = {"authorization": f"Bearer {listener.keys.issue('a')}", "x-api-key": listener.keys.issue("b")}
    answer = await call(listener.api, "POST", OPENAI, headers=headers, body=body(OPENAI))
    assert answer.status == 400


async def test_a_key_that_does_not_reach_the_model_is_forbidden() -> None:
    listener = listening(mode="keys")
    key = listener.keys.issue(models=("up/plain",))
    answer = await call(listener.api, "POST", OPENAI, headers={"x-api-key": key}, body=body(OPENAI))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "model_not_allowed")


class Bug(Exception):
    """Raised where nobody expects it."""


@both
async def test_a_bug_is_a_500_without_its_words(path: str) -> None:
    class Broken(TapeBackend):
        async def open(self, call: object) -> Any:
            raise Bug("the prompt")

    listener = listening(Broken())
    answer = await call(listener.api, "POST", path, body=body(path))
    assert answer.status == 500
    assert b"prompt" not in answer.body
    (event,) = listener.events
    assert (event["exception"], event["request_id"]) == ("Bug", answer.headers["x-request-id"])
    assert "prompt" not in repr(event)


async def test_a_bug_after_the_first_byte_ends_the_stream_in_band() -> None:
    bad = PartDelta(index=0, text="x", choice="no choice")  # type: ignore[arg-type] # what a bug would bring
    listener = listening(TapeBackend((*HELLO[:2], Piece(events=(bad, object())))))  # type: ignore[arg-type]
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI, stream=True))
    assert answer.status == 200
    assert json.loads(answer.chunks[-1].data.removeprefix(b"data: "))["error"]["code"] == "internal_error"
    assert [entry["event"] for entry in listener.events] == ["unexpected failure"]


async def test_a_silent_event_stream_is_kept_alive_and_its_failure_is_in_band() -> None:
    patience = Patience(keep_alive_s=0.05)
    listener = listening(TapeBackend(before=(0.18, Overloaded("busy"))), patience=patience)
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI, stream=True))
    assert answer.status == 200
    assert answer.headers["x-relay-attempts"] == "1"
    comments = [chunk for chunk in answer.chunks if chunk.data == b": keep-alive\n\n"]
    assert len(comments) in (2, 3)
    assert 0.04 < comments[0].at_s < 0.15
    assert b'"busy"' in answer.chunks[-1].data
    assert len(listener.backend.calls) == 1, "after the head nothing is tried again"


async def test_a_silent_whole_answer_is_left_alone() -> None:
    patience = Patience(keep_alive_s=0.02)
    listener = listening(TapeBackend(HELLO, before=(0.1,)), patience=patience)
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI))
    assert (answer.status, len(answer.chunks)) == (200, 1)


async def test_the_deadline_of_a_call_is_in_band_once_it_streams() -> None:
    listener = listening(TapeBackend((*HELLO[:2], 60.0)), limits=AttemptLimits(total_s=0.1))
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI, stream=True))
    assert b"upstream_timeout" in answer.chunks[-1].data


@pytest.mark.parametrize("failure", [Rejected("too long", status=422), Interrupted("broke")])
async def test_an_error_of_a_whole_answer_is_never_a_200(failure: RelayError) -> None:
    listener = listening(TapeBackend((*HELLO[:2], failure)))
    answer = await call(listener.api, "POST", OPENAI, body=body(OPENAI))
    assert answer.status == failure.status
