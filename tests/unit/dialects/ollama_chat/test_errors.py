"""Errors before an answer, both ways."""

import json

import pytest

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.errors import (
    BadCredential,
    Draining,
    Forbidden,
    InvalidRequest,
    LacksCapability,
    Limited,
    NoCandidate,
    Overloaded,
    Rejected,
    RelayError,
    Unauthenticated,
    UnknownModel,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("a"), 400),
        (Unauthenticated("a"), 401),
        (Forbidden("a"), 403),
        (Rejected("a", status=422), 422),
        (Limited("a"), 429),
        (BadCredential("a"), 502),
        (Overloaded("a"), 503),
        (Draining("a"), 503),
    ],
)
def test_an_error_is_an_object_with_a_text_and_its_status(error: RelayError, status: int) -> None:
    wire = DIALECT.encode_error(error)
    assert (wire.status, wire.body, wire.content_type) == (
        status,
        b'{"error":"a"}',
        "application/json; charset=utf-8",
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LacksCapability("emb", "completion"), '"emb" does not support chat'),
        (LacksCapability("plain", "thinking"), '"plain" does not support thinking'),
        (LacksCapability("x", "tools"), "registry.ollama.ai/library/x:latest does not support tools"),
        (LacksCapability("me/ns:v1", "insert"), "registry.ollama.ai/me/ns:v1 does not support insert"),
        (LacksCapability("h:1/a/b", "tools"), "h:1/a/b:latest does not support tools"),
    ],
)
def test_what_a_model_lacks_is_told_in_ollamas_words(error: LacksCapability, text: str) -> None:
    wire = DIALECT.encode_error(error)
    assert (wire.status, json.loads(wire.body)) == (400, {"error": text})


def test_an_unknown_model_is_named_as_it_was_asked_for() -> None:
    wire = DIALECT.encode_error(UnknownModel("Zzz:x", closest=("zzy",)))
    assert (wire.status, json.loads(wire.body)) == (404, {"error": "model 'Zzz:x' not found"})


def test_no_usable_target_is_not_an_unknown_model() -> None:
    assert DIALECT.encode_error(NoCandidate("m", ("p: cooling down",))).status == 503


def test_a_name_that_is_no_text_does_not_break_the_error() -> None:
    assert json.loads(DIALECT.encode_error(UnknownModel("\ud83d<b>")).body) == {
        "error": "model '\ufffd<b>' not found"
    }


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            b'{"error":"model \'x\' not found"}',
            ProviderFault(message="model 'x' not found", code="model_not_found"),
        ),
        (
            b'{"error":"model \\"x\\" not found, try pulling it first"}',
            ProviderFault(message='model "x" not found, try pulling it first', code="model_not_found"),
        ),
        (
            b'{"error":"unauthorized","signin_url":"https://example.com"}',
            ProviderFault(message="unauthorized"),
        ),
        (b'{"error":{"message":"a","code":"b","type":1}}', ProviderFault(message="a", code="b")),
        (b'{"error":{"code":404}}', ProviderFault(code="404")),
    ],
)
def test_a_providers_words_are_read(body: bytes, fault: ProviderFault) -> None:
    assert DIALECT.decode_error(body) == fault


@pytest.mark.parametrize(
    "body", [b"", b"404 not found", b"[]", b"{}", b'{"error":5}', b"\xff", b"[" * 100_000]
)
def test_anything_else_says_nothing(body: bytes) -> None:
    assert DIALECT.decode_error(body) == ProviderFault()
