"""Services: what is read of their requests, and what their answers count."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.services import (
    StreamedUsage,
    passed_content_type,
    read_request,
    renamed,
    usage_of,
)
from relay.domain.errors import InvalidRequest
from relay.domain.services import ServiceName

JSON = "application/json"


def test_a_body_gets_the_providers_name_of_the_model_and_keeps_the_rest() -> None:
    read = read_request("images", b'{"prompt":"a cat","model":"pics","n":1.0,"MODEL":"other"}', JSON)
    assert read.model == "pics"
    assert read.aimed("gpt-image-1") == b'{"prompt":"a cat","model":"gpt-image-1","n":1.0}'
    assert read.text_bytes == len('"a cat"')


def test_a_moderation_without_a_model_means_the_one_of_the_reference() -> None:
    read = read_request("moderations", b'{"input":"x"}', JSON)
    assert read.model == "omni-moderation-latest"
    assert json.loads(read.aimed("m")) == {"input": "x", "model": "m"}


def test_what_shall_be_spoken_is_counted_in_characters() -> None:
    assert read_request("speech", '{"model":"tts-1","input":"grüße"}'.encode(), JSON).characters == 5


@pytest.mark.parametrize(
    ("service", "body", "content_type", "status"),
    [
        ("images", b'{"prompt":"x"}', JSON, 400),
        ("images", b'{"model":7}', JSON, 400),
        ("images", b"[]", JSON, 400),
        ("images", b"\xff", JSON, 400),
        ("images", b"x", "multipart/form-data; boundary=b", 415),
        ("transcriptions", b'{"model":"whisper-1"}', JSON, 415),
        ("transcriptions", b"", "", 415),
        ("transcriptions", b"", "multipart/form-data; boundary=b", 400),
    ],
)
def test_a_request_that_names_no_model_is_refused(
    service: ServiceName, body: bytes, content_type: str, status: int
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_request(service, body, content_type)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (
            {
                "created": 1,
                "data": [{"b64_json": "x"}, {"b64_json": "y"}],
                "usage": {
                    "input_tokens": 50,
                    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                    "output_tokens": 60,
                    "total_tokens": 110,
                },
            },
            {"input_tokens": 50, "input_image_tokens": 40, "output_tokens": 60, "images": 2},
        ),
        (
            {
                "text": "hi",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 14,
                    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
                    "output_tokens": 45,
                },
            },
            {"input_tokens": 14, "input_audio_tokens": 14, "output_tokens": 45},
        ),
        ({"text": "hi", "usage": {"type": "duration", "seconds": 12.2}}, {"audio_seconds": 13}),
        ({"text": "hi", "duration": "8.47", "segments": []}, {"audio_seconds": 9}),
        ({"results": [], "meta": {"billed_units": {"search_units": 2}}}, {"requests": 2}),
        ({"results": [], "usage": {"total_tokens": 38}}, {"input_tokens": 38}),
        ({"created": 1, "data": [{"url": "x"}]}, {"images": 1}),
    ],
)
def test_an_answer_counts_what_it_says(answer: Any, counts: dict[str, int]) -> None:
    usage = usage_of(json.dumps(answer).encode())
    assert usage is not None
    assert usage.counts() == counts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"id":"modr-1","results":[{"flagged":false}]}',
        b'{"usage":7,"meta":[],"duration":"long","data":{}}',
        b'{"usage":{"input_tokens":-1,"output_tokens":true,"seconds":"NaN"}}',
        b'{"duration":1e999}',
    ],
)
def test_an_answer_that_says_nothing_counts_nothing(body: bytes) -> None:
    assert usage_of(body) is None


def test_the_counts_of_a_stream_are_those_of_its_last_report() -> None:
    body = (
        b'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"a"}\n\n'
        b'data: {"type":"transcript.text.done","text":"a","usage":{"input_tokens":3,"output_tokens":4}}\n\n'
    )
    for cut in range(len(body)):
        streamed = StreamedUsage()
        streamed.see(body[:cut])
        streamed.see(body[cut:])
        assert streamed.usage is not None
        assert streamed.usage.counts() == {"input_tokens": 3, "output_tokens": 4}


def test_a_stream_without_an_end_of_an_event_is_given_up_and_not_kept() -> None:
    streamed = StreamedUsage()
    for _ in range(10):
        streamed.see(b"x" * 1024 * 1024)
    assert streamed.usage is None


@pytest.mark.parametrize(
    ("told", "passed"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("text/event-stream; charset=utf-8", "text/event-stream; charset=utf-8"),
        ("text/html", "application/octet-stream"),
        ("Text/HTML; charset=utf-8", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("audio/x\r\nset-cookie: a", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_nothing_is_passed_on_that_a_browser_would_run(told: str, passed: str) -> None:
    assert passed_content_type(told) == passed


def test_an_answer_is_told_under_the_name_that_was_asked_for() -> None:
    assert renamed(b'{"model":"omni-2024","results":[ 1 ]}', "mod") == b'{"model":"mod","results":[ 1 ]}'
    assert renamed(b'{"text":"hi"}', "mod") == b'{"text":"hi"}'
    assert renamed(b"WEBVTT", "mod") == b"WEBVTT"
