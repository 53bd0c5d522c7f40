"""The routes of prompts, and OpenAI's routes at the places where clients look for them by mistake."""

import json
from typing import Any

import pytest

from relay.domain.catalog import Alias, Catalog, ProviderEntry
from relay.domain.errors import Interrupted, Limited
from tests.support.asgi import Answer, call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.listener import HELLO, MODELS, Listener, entry, listening

pytestmark = pytest.mark.anyio

GENERATE, COMPLETIONS = "/api/generate", "/v1/completions"
both = pytest.mark.parametrize("path", [GENERATE, COMPLETIONS])
both_ways = pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])


async def ask(path: str, listener: Listener | None = None, /, **members: Any) -> Answer:
    """A prompt, not streamed unless the members say so."""
    body = {"model": "up/basic", "prompt": "hi", "stream": False, **members}
    return await call((listener or listening()).api, "POST", path, body=json.dumps(body).encode())


def lines(answer: Answer) -> list[dict[str, Any]]:
    """The lines of a stream of Ollama's."""
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.split(b"\n")[:-1]]


def chunks(answer: Answer) -> list[dict[str, Any]]:
    """The chunks of a stream of OpenAI's, its end mark checked and left out."""
    *events, done, rest = answer.body.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


@both_ways
async def test_generate_answers_whole(hot_in_front: bool) -> None:
    answer = await ask(GENERATE, listening(hot_in_front=hot_in_front))
    said = answer.json()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert (said["model"], said["response"], said["done"], said["done_reason"]) == (
        "up/basic",
        "Hello",
        True,
        "stop",
    )
    assert "message" not in said
    assert "context" not in said
    durations = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
    assert all(isinstance(said[name], int) and 0 < said[name] <= said["total_duration"] for name in durations)
    assert (said["prompt_eval_count"], said["eval_count"]) == (12, 2)


@both_ways
@pytest.mark.parametrize("stream", [True, None])
async def test_generate_streams_unless_told_otherwise(stream: bool | None, hot_in_front: bool) -> None:
    answer = await ask(GENERATE, listening(hot_in_front=hot_in_front), stream=stream)
    *spoken, last = lines(answer)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [line["response"] for line in spoken] == ["Hel", "lo"]
    assert all(set(line) == {"model", "created_at", "response", "done"} for line in spoken)
    assert (last["response"], last["done"], last["done_reason"], last["eval_count"]) == ("", True, "stop", 2)


@both_ways
async def test_completions_answer_whole(hot_in_front: bool) -> None:
    answer = await ask(COMPLETIONS, listening(hot_in_front=hot_in_front))
    said = answer.json()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(said) == ["id", "object", "created", "model", "choices", "usage"]
    assert said["id"].startswith("cmpl-")
    assert (said["object"], said["model"]) == ("text_completion", "up/basic")
    assert said["choices"] == [{"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert said["usage"] == {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}


@both_ways
async def test_completions_stream_when_asked(hot_in_front: bool) -> None:
    answer = await ask(COMPLETIONS, listening(hot_in_front=hot_in_front), stream=True)
    said = chunks(answer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {chunk["object"] for chunk in said} == {"text_completion"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in said}) == 1
    assert [chunk["choices"][0]["text"] for chunk in said] == ["Hel", "lo", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in said] == [None, None, "stop"]
    assert not any("usage" in chunk for chunk in said)


async def test_a_completions_stream_has_usage_when_asked() -> None:
    *said, last = chunks(await ask(COMPLETIONS, stream=True, stream_options={"include_usage": True}))
    assert [chunk["usage"] for chunk in said] == [None] * 3
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 14)


@both
async def test_the_books_name_the_dialect_and_estimate_the_prompt(path: str) -> None:
    listener = listening()
    await ask(path, listener, prompt="x" * 400, suffix="")
    (started,), (ended,) = listener.books.started, listener.books.ended
    assert started.context.dialect == {GENERATE: "ollama.generate", COMPLETIONS: "openai.completions"}[path]
    assert 100 <= started.input_tokens_estimate <= 101
    assert (ended.outcome, ended.usage.total_tokens) == ("ok", 14)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "load"),
        ({"prompt": ""}, "load"),
        ({"prompt": None, "stream": True}, "load"),
        ({"keep_alive": "10m"}, "load"),
        ({"system": "be brief"}, "load"),
        ({"keep_alive": 0}, "unload"),
        ({"keep_alive": "0s", "prompt": ""}, "unload"),
        ({"KEEP_ALIVE": 0.0, "Prompt": ""}, "unload"),
        ({"keep_alive": 0, "raw": True, "system": "x"}, "unload"),
    ],
)
async def test_a_generate_without_a_prompt_loads_or_unloads(members: dict[str, Any], reason: str) -> None:
    listener = listening()
    body = json.dumps({"model": "Basic", **members}).encode()
    answer = await call(listener.api, "POST", GENERATE, body=body)
    said = answer.json()
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert set(said) == {"model", "created_at", "response", "done", "done_reason"}
    assert (said["model"], said["response"], said["done"], said["done_reason"]) == ("Basic", "", True, reason)
    assert listener.backend.calls == []
    assert listener.books.started == []


@pytest.mark.parametrize("path", [GENERATE, "/api/chat"])
async def test_the_checks_come_in_ollamas_order(path: str) -> None:
    """Name, existence, unload, capability, load."""
    unknown = await ask(path, model="zzz", prompt="", keep_alive=0, raw=True, system="x")
    assert (unknown.status, unknown.json()) == (404, {"error": "model 'zzz' not found"})
    unloaded = await ask(path, model="emb", prompt="", keep_alive=0)
    assert (unloaded.status, unloaded.json()["done_reason"]) == (200, "unload")
    incapable = await ask(path, model="emb", prompt="")
    assert incapable.status == 400
    wrong = await ask(path, prompt="", options={"seed": "x"})
    assert (wrong.status, "must be of type integer" in wrong.json()["error"]) == (400, True)


async def test_what_is_loaded_and_unloaded_shows() -> None:
    listener = listening()

    async def loaded() -> list[str]:
        return [model["name"] for model in (await call(listener.api, "GET", "/api/ps")).json()["models"]]

    await ask(GENERATE, listener, prompt="", keep_alive="10m")
    assert await loaded() == ["up/basic:latest"]
    await ask(GENERATE, listener, prompt="", keep_alive=0)
    assert await loaded() == []
    await ask(GENERATE, listener, keep_alive=-1)
    assert await loaded() == ["up/basic:latest"]


@pytest.mark.parametrize(
    ("members", "status", "error"),
    [
        ({"model": "zzz"}, 404, "model 'zzz' not found"),
        ({"model": "zzz", "prompt": ""}, 404, "model 'zzz' not found"),
        ({"model": ""}, 404, "model '' not found"),
        ({"model": None}, 404, "model '' not found"),
        ({"model": "emb"}, 400, '"emb" does not support generate'),
        ({"model": "emb", "prompt": ""}, 400, '"emb" does not support generate'),
        ({"model": "plain", "think": True}, 400, '"plain" does not support thinking'),
        (
            {"model": "plain", "suffix": "}"},
            400,
            "registry.ollama.ai/library/plain:latest does not support insert",
        ),
        (
            {"model": "up/plain", "suffix": "}", "prompt": ""},
            400,
            "registry.ollama.ai/up/plain:latest does not support insert",
        ),
        ({"raw": True, "system": "x"}, 400, "raw mode does not support template, system, or context"),
        ({"raw": True, "template": "x"}, 400, "raw mode does not support template, system, or context"),
        ({"raw": True, "context": [1]}, 400, "raw mode does not support template, system, or context"),
        ({"raw": True, "system": "x", "prompt": ""}, 400, "raw mode does not support"),
        ({"keep_alive": "10"}, 400, 'time: missing unit in duration "10"'),
        ({"images": ["%%%"]}, 400, "not valid base64"),
        ({"context": "abc"}, 400, "context"),
        ({"think": "huge"}, 400, "invalid think value"),
        ({"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
    ],
)
async def test_a_generate_that_cannot_be_served_is_told_in_ollamas_words(
    members: dict[str, Any], status: int, error: str
) -> None:
    listener = listening()
    answer = await ask(GENERATE, listener, **members)
    assert answer.status == status
    assert list(answer.json()) == ["error"]
    assert error in answer.json()["error"]
    assert listener.backend.calls == []


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"[1]", b'{"model":"basic","prompt":5}'])
@both
async def test_a_body_that_is_no_request_is_a_400(path: str, body: bytes) -> None:
    answer = await call(listening().api, "POST", path, body=body)
    error = answer.json()["error"]
    assert answer.status == 400
    assert isinstance(error, str) == (path == GENERATE)
    if not body.strip() and path == GENERATE:
        assert error == "missing request body"


@pytest.mark.parametrize(
    ("members", "status", "code", "param"),
    [
        ({"model": "zzz"}, 404, "model_not_found", "model"),
        ({"model": None}, 400, "missing_required_parameter", "model"),
        ({"prompt": None}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": []}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": {"a": 1}}, 400, "invalid_value", "prompt"),
        ({"prompt": ["a"] * 21}, 400, "invalid_value", "prompt"),
        ({"prompt": [1, 2]}, 400, "unsupported_value", "prompt"),
        ({"prompt": [[1, 2]]}, 400, "unsupported_value", "prompt"),
        ({"echo": True}, 400, "unsupported_value", "echo"),
        ({"best_of": 2}, 400, "unsupported_value", "best_of"),
        ({"n": 0}, 400, "invalid_value", "n"),
        ({"logprobs": -1}, 400, "invalid_value", "logprobs"),
        ({"temperature": "hot"}, 400, "invalid_value", "temperature"),
        ({"suffix": "}"}, 400, "unsupported_value", "model"),
    ],
)
async def test_a_completion_that_cannot_be_served_is_told_in_openais_shape(
    members: dict[str, Any], status: int, code: str, param: str
) -> None:
    listener = listening()
    answer = await ask(COMPLETIONS, listener, **members)
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (answer.status, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert listener.backend.calls == []


async def test_what_the_use_case_gets_of_a_completion_is_a_users_message() -> None:
    listener = listening()
    await ask(COMPLETIONS, listener, prompt=["hi"], n=2, best_of=1, echo=False)
    request = listener.backend.calls[0].original.decode()
    assert [(message.role, len(message.parts)) for message in request.messages] == [("user", 1)]
    assert (request.choice_count, request.sampling.max_output_tokens) == (2, None)


@both
async def test_a_failure_before_and_after_the_first_byte(path: str) -> None:
    before = await ask(path, listening(TapeBackend(before=(Limited("slow down", retry_after_s=7),))))
    assert (before.status, before.headers["retry-after"]) == (429, "7")
    broken = listening(TapeBackend((*HELLO[:2], Interrupted("the stream broke"))))
    after = await ask(path, broken, stream=True)
    assert after.status == 200
    assert b"the stream broke" in after.body
    assert b"[DONE]" not in after.body
    assert b'"done":true' not in after.body
    if path == GENERATE:
        assert lines(after)[-1] == {"error": "the stream broke"}


async def test_an_alias_that_fills_in_is_asked_to() -> None:
    catalog = Catalog(
        providers=(
            ProviderEntry(name="up", kind="ollama", models=(*MODELS, entry("coder", "completion", "insert"))),
        ),
        virtuals=(Alias(name="fim", target="up/coder"), Alias(name="talk", target="up/plain")),
    )
    listener = listening(catalog=catalog)
    answer = await ask(GENERATE, listener, model="fim", prompt="def f(", suffix="return x")
    assert answer.json()["model"] == "fim"
    completion = listener.backend.calls[0].original.decode().completion
    assert completion is not None
    assert completion.suffix == "return x"
    refused = await ask(GENERATE, listener, model="talk", prompt="def f(", suffix="return x")
    assert refused.json() == {"error": "registry.ollama.ai/library/talk:latest does not support insert"}


MISTAKEN = {
    "/chat/completions": "/v1/chat/completions",
    "/api/chat/completions": "/v1/chat/completions",
    "/completions": "/v1/completions",
}


@both_ways
@pytest.mark.parametrize("path", MISTAKEN)
async def test_a_mistaken_base_url_gets_the_same_answers(path: str, hot_in_front: bool) -> None:
    messages = [{"role": "user", "content": "hi"}]
    for members in ({}, {"stream": True}, {"model": "zzz"}, {"model": None}, {"temperature": "hot"}):
        answers = [
            await ask(place, listening(hot_in_front=hot_in_front), messages=messages, **members)
            for place in (path, MISTAKEN[path], f"/{path}/")
        ]
        assert len({answer.status for answer in answers}) == 1
        assert len({answer.body for answer in answers}) == 1, members


@both_ways
@pytest.mark.parametrize("path", [*MISTAKEN, "/models", "/models/up/basic"])
async def test_whatever_is_wrong_there_is_told_in_openais_shape(path: str, hot_in_front: bool) -> None:
    guarded = listening(mode="keys", hot_in_front=hot_in_front)
    guarded.keys.issue()
    method = "GET" if path.startswith("/models") else "POST"
    answers = [
        await call(guarded.api, method, path),
        await call(listening(max_in_flight=0, hot_in_front=hot_in_front).api, method, path),
        await call(listening(hot_in_front=hot_in_front).api, "PUT", path),
        await call(listening(hot_in_front=hot_in_front).api, "GET", "/models/zzz"),
    ]
    assert [answer.status for answer in answers] == [401, 503, 405, 404]
    for answer in answers:
        assert list(answer.json()["error"]) == ["message", "type", "param", "code"]


async def test_the_models_are_listed_without_v1_too() -> None:
    for path in ("/models", "/models/up/basic", "/models/up/me/ns:v1"):
        answers = [await call(listening().api, "GET", place) for place in (path, f"/v1{path}")]
        assert answers[0].status == 200
        assert answers[0].body == answers[1].body


@pytest.mark.parametrize(
    "path", ["/chat", "/chat/nope", "/completions/x", "/modelsx", "/api/chat/nope", "/api"]
)
async def test_what_only_looks_like_them_is_unknown_as_to_ollama(path: str) -> None:
    answer = await call(listening().api, "GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found")
