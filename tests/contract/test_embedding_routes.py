"""The embeddings routes against the whole listener: shapes, heads, refusals, departures, the official clients."""

import asyncio
import json
import math
from base64 import b64decode
from collections.abc import AsyncIterator
from struct import unpack
from typing import Any

import ollama
import openai
import pytest

from relay.domain.embeddings import EmbedRequest, EmbedResponse
from relay.domain.errors import Limited, Malformed, Overloaded, Rejected, RelayError
from relay.domain.usage import Usage
from tests.support.asgi import Answer, call, exchange
from tests.support.fakes_embeddings import RuleBackend, vector
from tests.unit.inbound_http.chatting import RELAY_HEADERS, settled
from tests.unit.inbound_http.listener import Listener, listening, served

pytestmark = pytest.mark.anyio

OPENAI, BARE, EMBED, LEGACY = "/v1/embeddings", "/embeddings", "/api/embed", "/api/embeddings"
PATHS = (OPENAI, BARE, EMBED, LEGACY)
MODEL = "up/emb"

every_path = pytest.mark.parametrize("path", PATHS)
openai_path = pytest.mark.parametrize("path", [OPENAI, BARE])
both_ways = pytest.mark.parametrize("hot_in_front", [True, False], ids=["in_front", "routed"])


def numbers(request: EmbedRequest) -> EmbedResponse:
    """Two numbers per input that a 32-bit float holds exactly."""
    return EmbedResponse(
        vectors=tuple(vector(0.5, float(index)) for index in range(request.count)),
        usage=Usage(input_tokens=7),
    )


def embedding(backend: RuleBackend | None = None, **options: Any) -> Listener:
    """A listener whose provider `up` makes embeddings."""
    return listening(embedders={"up": backend or RuleBackend(numbers)}, **options)


def body(path: str, model: object = MODEL, **more: object) -> bytes:
    text = {"prompt": "a"} if path == LEGACY else {"input": "a"}
    return json.dumps({"model": model, **text, **more}).encode()


async def post(listener: Listener, path: str, sent: bytes, **headers: str) -> Answer:
    return await call(listener.api, "POST", path, headers=headers, body=sent)


def error_text(path: str, answer: Answer) -> str:
    error = answer.json()["error"]
    if path in (OPENAI, BARE):
        assert set(error) == {"message", "type", "param", "code"}
        return str(error["message"])
    assert isinstance(error, str)
    return error


@both_ways
@every_path
async def test_each_path_answers_in_its_own_shape(path: str, hot_in_front: bool) -> None:
    listener = embedding(hot_in_front=hot_in_front)
    answer = await post(listener, path, body(path))
    assert answer.status == 200
    said = answer.json()
    if path in (OPENAI, BARE):
        assert said == {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.0]}],
            "model": MODEL,
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        }
    elif path == EMBED:
        assert set(said) == {
            "model",
            "embeddings",
            "total_duration",
            "load_duration",
            "prompt_eval_count",
        }
        assert (said["model"], said["embeddings"], said["prompt_eval_count"]) == (MODEL, [[0.5, 0.0]], 7)
    else:
        assert said == {"embedding": [0.5, 0.0]}


@every_path
async def test_the_head_tells_who_served_it(path: str) -> None:
    listener = embedding(RuleBackend(numbers, losses=("user",)))
    answer = await post(listener, path, body(path))
    assert set(answer.headers) >= RELAY_HEADERS
    is_openai = path in (OPENAI, BARE)
    assert answer.headers["content-type"] == "application/json" + ("" if is_openai else "; charset=utf-8")
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-relay-provider"] == "up"
    assert answer.headers["x-relay-model"] == "emb"
    assert answer.headers["x-relay-attempts"] == "1"
    assert answer.headers["x-relay-losses"] == "user"
    assert "total;dur=" in answer.headers["server-timing"]
    (line,) = listener.lines
    assert (line.outcome, line.provider, line.model, line.status) == ("ok", "up", "emb", 200)


@every_path
async def test_the_books_tell_what_was_asked_and_used(path: str) -> None:
    listener = embedding()
    answer = await post(listener, path, body(path), **{"x-relay-tags": "team:search"})
    (started,), (ended,) = listener.books.started, listener.books.ended
    assert started.request_id == answer.headers["x-request-id"]
    assert started.context.dialect == {EMBED: "ollama.embed", LEGACY: "ollama.embeddings"}.get(
        path, "openai.embeddings"
    )
    assert [str(tag) for tag in started.context.tags] == ["team:search"]
    assert (ended.outcome, ended.usage) == ("ok", Usage(input_tokens=7))


async def test_the_providers_bytes_are_passed_on_where_they_may() -> None:
    raw = b'{"object":"list","data":[],"made_up":1.50}'
    answer = await post(embedding(RuleBackend(numbers, raw=raw)), OPENAI, body(OPENAI))
    assert answer.body == raw


@openai_path
async def test_vectors_come_as_numbers_or_as_base64(path: str) -> None:
    listener = embedding()
    asked = {"input": ["a", "b", "c"]}
    plain = (await post(listener, path, body(path, **asked))).json()["data"]
    packed = (await post(listener, path, body(path, **asked, encoding_format="base64"))).json()["data"]
    assert [item["index"] for item in plain] == [item["index"] for item in packed] == [0, 1, 2]
    assert [list(unpack("<2f", b64decode(item["embedding"], validate=True))) for item in packed] == [
        item["embedding"] for item in plain
    ]


@openai_path
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": {}}, "input"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"model": None}, "model"),
    ],
)
async def test_openais_refusals_name_what_is_wrong(path: str, changes: dict[str, object], param: str) -> None:
    listener = embedding()
    answer = await post(listener, path, body(path, **changes))
    assert answer.status == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "invalid_request_error"
    if param == "input":
        assert error_text(path, answer) == "invalid input"
    assert listener.books.started == []


async def test_token_ids_are_embedded_or_refused_with_the_way_out() -> None:
    answer = await post(embedding(), OPENAI, body(OPENAI, input=[[1, 2], [3]]))
    assert len(answer.json()["data"]) == 2
    texts_only = embedding(RuleBackend(numbers, takes_tokens=False))
    for ids in ([1, 2], [[1, 2]]):
        refused = await post(texts_only, OPENAI, body(OPENAI, input=ids))
        assert refused.status == 400
        assert "check_embedding_ctx_length=False" in error_text(OPENAI, refused)
    assert texts_only.books.started == []


@pytest.mark.parametrize(
    ("given", "count"), [("a", 1), (["a", "b"], 2), ("", 0), ([], 0), (None, 0), ([""], 1)]
)
async def test_ollama_counts_its_inputs(given: object, count: int) -> None:
    listener = embedding()
    answer = await post(listener, EMBED, body(EMBED, input=given))
    assert answer.status == 200
    assert len(answer.json()["embeddings"]) == count
    assert len(listener.books.started) == bool(count)
    if not count:
        assert answer.json() == {"model": MODEL, "embeddings": []}
        assert answer.headers["x-relay-attempts"] == "0"


@pytest.mark.parametrize("given", [[1], {}, 5, [["a"]]])
async def test_ollama_says_when_an_input_is_of_a_wrong_type(given: object) -> None:
    answer = await post(embedding(), EMBED, body(EMBED, input=given))
    assert (answer.status, error_text(EMBED, answer)) == (400, "invalid input type")


async def test_an_empty_prompt_has_no_vector() -> None:
    listener = embedding()
    for prompt in ("", None):
        answer = await post(listener, LEGACY, body(LEGACY, prompt=prompt))
        assert (answer.status, answer.json()) == (200, {"embedding": []})
    assert listener.books.started == []


@every_path
async def test_an_unknown_model_is_told_in_each_paths_words(path: str) -> None:
    answer = await post(embedding(), path, body(path, "zzz"))
    assert answer.status == 404
    words = {EMBED: "model 'zzz' not found", LEGACY: 'model "zzz" not found, try pulling it first'}
    assert error_text(path, answer).startswith(words.get(path, "model 'zzz' not found"))


@every_path
async def test_a_missing_model_is_told_in_each_paths_words(path: str) -> None:
    answer = await post(embedding(), path, body(path, ""))
    words = {EMBED: (404, "model '' not found"), LEGACY: (400, "model is required")}
    assert (answer.status, error_text(path, answer)) == words.get(
        path, (400, "you must provide a model parameter")
    )


@every_path
async def test_a_provider_without_embeddings_is_said_to_have_none(path: str) -> None:
    listener = listening()
    answer = await post(listener, path, body(path, "up/basic"))
    assert (answer.status, error_text(path, answer)) == (400, '"up/basic" does not support embedding')
    assert listener.books.started == []


async def test_a_model_that_only_embeds_does_not_chat() -> None:
    sent = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}).encode()
    answer = await post(embedding(), "/api/chat", sent)
    assert (answer.status, answer.json()["error"]) == (400, f'"{MODEL}" does not support chat')


FAILURES: list[tuple[RelayError, int]] = [
    (Limited("slow down", retry_after_s=7), 429),
    (Overloaded("busy"), 503),
    (Rejected("too long", status=400), 400),
    (Malformed("no vectors"), 502),
]


@every_path
@pytest.mark.parametrize(("failure", "status"), FAILURES)
async def test_a_providers_failure_has_its_status_and_the_attempts_head(
    path: str, failure: RelayError, status: int
) -> None:
    listener = embedding(RuleBackend(numbers, steps=(failure,)))
    answer = await post(listener, path, body(path))
    assert (answer.status, error_text(path, answer)) == (status, failure.message)
    assert answer.headers["x-relay-provider"] == "up"
    assert answer.headers["x-request-id"]
    assert [ended.outcome for ended in listener.books.ended] == ["error"]
    assert ("retry-after" in answer.headers) == (status == 429)


@every_path
async def test_other_methods_are_refused_and_options_answered(path: str) -> None:
    listener = embedding()
    for method in ("GET", "PUT", "DELETE"):
        answer = await call(listener.api, method, path)
        assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
        assert (answer.body == b"405 method not allowed") == (path in (EMBED, LEGACY))
    assert (await call(listener.api, "OPTIONS", path)).status == 204


@every_path
@pytest.mark.parametrize("sent", [b"", b"nope", b"[1]", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_request_is_a_400(path: str, sent: bytes) -> None:
    answer = await post(embedding(), path, sent)
    assert answer.status == 400
    assert error_text(path, answer)


@every_path
async def test_a_caller_without_a_key_is_turned_away_before_anything_is_read(path: str) -> None:
    listener = embedding(mode="keys")
    answer = await post(listener, path, b"nope")
    assert answer.status == 401
    assert error_text(path, answer)
    key = listener.keys.issue(models=("other/*",))
    answer = await post(listener, path, body(path), authorization=f"Bearer {key}")
    assert answer.status == 403


@every_path
async def test_a_client_that_leaves_is_booked_with_the_true_usage(path: str) -> None:
    listener = embedding(RuleBackend(numbers, steps=(0.1,)))
    async with exchange(listener.api, "POST", path, body=body(path)) as asking:
        while not listener.books.started:
            await asyncio.sleep(0.002)
        asking.disconnect()
        await settled(listener)
    (ended,) = listener.books.ended
    assert (ended.outcome, ended.usage, ended.usage_source) == (
        "cancelled",
        Usage(input_tokens=7),
        "reported",
    )
    assert (listener.lines[0].outcome, listener.lines[0].status) == ("cancelled", 499)


async def test_a_large_answer_leaves_whole() -> None:
    def large(request: EmbedRequest) -> EmbedResponse:
        row = vector(*(math.sin(number) for number in range(512)))
        return EmbedResponse(vectors=(row,) * request.count)

    listener = embedding(RuleBackend(large))
    answer = await post(listener, EMBED, body(EMBED, input=["a"] * 100))
    vectors = answer.json()["embeddings"]
    assert len(vectors) == 100
    assert vectors[99] == [math.sin(number) for number in range(512)]


@pytest.fixture
def listener() -> Listener:
    return embedding(mode="keys")


@pytest.fixture
async def url(listener: Listener) -> AsyncIterator[str]:
    async with served(listener.api) as address:
        yield address


async def test_openais_client_reads_the_vectors(url: str, listener: Listener) -> None:
    key = listener.keys.issue()
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        packed = await client.embeddings.create(model=MODEL, input=["a", "b"])
        plain = await client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        assert [item.embedding for item in packed.data] == [[0.5, 0.0], [0.5, 1.0]]
        assert [item.embedding for item in plain.data] == [[0.5, 0.0], [0.5, 1.0]]
        assert (packed.model, packed.usage.prompt_tokens) == (MODEL, 7)
        assert packed._request_id == listener.lines[0].request_id
        with pytest.raises(openai.NotFoundError) as missing:
            await client.embeddings.create(model="zzz", input="a")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError, match="invalid input"):
            await client.embeddings.create(model=MODEL, input=[])
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as without_v1:
        assert len((await without_v1.embeddings.create(model=MODEL, input="a")).data) == 1


async def test_ollamas_client_reads_the_vectors(url: str, listener: Listener) -> None:
    headers = {"authorization": f"Bearer {listener.keys.issue()}"}
    client = ollama.AsyncClient(host=url, headers=headers)
    answer = await client.embed(MODEL, ["a", "b"])
    assert [list(each) for each in answer.embeddings] == [[0.5, 0.0], [0.5, 1.0]]
    assert (answer.model, answer.prompt_eval_count) == (MODEL, 7)
    assert answer.total_duration
    assert list((await client.embeddings(MODEL, "a")).embedding) == [0.5, 0.0]
    with pytest.raises(ollama.ResponseError) as missing:
        await client.embed("zzz", "a")
    assert (missing.value.status_code, missing.value.error) == (404, "model 'zzz' not found")
    with pytest.raises(ollama.ResponseError, match="try pulling it first"):
        await client.embeddings("zzz", "a")
    await client._client.aclose()
