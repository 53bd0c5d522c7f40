"""The OpenAI routes as Ollama's clients use them."""

import base64
import json
import struct
from typing import Any

import pytest

from tests.conformance.wire import Answer, Api
from tests.support.pictures import png

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "hi"}]
TEXT = "000 001 002 003 "
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}

both = pytest.mark.parametrize("provider", ["oll", "up"])


def chat(api: Api, model: str, **options: Any) -> Answer:
    return api.post("/v1/chat/completions", {"model": model, "messages": HELLO, **options})


@pytest.mark.conformance("ollama", 112)
@both
def test_a_completion_is_one_object_unless_a_stream_is_asked_for(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic").json
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["id"], str)
    assert isinstance(answer["created"], int)
    assert answer["model"] == f"{provider}/basic"
    assert answer["choices"][0]["message"]["content"] == TEXT
    usage = [answer["usage"][key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")]
    assert usage[0] + usage[1] == usage[2]


@pytest.mark.conformance("ollama", 113)
@both
def test_a_stream_has_one_role_one_finish_and_an_end(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    choices = [chunk["choices"][0] for chunk in answer.chunks]
    assert ["role" in choice["delta"] for choice in choices] == [True] + [False] * (len(choices) - 1)
    finished = [choice for choice in choices if choice["finish_reason"] is not None]
    assert [choice["delta"] for choice in finished] == [{}]
    assert finished[0] is choices[-1]


@pytest.mark.conformance("ollama", 114)
@both
def test_usage_comes_last_and_only_when_asked_for(api: Api, provider: str) -> None:
    plain = chat(api, f"{provider}/basic", stream=True).chunks
    assert len(plain) > 2
    assert not any(chunk.get("usage") for chunk in plain)
    asked = chat(api, f"{provider}/basic", stream=True, stream_options={"include_usage": True}).chunks
    counted = [chunk for chunk in asked if chunk.get("usage")]
    assert counted == [asked[-1]]
    assert asked[-1]["choices"] == []


@pytest.mark.conformance("ollama", 115)
@both
def test_arguments_are_a_string_of_json(api: Api, provider: str) -> None:
    choice = chat(api, f"{provider}/tools", tools=[CLOCK]).json["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], json.loads(call["function"]["arguments"])) == ("function", {})
    assert choice["finish_reason"] == "tool_calls"
    streamed = chat(api, f"{provider}/tools", tools=[CLOCK], stream=True).chunks
    indexes = {one["index"] for c in streamed for one in c["choices"][0]["delta"].get("tool_calls") or ()}
    assert indexes == {0}


@pytest.mark.conformance("ollama", 116)
@both
def test_reasoning_is_never_in_the_content(api: Api, provider: str) -> None:
    message = chat(api, f"{provider}/think", reasoning_effort="high").json["choices"][0]["message"]
    assert (message["reasoning"], message["content"]) == ("h00 h01 h02 ", TEXT)


@pytest.mark.conformance("ollama", 117)
@both
def test_parts_and_empty_content_beside_calls_are_taken(api: Api, provider: str) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    seen = chat(api, f"{provider}/image", messages=[{"role": "user", "content": parts}]).json
    assert seen["choices"][0]["message"]["content"].startswith("image/png")
    call = {"id": "call_a", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    history = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "noon"},
    ]
    answered = chat(api, f"{provider}/tools", messages=history, tools=[CLOCK]).json
    assert answered["choices"][0]["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 118)
@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_every_effort_is_taken(api: Api, effort: str) -> None:
    message = chat(api, "think", reasoning_effort=effort).json["choices"][0]["message"]
    assert message["content"] == TEXT
    assert bool(message.get("reasoning")) is (effort != "none")


@pytest.mark.conformance("ollama", 119)
def test_errors_have_openais_envelope(api: Api) -> None:
    unknown = chat(api, "zzz")
    assert unknown.status == 404
    assert unknown.json["error"]["code"] == "model_not_found"
    assert set(unknown.json["error"]) == {"message", "type", "param", "code"}
    empty = chat(api, "basic", messages=[])
    assert (empty.status, empty.json["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.conformance("ollama", 120)
def test_the_list_of_models_is_openais(api: Api) -> None:
    listing = api.get("/v1/models").json
    assert listing["object"] == "list"
    assert listing["data"]
    for model in listing["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert model["owned_by"]


@pytest.mark.conformance("ollama", 121)
@pytest.mark.parametrize("path", ["/v1/models/me/ns:v1", "/v1/models/me%2Fns%3Av1"])
def test_a_model_with_a_slash_is_found_either_way(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json["id"]) == (200, "me/ns:v1")


@pytest.mark.conformance("ollama", 122)
@both
def test_embeddings_come_as_floats_or_as_their_bytes(api: Api, provider: str) -> None:
    body = {"model": f"{provider}/embed", "input": "a"}
    floats = api.post("/v1/embeddings", body).json["data"][0]["embedding"]
    packed = api.post("/v1/embeddings", {**body, "encoding_format": "base64"}).json["data"][0]["embedding"]
    raw = base64.b64decode(packed)
    assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == pytest.approx(floats)
    assert api.post("/v1/embeddings", {**body, "input": []}).status == 400


@pytest.mark.conformance("ollama", 123)
@both
def test_old_completions_have_a_text(api: Api, provider: str) -> None:
    answer = api.post("/v1/completions", {"model": f"{provider}/basic", "prompt": "hi"}).json
    assert (answer["object"], answer["choices"][0]["text"]) == ("text_completion", TEXT)
