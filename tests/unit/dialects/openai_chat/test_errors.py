"""Errors in the many shapes of providers, and in the one that clients get."""

import json

import pytest

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.errors import (
    BadCredential,
    Draining,
    Forbidden,
    Internal,
    InvalidRequest,
    Limited,
    Malformed,
    NoCandidate,
    Overloaded,
    Rejected,
    RelayError,
    TimedOut,
    TooLarge,
    Unauthenticated,
    UnknownModel,
    UnknownRoute,
    Unsupported,
    WrongMethod,
)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"message":"m","type":"t","param":null,"code":"c"}}', "m", "c"),
        (b'{"error":{"message":"m","type":"insufficient_quota","code":null}}', "m", "insufficient_quota"),
        (b'{"error":{"message":"m","type":"invalid_request_error"}}', "m", ""),
        (
            b'{"error":{"message":"m","code":429,"metadata":{"error_type":"rate_limit_exceeded"}}}',
            "m",
            "rate_limit_exceeded",
        ),
        (b'{"error":{"message":"m","code":"429"}}', "m", ""),
        (b'[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]', "m", "INVALID_ARGUMENT"),
        (b'{"object":"error","message":"m","type":"x","param":null,"code":400}', "m", ""),
        (b'{"detail":"m"}', "m", ""),
        (b'{"detail":[{"loc":["a"],"msg":"m","type":"x"},{"msg":"n"}]}', "m; n", ""),
        (b'{"object":"error","message":{"detail":[{"msg":"m"}]}}', "m", ""),
        (b'{"code":"invalid-argument","error":"m"}', "m", "invalid-argument"),
        (b'{"message":"m","request_id":"r"}', "m", ""),
        (b'{"error":"m"}', "m", ""),
        (b' \n{"error":{"message":"\\ud83d"}}', "\ufffd", ""),
        (b"<html>Bad Gateway</html>", "", ""),
        (b"", "", ""),
        (b"{}", "", ""),
        (b"[]", "", ""),
        (b'{"error":{}}', "", ""),
        (b'{"error":{"message":5,"code":[]}}', "", ""),
    ],
)
def test_an_error_body_says(body: bytes, message: str, code: str) -> None:
    assert DIALECT.decode_error(body) == ProviderFault(message=message, code=code)


def test_a_detail_that_is_nested_without_end_says_nothing() -> None:
    assert DIALECT.decode_error(b'{"detail":' + b"[" * 900 + b"]" * 900 + b"}").message == ""


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "param"),
    [
        (InvalidRequest("m", param="seed"), 400, "invalid_request_error", None, "seed"),
        (Unsupported("m", param="n"), 400, "invalid_request_error", "unsupported_value", "n"),
        (Unauthenticated("m"), 401, "authentication_error", "invalid_api_key", None),
        (Forbidden("m", code="model_not_allowed"), 403, "permission_error", "model_not_allowed", None),
        (UnknownModel("gpt-9"), 404, "invalid_request_error", "model_not_found", "model"),
        (UnknownRoute("m"), 404, "invalid_request_error", None, None),
        (WrongMethod("m", allowed=("POST",)), 405, "invalid_request_error", None, None),
        (TooLarge("m"), 413, "invalid_request_error", None, None),
        (
            Rejected("m", status=422, code="context_length_exceeded"),
            422,
            "invalid_request_error",
            "context_length_exceeded",
            None,
        ),
        (Limited("m"), 429, "rate_limit_error", "rate_limit_exceeded", None),
        (Limited("m", code="insufficient_quota"), 429, "rate_limit_error", "insufficient_quota", None),
        (Internal("m"), 500, "server_error", "internal_error", None),
        (BadCredential("m"), 502, "upstream_error", "upstream_authentication", None),
        (Malformed("m"), 502, "upstream_error", "bad_upstream_response", None),
        (Overloaded("m"), 503, "server_error", "upstream_overloaded", None),
        (NoCandidate("m", ()), 503, "server_error", "no_candidate", None),
        (Draining("m"), 503, "server_error", "draining", None),
        (TimedOut("m", phase="idle"), 504, "timeout_error", "upstream_timeout", None),
    ],
)
def test_an_error_is_told_as_openai_does(
    error: RelayError, status: int, kind: str, code: str | None, param: str | None
) -> None:
    wire = DIALECT.encode_error(error)
    assert (wire.status, wire.content_type) == (status, "application/json")
    assert json.loads(wire.body) == {
        "error": {"message": error.message, "type": kind, "param": param, "code": code}
    }


def test_an_unknown_model_is_named() -> None:
    assert b"gpt-9" in DIALECT.encode_error(UnknownModel("gpt-9")).body
