"""Ollama's HTTP habits: methods, paths, content types, lenient bodies, error shapes."""

import json

import pytest

from tests.conformance.wire import Api

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "hi"}]
CHAT = {"model": "basic", "messages": HELLO, "stream": False}
TEXT = "000 001 002 003 "


@pytest.mark.conformance("ollama", 4)
def test_head_is_answered_where_clients_send_it(api: Api) -> None:
    for path in ("/api/version", "/api/tags"):
        head, get = api.send("HEAD", path), api.get(path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(get.body))
        assert len(get.body) > 2


@pytest.mark.conformance("ollama", 5)
def test_an_unknown_path_is_plain_text(api: Api) -> None:
    answer = api.get("/nope")
    assert (answer.status, answer.body) == (404, b"404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.conformance("ollama", 6)
def test_a_wrong_method_names_the_right_one(api: Api) -> None:
    answer = api.get("/api/chat")
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.conformance("ollama", 7)
def test_doubled_and_trailing_slashes_are_served_directly(api: Api) -> None:
    listed = api.get("/api/tags").json["models"]
    for path in ("//api/tags", "/api/tags/"):
        answer = api.get(path)
        assert (answer.status, answer.json["models"]) == (200, listed)
    assert api.post("//api/chat", CHAT).json["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 8)
@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_the_content_type_of_a_request_means_nothing(api: Api, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = api.send("POST", "/api/chat", json.dumps(CHAT).encode(), headers)
    assert (answer.status, answer.json["message"]["content"]) == (200, TEXT)


@pytest.mark.conformance("ollama", 9)
def test_an_empty_body_is_a_missing_one(api: Api) -> None:
    answer = api.send("POST", "/api/chat", b"")
    assert (answer.status, answer.json) == (400, {"error": "missing request body"})


@pytest.mark.conformance("ollama", 10)
def test_broken_json_is_told_in_a_string(api: Api) -> None:
    answer = api.send("POST", "/api/chat", b'{"model":')
    assert answer.status == 400
    assert isinstance(answer.json["error"], str)
    assert answer.json["error"]


@pytest.mark.conformance("ollama", 11)
def test_keys_fit_in_any_case(api: Api) -> None:
    body = {"Model": "basic", "MESSAGES": [{"Role": "user", "Content": "hi"}], "stream": False}
    answer = api.post("/api/chat", body)
    assert (answer.status, answer.json["message"]["content"]) == (200, TEXT)


@pytest.mark.conformance("ollama", 12)
def test_unknown_keys_and_nulls_are_as_good_as_absent(api: Api) -> None:
    nulls = dict.fromkeys(("format", "keep_alive", "tools", "options", "think", "logprobs", "top_logprobs"))
    answer = api.post("/api/chat", {**CHAT, **nulls, "surprise": {"a": 1}})
    assert (answer.status, answer.json["message"]["content"]) == (200, TEXT)


@pytest.mark.conformance("ollama", 13)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"model": "zzz", "messages": HELLO}),
        ("/api/chat", {"model": "", "messages": HELLO}),
        ("/api/chat", {"model": "basic", "messages": "hi"}),
        ("/api/chat", {"model": "oll/fault/500", "messages": HELLO}),
        ("/api/show", {}),
        ("/api/show", {"model": "zzz"}),
    ],
)
def test_an_error_is_one_string_and_nothing_else(api: Api, path: str, body: object) -> None:
    answer = api.post(path, body)
    assert answer.status >= 400
    assert list(answer.json) == ["error"]
    assert isinstance(answer.json["error"], str)


@pytest.mark.conformance("ollama", 14)
@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer x"])
def test_any_bearer_will_do_while_no_key_exists(api: Api, authorization: str) -> None:
    assert api.post("/api/chat", CHAT, authorization=authorization).json["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 15)
def test_a_stream_is_never_compressed(api: Api) -> None:
    answer = api.post("/api/chat", {**CHAT, "stream": True}, accept_encoding="gzip")
    assert "content-encoding" not in answer.headers
    assert len(answer.lines) > 2


@pytest.mark.conformance("ollama", 16)
def test_a_preflight_of_a_desktop_application_is_allowed(api: Api) -> None:
    headers = {"origin": "app://obsidian.md", "access-control-request-method": "POST"}
    answer = api.send("OPTIONS", "/api/chat", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "app://obsidian.md"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "content-type" in allowed
    assert "authorization" in allowed


@pytest.mark.conformance("ollama", 17)
def test_a_page_of_this_machine_may_read_and_a_foreign_one_may_not(api: Api) -> None:
    local = api.get("/api/tags", origin="http://localhost:5173")
    assert (local.status, local.headers["access-control-allow-origin"]) == (200, "http://localhost:5173")
    assert api.get("/api/tags", origin="https://evil.example").status == 403
    assert api.get("/api/tags", origin=f"http://127.0.0.1:{api.port}").status == 200


@pytest.mark.conformance("ollama", 18)
def test_the_cloud_is_told_to_be_off_or_on(api: Api) -> None:
    assert isinstance(api.get("/api/status").json["cloud"]["disabled"], bool)
