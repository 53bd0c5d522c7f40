"""Failures that providers put into their streams, or in place of them."""

from typing import Any

import pytest

from relay.adapters.dialects.base import MAX_EVENT_BYTES
from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Text
from relay.domain.errors import (
    BadCredential,
    Limited,
    Malformed,
    Overloaded,
    Rejected,
    RelayError,
)
from relay.domain.events import (
    Failed,
    Finished,
    UsageReported,
)
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import (
    choice_of,
    events_of,
    failure_of,
    frame,
    said,
    whole,
)

STOP = said({}, "stop")


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, Overloaded, 500),
        (
            {"error": {"message": "m", "code": 429, "metadata": {"error_type": "rate_limit_exceeded"}}},
            Limited,
            429,
        ),
        (
            {"error": {"message": "m", "code": 400}, "choices": [{"index": 0, "delta": {"content": ""}}]},
            Rejected,
            400,
        ),
        (
            {
                "error": {
                    "message": "m",
                    "type": "invalid_request_error",
                    "code": "tool_use_failed",
                    "status_code": 400,
                }
            },
            Rejected,
            400,
        ),
        ({"error": {"message": "m", "code": "invalid_api_key"}}, BadCredential, 401),
        ({"error": "m"}, Overloaded, 500),
        ({"object": "error", "message": "m", "code": 400}, Rejected, 400),
        ({"object": "error", "message": "m", "type": "x", "raw_status_code": 503}, Overloaded, 503),
        ({"detail": "m"}, Overloaded, 500),
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], Rejected, 400),
        (
            {"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "m"}}]},
            Overloaded,
            502,
        ),
    ],
)
def test_an_error_in_a_stream_is_a_failure(error: Any, kind: type[RelayError], status: int) -> None:
    failure = failure_of(said({"content": "x"}), error)
    assert type(failure) is kind
    assert failure.provider_status == status


def test_an_event_named_error_is_one() -> None:
    assert isinstance(failure_of(b'event: error\ndata: {"message":"m","code":400}\n\n'), Rejected)


@pytest.mark.parametrize("absent", [None, {}, "", False])
def test_an_error_that_is_empty_is_none(absent: object) -> None:
    assert choice_of(said({"content": "x"}, "stop", error=absent)).finish == "stop"


def test_usage_beside_an_error_is_still_read() -> None:
    chunk = said({"content": ""}, usage={"prompt_tokens": 3}, error={"code": 400, "message": "m"})
    assert UsageReported(usage=Usage(input_tokens=3)) in events_of(chunk)


def test_an_error_after_the_finish_is_a_failure() -> None:
    assert isinstance(
        failure_of(said({"content": "x"}, "length"), {"error": {"code": 400, "message": "m"}}), Rejected
    )
    events = events_of(said({"content": "x"}, "length"), {"error": {"code": 400, "message": "m"}})
    assert not [event for event in events if isinstance(event, Finished)]


def test_nothing_follows_a_failure() -> None:
    decoder = DIALECT.decoder()
    assert isinstance(decoder.feed(frame({"error": "m"}))[-1], Failed)
    assert decoder.feed(frame(said({"content": "x"}))) == []
    assert decoder.close() == []


@pytest.mark.parametrize(
    "data", [b"data: {\n\n", b"data: ping\n\n", b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n']
)
def test_what_is_not_json_is_malformed(data: bytes) -> None:
    assert isinstance(failure_of(data), Malformed)


NESTED = b'[{"thinking":' * 1500 + b'""' + b"}]" * 1500


@pytest.mark.parametrize(
    "chunk",
    [
        b'{"usage":' + b"[" * 9999 + b"]" * 9999 + b"}",
        b'{"choices":[{"index":"0","delta":{"content":' + NESTED + b"}}]}",
    ],
)
def test_what_is_nested_without_end_is_malformed(chunk: bytes) -> None:
    assert isinstance(failure_of(b"data: " + chunk + b"\n\n"), Malformed)


class TestInPlaceOfAStream:
    def test_it_is_bounded(self) -> None:
        decoder = DIALECT.decoder()
        decoder.feed(b'{"choices":[')
        events = decoder.feed(b" " * (MAX_EVENT_BYTES + 1))
        assert isinstance(events[-1], Failed)
        assert isinstance(events[-1].error, Malformed)

    def test_a_whole_answer_is_read(self) -> None:
        body = whole(
            {"role": "assistant", "content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 2}
        )
        assert choice_of(b"\xef\xbb\xbf \n" + body, end=b"").parts == (Text(text="x"),)

    def test_an_error_is_read(self) -> None:
        body = b'[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]'
        assert isinstance(failure_of(body, end=b""), Limited)

    def test_half_an_object_is_malformed(self) -> None:
        assert isinstance(failure_of(b'{"choices":[', end=b""), Malformed)
