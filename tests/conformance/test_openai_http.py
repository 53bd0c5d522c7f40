"""The OpenAI routes as HTTP: credentials, methods, paths, bodies, and what a page may do."""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.asking import HELLO, TEXT, chat, error_of, every_provider, message_of
from tests.conformance.conftest import Place, relay_with
from tests.conformance.wire import Api
from tests.support.books import row_of
from tests.support.process import run_cli
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

CHAT = {"model": "up/basic", "messages": HELLO}
ROUTES = [
    ("POST", "/v1/chat/completions", CHAT),
    ("POST", "/v1/completions", {"model": "up/basic", "prompt": "hi"}),
    ("POST", "/v1/embeddings", {"model": "up/embed", "input": "hi"}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/up/basic", None),
]


@dataclass(frozen=True)
class Locked:
    """A relay that wants a key, and one it takes."""

    api: Api
    key: str

    def ask(self, method: str, path: str, body: object, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api.send(method, path, json.dumps(body).encode(), sent).status


@pytest.fixture(scope="module")
def locked(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    provider = {
        "kind": "openai-compatible",
        "base_url": place.upstream.openai_url,
        "models": ["basic", "embed"],
    }
    with relay_with(place, folder, {"auth": {"mode": "keys"}, "providers": {"up": provider}}) as api:
        key = run_cli("keys", "create", "web", cwd=folder).stdout.strip()
        yield Locked(api, key)


@pytest.mark.conformance("openai", 1)
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_a_key_a_closed_relay_tells_no_more_than_that(
    locked: Locked, method: str, path: str, body: object
) -> None:
    answer = locked.api.send(method, path, json.dumps(body).encode())
    assert answer.status == 401
    assert error_of(answer)["code"] == "invalid_api_key"


@pytest.mark.conformance("openai", 3)
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_a_key_counts_in_either_header(locked: Locked, method: str, path: str, body: object) -> None:
    assert locked.ask(method, path, body, authorization=f"Bearer {locked.key}") == 200
    assert locked.ask(method, path, body, x_api_key=locked.key) == 200
    assert locked.ask(method, path, body, x_api_key="lr_wrong") == 401


@pytest.mark.conformance("openai", 4)
@pytest.mark.parametrize("path", ["/v1/nope", "/v1/chat", "/v1/chat/nope", "/v1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_an_error_of_this_api(api: Api, method: str, path: str) -> None:
    answer = api.send(method, path)
    assert answer.status == 404
    assert error_of(answer)["type"] == "invalid_request_error"


@pytest.mark.conformance("openai", 5)
@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/chat/completions", "POST"),
        ("GET", "/v1/completions", "POST"),
        ("GET", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/v1/models/up/basic", "GET"),
    ],
)
def test_a_wrong_method_names_the_right_one(api: Api, method: str, path: str, right: str) -> None:
    answer = api.send(method, path)
    assert answer.status == 405
    assert error_of(answer)["type"] == "invalid_request_error"
    assert right in answer.headers["allow"].split(", ")


@pytest.mark.conformance("openai", 6)
@pytest.mark.parametrize("body", [b'{"model":', b"", b"[]", b'"model"', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused_in_words(api: Api, body: bytes) -> None:
    answer = api.send("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert error_of(answer)["type"] == "invalid_request_error"


@pytest.mark.conformance("openai", 7)
@pytest.mark.parametrize("body", [{"messages": HELLO}, {"model": "", "messages": HELLO}])
def test_a_missing_model_is_named_as_what_is_missing(api: Api, body: object) -> None:
    answer = api.post("/v1/chat/completions", body)
    assert answer.status == 400
    assert error_of(answer)["param"] == "model"


@pytest.mark.conformance("openai", 16)
def test_a_body_over_the_limit_is_refused_before_it_is_sent(api: Api) -> None:
    connection = http.client.HTTPConnection(api.host, api.port, timeout=3)
    try:
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("content-length", str(10**9))
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert set(json.loads(response.read())["error"]) == {"message", "type", "param", "code"}
    finally:
        connection.close()


@pytest.mark.conformance("openai", 17)
@every_provider
def test_fields_nobody_knows_do_no_harm(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic", client_metadata={"a": 1}, foo=[{"b": None}])
    assert message_of(answer)["content"] == TEXT


@pytest.mark.conformance("openai", 18)
@every_provider
def test_null_and_empty_settings_are_as_good_as_absent(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    answer = chat(api, f"{provider}/basic", stop=None, tools=[], tool_choice=None, metadata=None)
    assert message_of(answer)["content"] == TEXT
    assert not {"stop", "tools", "tool_choice", "metadata"} & set(upstream.ledger.chats[-1].body)


@pytest.mark.conformance("openai", 19)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
def test_a_preflight_needs_no_key_and_allows_what_was_asked_for(locked: Locked, path: str) -> None:
    headers = {
        "origin": "http://localhost:5173",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-stainless-os,foo-bar",
    }
    answer = locked.api.send("OPTIONS", path, headers=headers)
    assert 200 <= answer.status < 300
    allowed = re.split(", *", answer.headers["access-control-allow-headers"].lower())
    assert {"x-stainless-os", "foo-bar"} <= set(allowed)


@pytest.mark.conformance("openai", 20)
def test_a_base_url_without_its_last_part_is_served_as_well(api: Api) -> None:
    answer = api.post("/chat/completions", {"model": "up/basic", "messages": HELLO})
    assert message_of(answer)["content"] == TEXT
    assert api.get("/models").json == api.get("/v1/models").json
    assert api.get("/models/up/basic").json["id"] == "up/basic"
    error_of(api.post("/chat/completions", {"messages": HELLO}))


@pytest.mark.conformance("openai", 21)
@every_provider
def test_a_client_that_leaves_ends_the_providers_work_and_is_booked(
    place: Place, upstream: ScriptedUpstream, provider: str
) -> None:
    connection = http.client.HTTPConnection(place.api.host, place.api.port, timeout=5)
    body = {"model": f"{provider}/basic?chunks=500&delay_ms=10", "messages": HELLO, "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    assert response.readline().startswith(b"data: ")
    request_id = response.headers["x-request-id"]
    sock: socket.socket = connection.sock
    sock.shutdown(socket.SHUT_RDWR)
    response.close()
    connection.close()
    left_at = time.monotonic()
    (call,) = upstream.ledger.wait(lambda calls: bool(calls) and calls[-1].ended_at is not None)
    assert not call.completed
    assert call.peer_closed_at is not None
    assert call.peer_closed_at - left_at < 1.0
    assert place.relay is not None
    row = row_of(place.relay.folder, request_id)
    assert row["outcome"] == "cancelled"
    assert row["usage"]["output_tokens"] > 0
