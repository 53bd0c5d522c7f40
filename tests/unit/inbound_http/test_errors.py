"""Every failure in each error language: status, body, headers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from relay.adapters.inbound.http.app import SHAPES
from relay.adapters.inbound.http.errors import error_headers, unexpected
from relay.domain import errors
from relay.domain.errors import RelayError

KEYWORDS: dict[str, dict[str, Any]] = {
    "LacksCapability": {"capability": "tools"},
    "TimedOut": {"phase": "idle"},
    "WrongMethod": {"allowed": ("GET", "HEAD")},
    "NoCandidate": {"reasons": ("up is down",)},
}


def subclasses(kind: type[RelayError]) -> Iterator[type[RelayError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from subclasses(inner)


EVERY = sorted(
    {kind for kind in subclasses(RelayError) if kind.__module__ == errors.__name__},
    key=lambda kind: kind.__name__,
)
every_error = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)


def made(kind: type[RelayError]) -> RelayError:
    return kind("the reason", **KEYWORDS.get(kind.__name__, {}))


@every_error
def test_under_v1_every_error_has_openais_four_keys(kind: type[RelayError]) -> None:
    error = made(kind)
    wire = SHAPES.encode(error, "/v1/chat/completions")
    body = json.loads(wire.body)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"] == error.message
    assert isinstance(body["error"]["type"], str)
    assert wire.status == error.status
    assert wire.content_type.startswith("application/json")


@every_error
def test_elsewhere_every_error_is_ollamas(kind: type[RelayError]) -> None:
    error = made(kind)
    wire = SHAPES.encode(error, "/api/chat")
    assert wire.status == error.status
    if kind in (errors.UnknownRoute, errors.WrongMethod):
        assert wire.content_type == "text/plain"
        assert wire.body in (b"404 page not found", b"405 method not allowed")
    else:
        body = json.loads(wire.body)
        assert set(body) == {"error"}
        assert isinstance(body["error"], str)
        assert body["error"]


@every_error
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_where_messages_are_looked_for_every_error_is_anthropics(kind: type[RelayError], path: str) -> None:
    error = made(kind)
    wire = SHAPES.encode(error, path)
    body = json.loads(wire.body)
    assert (wire.status, wire.content_type) == (error.status, "application/json")
    assert (set(body), body["type"]) == ({"type", "error"}, "error")
    assert (set(body["error"]), body["error"]["message"]) == ({"type", "message"}, error.message)
    assert body["error"]["type"].endswith("_error") or error.status == 413


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
    ],
)
def test_anthropics_type_follows_the_status(status: int, kind: str) -> None:
    wire = SHAPES.encode(RelayError("\ud83d no", status=status), "/v1/messages")
    assert json.loads(wire.body)["error"] == {"type": kind, "message": "\ufffd no"}


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/x", "/v1/messagesx", "/v1/models/api/chat"])
def test_v1_and_what_is_below_it_speak_openai(path: str) -> None:
    assert b'"param"' in SHAPES.encode(errors.UnknownRoute("?"), path).body


@pytest.mark.parametrize("path", ["/", "/v1x", "/v10/models", "/api/v1/x", "/health/live", ""])
def test_everything_else_speaks_ollama(path: str) -> None:
    assert SHAPES.encode(errors.UnknownRoute("?"), path).body == b"404 page not found"


def headers(error: RelayError) -> dict[bytes, bytes]:
    return dict(error_headers(error, SHAPES.encode(error, "/v1"), "r1"))


@every_error
def test_every_error_names_the_request_and_its_length(kind: type[RelayError]) -> None:
    told = headers(made(kind))
    assert told[b"x-request-id"] == b"r1"
    assert told[b"content-length"] == b"%d" % len(SHAPES.encode(made(kind), "/v1").body)


@pytest.mark.parametrize(
    ("seconds", "header"), [(7.0, b"7"), (6.01, b"7"), (0.2, b"1"), (0.0, b"1"), (-3.0, b"1")]
)
def test_retry_after_is_whole_seconds_and_at_least_one(seconds: float, header: bytes) -> None:
    assert headers(errors.Limited("slow", retry_after_s=seconds))[b"retry-after"] == header


def test_without_a_known_time_there_is_no_retry_after() -> None:
    assert b"retry-after" not in headers(errors.Limited("slow"))


def test_only_a_missing_key_is_asked_for() -> None:
    asking = [kind for kind in EVERY if b"www-authenticate" in headers(made(kind))]
    assert asking == [errors.Unauthenticated]
    assert headers(errors.Unauthenticated("who?"))[b"www-authenticate"] == b"Bearer"


def test_a_wrong_method_is_told_the_right_ones() -> None:
    assert headers(made(errors.WrongMethod))[b"allow"] == b"GET, HEAD"


def test_the_connection_is_closed_where_a_body_is_left_unread_and_while_draining() -> None:
    closing = [kind for kind in EVERY if headers(made(kind)).get(b"connection") == b"close"]
    assert closing == [errors.Draining, errors.TooLarge]
    assert headers(errors.InvalidRequest("slow", status=408))[b"connection"] == b"close"


def test_of_a_bug_the_log_gets_type_and_place_and_nobody_its_text() -> None:
    capture = LogCapture()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[capture],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    try:
        raise KeyError("a prompt")
    except KeyError as error:
        told = unexpected(logger, "r1", error)
    (event,) = capture.entries
    assert event["exception"] == "KeyError"
    assert event["request_id"] == "r1"
    assert event["where"].startswith("test_of_a_bug_the_log_gets_type_and_place_and_nobody_its_text:")
    assert "prompt" not in f"{capture.entries} {told.message}"
    assert told.status == 500
