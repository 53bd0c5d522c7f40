"""Errors of the providers of OpenAI's chat, as each writes them, and what they come to."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.adapters.outbound.http.failures import refusal
from relay.domain.errors import BadCredential, Limited, Overloaded, Rejected, UpstreamError
from relay.domain.events import Failed

KINDS = {kind.__name__: kind for kind in (BadCredential, Limited, Overloaded, Rejected)}
CASES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("provider_errors.toml").read_text())
TOO_LONG = "context_length_exceeded"


@pytest.mark.parametrize("case", CASES)
def test_an_error_reply_is_what_its_provider_means(case: str) -> None:
    told = CASES[case]
    fault = DIALECT.decode_error(told["body"].encode())
    failure = refusal(told["status"], {}, fault, now_s=0)
    kind = KINDS[told["failure"]]
    assert (type(failure), failure.status, failure.code) == (kind, told["our_status"], told["code"])
    assert failure.provider_status == told["status"]
    if kind is not BadCredential and told["status"] != 402:
        assert fault.message
        assert fault.message[:20] in failure.message


def test_what_openrouters_own_provider_said_is_passed_on() -> None:
    raw = json.dumps({"error": {"message": "the prompt is too long", "type": "invalid_request_error"}})
    body = {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": raw}}}
    failure = refusal(400, {}, DIALECT.decode_error(json.dumps(body).encode()), now_s=0)
    assert failure.message == "Provider returned error: the prompt is too long"
    assert failure.code == TOO_LONG


IN_STREAM: dict[str, tuple[bytes, type[UpstreamError], str]] = {
    "groq": (
        b'event: error\ndata: {"error":{"message":"broken","type":"invalid_request_error",'
        b'"code":"tool_use_failed","status_code":400}}\n\n',
        Rejected,
        "tool_use_failed",
    ),
    "openrouter": (
        b'data: {"error":{"code":502,"message":"Provider disconnected","metadata":'
        b'{"error_type":"provider_unavailable"}},"choices":[{"index":0,"delta":{"content":""},'
        b'"finish_reason":"error"}]}\n\ndata: [DONE]\n\n',
        Overloaded,
        "upstream_overloaded",
    ),
    "deepseek": (
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n',
        Overloaded,
        "upstream_overloaded",
    ),
    "mistral": (
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\ndata: [DONE]\n\n',
        Overloaded,
        "upstream_overloaded",
    ),
    "together": (
        b'data: {"error":{"message":"slow down","type":"rate_limit_error"}}\n\n',
        Limited,
        "rate_limit_exceeded",
    ),
}
BEGUN = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"hal"}}]}\n\n'


@pytest.mark.parametrize("case", IN_STREAM)
def test_an_error_inside_of_a_stream_ends_it_as_what_it_is(case: str) -> None:
    data, kind, code = IN_STREAM[case]
    for begun in (b"", BEGUN):
        decoder = DIALECT.decoder()
        events = [*decoder.feed(begun + data), *decoder.close()]
        assert isinstance(events[-1], Failed)
        assert (type(events[-1].error), events[-1].error.code) == (kind, code)


@pytest.mark.parametrize("where", ["top", "choice"])
def test_an_error_inside_of_a_whole_answer_is_one_though_the_status_is_200(where: str) -> None:
    error = {"code": 429, "message": "limited"}
    choice = {"index": 0, "message": {"content": ""}, "finish_reason": "error"}
    body = (
        {"error": error, "choices": [choice]} if where == "top" else {"choices": [{**choice, "error": error}]}
    )
    with pytest.raises(Limited):
        DIALECT.decode_response(b"\n   \n" + json.dumps(body).encode())
