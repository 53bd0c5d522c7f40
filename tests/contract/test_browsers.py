"""Browsers at the listener: what a page is served, what it is refused, and that nothing happens when it is."""

import json

import pytest

from tests.support.asgi import Answer, call, exchange
from tests.unit.inbound_http.chatting import OLLAMA, OPENAI, body, both, both_ways
from tests.unit.inbound_http.listener import Listener, listening

pytestmark = pytest.mark.anyio

EVIL = "https://evil.example"
PAGE = "http://localhost:5173"
OWN = {"host": "10.0.0.7:11434", "origin": "http://10.0.0.7:11434"}
PATHS = ("/", "/api/tags", "/api/version", "/v1/models", "/nope", "/v1/nope", "/health/ready", OLLAMA, OPENAI)


def is_openais_refusal(answer: Answer, code: str) -> bool:
    error = answer.json()["error"]
    return (answer.status, error["type"], error["code"]) == (403, "permission_error", code)


def is_refused(path: str, answer: Answer, code: str) -> bool:
    """In OpenAI's shape below `/v1`, and as by Ollama, without a word, elsewhere."""
    assert answer.headers["x-request-id"]
    assert "access-control-allow-origin" not in answer.headers
    if path.startswith("/v1"):
        return is_openais_refusal(answer, code)
    return (answer.status, answer.body, answer.headers["content-length"]) == (403, b"", "0")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_page_of_another_site_is_refused_on_every_path(path: str, method: str) -> None:
    listener = listening()
    for headers in ({"origin": EVIL}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = await call(listener.api, method, path, headers=headers, body=body(OPENAI))
        assert is_refused(path, answer, "origin_not_allowed"), headers
        assert answer.headers["vary"] == "Origin"
    assert listener.backend.calls == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_name_that_is_not_the_relays_is_refused_on_every_path(path: str) -> None:
    for host in ("evil.example:11434", "localhost.evil.example", "8.8.8.8"):
        headers = {"host": host, "x-forwarded-host": "localhost", "forwarded": "host=localhost"}
        answer = await call(listening().api, "GET", path, headers=headers)
        assert is_refused(path, answer, "host_not_allowed"), host


@both_ways
@both
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json", None]
)
async def test_a_simple_request_of_a_foreign_page_reaches_no_provider(
    path: str, hot_in_front: bool, content_type: str | None
) -> None:
    """No preflight asks before these: refusing the request itself is all there is."""
    listener = listening(hot_in_front=hot_in_front)
    headers = {"origin": EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    headers |= {"content-type": content_type} if content_type else {}
    answer = await call(listener.api, "POST", path, headers=headers, body=body(path))
    assert answer.status == 403
    assert (listener.backend.calls, listener.books.started) == ([], [])


@both
async def test_a_key_does_not_make_a_foreign_page_less_foreign(path: str) -> None:
    listener = listening(mode="keys")
    headers = {"origin": EVIL, "authorization": f"Bearer {listener.keys.issue()}"}
    assert (await call(listener.api, "POST", path, headers=headers, body=body(path))).status == 403
    assert listener.backend.calls == []


@both_ways
@both
async def test_an_allowed_page_is_served_and_may_read_what_it_is_told(path: str, hot_in_front: bool) -> None:
    listener = listening(hot_in_front=hot_in_front)
    for stream in (False, True):
        async with exchange(
            listener.api, "POST", path, headers={"origin": PAGE}, body=body(path, stream=stream)
        ) as going:
            answer = await going.end()
        assert answer.status == 200
        assert readable(answer)
        names = [name for name, _ in going.header_pairs]
        assert len(names) == len(set(names)), "no header came twice"


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_may_read_errors_too(path: str) -> None:
    full = listening(max_in_flight=0)
    for listener, method in ((listening(), "DELETE"), (listening(mode="keys"), "POST"), (full, "GET")):
        answer = await call(listener.api, method, path, headers={"origin": PAGE}, body=b"{")
        assert readable(answer), (method, answer.status)


def readable(answer: Answer) -> bool:
    """The browser hands it over, with all that is the relay's own in it."""
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    ours = {
        name for name in answer.headers if name.startswith("x-re") or name in ("retry-after", "server-timing")
    }
    assert ours <= exposed
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers["access-control-allow-origin"] == PAGE


async def test_an_answer_to_anybody_else_speaks_of_no_origin() -> None:
    for headers in ({}, {"sec-fetch-site": "none"}, OWN):
        answer = await call(listening().api, "GET", "/api/tags", headers=headers)
        assert answer.status == 200
        assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_preflight_is_answered_before_keys_load_and_routes(path: str) -> None:
    listener = listening(mode="keys", max_in_flight=0)
    listener.api.traffic.drain()
    headers = {
        "origin": "app://obsidian.md",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-os,foo-bar",
    }
    async with exchange(listener.api, "OPTIONS", path, headers=headers) as going:
        answer = await going.end()
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "app://obsidian.md"
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-stainless-os", "foo-bar"} <= set(allowed)
    assert [line.status for line in listener.lines] == [204]
    assert answer.headers["x-request-id"] == listener.lines[0].request_id


async def test_options_without_a_page_are_the_routes_own() -> None:
    for headers in ({}, OWN):
        answer = await call(listening().api, "OPTIONS", OPENAI, headers=headers)
        assert answer.status == 204
        assert "POST" in answer.headers["allow"]
        assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_a_request_without_a_host_is_malformed(path: str) -> None:
    for host in ("", "a b", "localhost, evil.example", "http://localhost"):
        answer = await call(listening().api, "GET", path, headers={"host": host})
        assert answer.status == 400
        assert_shape(path, answer)


@pytest.mark.parametrize("path", ["/v1/models/a\x00b", "/api/tags\r\nx: y", "/\x7f", "/v1/\x1b[2J", "/\n"])
async def test_control_characters_in_a_path_are_refused(path: str) -> None:
    answer = await call(listening().api, "GET", path)
    assert answer.status == 400
    assert_shape(path, answer)
    assert path.encode() not in answer.body


@pytest.mark.parametrize("path", ["/v1/models/caf\u00e9", "/v1/models/\u2028", "/v1/models/\ufffd"])
async def test_other_characters_in_a_path_are_an_unknown_model(path: str) -> None:
    assert (await call(listening().api, "GET", path)).status == 404


async def test_a_refused_request_has_its_line() -> None:
    listener: Listener = listening()
    await call(listener.api, "POST", OPENAI, headers={"origin": EVIL}, body=body(OPENAI))
    await call(listener.api, "GET", "/", headers={"host": "evil.example"})
    told = [(line.status, line.outcome, line.error) for line in listener.lines]
    assert told == [(403, "error", "origin_not_allowed"), (403, "error", "host_not_allowed")]
    assert EVIL not in repr(listener.lines)


def assert_shape(path: str, answer: Answer) -> None:
    error = json.loads(answer.body)["error"]
    assert (
        set(error) == {"message", "type", "param", "code"}
        if path.startswith("/v1")
        else isinstance(error, str)
    )
