"""What the embedding backend over HTTP sends for each provider, and what it makes of what comes back."""

import json
import math
from array import array
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import pack
from typing import Any

import anyio
import pytest

from relay.adapters.dialects.embeddings import EMBEDDING_DIALECTS
from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.providers.build import BackendsByName, build_backends
from relay.adapters.outbound.providers.spec import configured, kinds
from relay.adapters.outbound.system import SystemClock
from relay.application.ports import EmbedAnswer, EmbeddingBackend, OriginalEmbedding, UpstreamEmbedCall
from relay.domain.embeddings import EmbeddingDialectName
from relay.domain.errors import (
    BadCredential,
    Interrupted,
    Limited,
    Malformed,
    Overloaded,
    RelayError,
    Unsupported,
)
from relay.domain.usage import Usage
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole
from tests.support.upstream_calls import upstream_call

pytestmark = pytest.mark.anyio

LOCAL = {"base_url": "http://localhost:8000/v1"}


def backends(kind: str, http: RecordingHttp, **section: object) -> BackendsByName:
    place = LOCAL if kind == "openai-compatible" else {}
    spec = configured(kind, {"api_key": "k-1", **place, **section}, {})
    return build_backends([spec], http=http, dialects=DIALECTS, clock=SystemClock(), environ={})


def backend(kind: str, http: RecordingHttp, **section: object) -> EmbeddingBackend:
    found = backends(kind, http, **section).find_embedding(kind)
    assert found is not None
    return found


def embed_call(dialect: EmbeddingDialectName = "openai.embeddings", **members: object) -> UpstreamEmbedCall:
    text = {"prompt": "a"} if dialect == "ollama.embeddings" else {"input": "a"}
    body = json.dumps({"model": "asked", **text, **members}).encode()
    request = EMBEDDING_DIALECTS[dialect].decode_request(body)
    return UpstreamEmbedCall(
        original=OriginalEmbedding(dialect=dialect, body=body, request=request),
        model="m-1",
        echo="asked",
        request_id="request-1",
    )


def openai_answer(*vectors: object, **more: object) -> dict[str, object]:
    data = [{"object": "embedding", "index": index, "embedding": item} for index, item in enumerate(vectors)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": data, "model": "m-1", "usage": usage, **more}


OPENAI_ANSWER = openai_answer([3.0, 4.0])
OLLAMA_ANSWER = {"model": "m-1", "embeddings": [[0.6, 0.8]], "total_duration": 9, "prompt_eval_count": 3}


@dataclass
class Outcome:
    """What a call came to."""

    answer: EmbedAnswer | None = None
    failure: RelayError | None = None
    losses: tuple[str, ...] = ()
    sent: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    @property
    def vectors(self) -> list[list[float]]:
        return [list(vector) for vector in self.answer.response.vectors] if self.answer else []


async def outcome(
    kind: str, answer: Answer | Mapping[str, object], call: UpstreamEmbedCall, **section: object
) -> Outcome:
    http = RecordingHttp(lambda request: whole(answer) if isinstance(answer, Mapping) else answer)
    result = Outcome()
    try:
        exchange = await backend(kind, http, **section).open(call)
        result.losses = exchange.losses
        try:
            result.answer = await exchange.read()
        finally:
            await exchange.aclose()
    except RelayError as error:
        result.failure = error
    if http.requests:
        result.sent = json.loads(http.requests[0].body)
        result.url = http.requests[0].url
        assert http.requests[0].method == "POST"
    assert all(response.closed == 1 for response in http.responses)
    return result


ASKED: dict[str, Any] = {"dimensions": 2, "encoding_format": "base64", "user": "u-1", "made_up": [1]}
RENAMED = {"output_dimension": 2, "dimensions": ..., "encoding_format": ..., "user": ...}


@dataclass(frozen=True)
class Row:
    """Where a row sends, how `ASKED` looks by then (`...` stands for absent), and what is lost."""

    url: str
    differs: Mapping[str, object] = field(default_factory=dict)
    losses: tuple[str, ...] = ()


ROWS = {
    "openai": Row("https://api.openai.com/v1/embeddings", differs={"input": "a"}),
    "openrouter": Row("https://openrouter.ai/api/v1/embeddings"),
    "mistral": Row("https://api.mistral.ai/v1/embeddings", differs=RENAMED, losses=("user",)),
    "together": Row("https://api.together.ai/v1/embeddings"),
    "fireworks": Row("https://api.fireworks.ai/inference/v1/embeddings"),
    "deepinfra": Row("https://api.deepinfra.com/v1/openai/embeddings"),
    "sambanova": Row("https://api.sambanova.ai/v1/embeddings", differs={"encoding_format": ...}),
    "openai-responses": Row("https://api.openai.com/v1/embeddings", differs={"input": "a"}),
    "openai-compatible": Row("http://localhost:8000/v1/embeddings"),
    "ollama": Row(
        "http://127.0.0.1:11434/api/embed",
        differs={"encoding_format": ..., "user": ..., "made_up": ...},
        losses=("openai.embeddings:user", "openai.embeddings:made_up"),
    ),
}
NATIVE = {"gemini", "cohere", "perplexity"}
"""Kinds with a dialect of their own: see `tests/contract/test_native_providers.py`."""

WITHOUT = {"anthropic", "groq", "deepseek", "xai", "cerebras"}


def test_every_kind_is_known_to_make_embeddings_or_not() -> None:
    for kind in kinds():
        found = backends(kind, RecordingHttp(lambda request: whole({}))).find_embedding(kind)
        assert (found is None) == (kind not in {*ROWS} | NATIVE)
    assert {*ROWS} | NATIVE | WITHOUT == {*kinds()}


@pytest.mark.parametrize("kind", ROWS)
async def test_a_row_sends_exactly_this(kind: str) -> None:
    row = ROWS[kind]
    answer = OLLAMA_ANSWER if kind == "ollama" else OPENAI_ANSWER
    result = await outcome(kind, answer, embed_call(**ASKED))
    wanted = {"model": "m-1", "input": ["a"], **ASKED, **row.differs}
    assert result.sent == {name: value for name, value in wanted.items() if value is not ...}
    assert result.url == row.url
    assert sorted(result.losses) == sorted(row.losses)
    assert result.failure is None
    assert result.answer is not None
    assert result.answer.response.usage == Usage(input_tokens=3)


async def test_headers_carry_the_key_the_request_and_who_asks() -> None:
    http = RecordingHttp(lambda request: whole(OPENAI_ANSWER))
    await (await backend("openai", http).open(embed_call())).read()
    headers = http.requests[0].headers
    assert headers["authorization"] == "Bearer k-1"
    assert headers["x-request-id"] == "request-1"
    assert headers["user-agent"].startswith("llm-relay/")


async def test_a_body_and_an_answer_of_one_dialect_pass_where_the_row_lets_them() -> None:
    body = (
        b'{"object":"list","data":[{"index":0,"embedding":[3.00]}],"model":"m-1","usage":{"prompt_tokens":3}}'
    )
    result = await outcome("openai", whole(body), embed_call(made_up={"n": 1}))
    assert result.sent == {"model": "m-1", "input": "a", "made_up": {"n": 1}}
    assert result.answer is not None
    assert result.answer.raw == body.replace(b"m-1", b"asked")
    assert result.vectors == [[3.0]]
    other = await outcome("together", whole(body), embed_call(made_up={"n": 1}))
    assert other.sent == {"model": "m-1", "input": ["a"], "made_up": {"n": 1}}
    assert other.answer is not None
    assert other.answer.raw is None


async def test_ollamas_bytes_pass_on_both_of_its_endpoints() -> None:
    body = b'{"model":"m-1","embeddings":[[0.60,0.80]],"load_duration":5}'
    result = await outcome("ollama", whole(body), embed_call("ollama.embed"))
    assert (result.url, result.sent) == (
        "http://127.0.0.1:11434/api/embed",
        {"model": "m-1", "input": "a"},
    )
    assert result.answer is not None
    assert result.answer.raw == body.replace(b"m-1", b"asked")
    older = await outcome("ollama", whole(b'{"embedding":[3.0]}'), embed_call("ollama.embeddings"))
    assert (older.url, older.sent) == (
        "http://127.0.0.1:11434/api/embeddings",
        {"model": "m-1", "prompt": "a"},
    )
    assert older.answer is not None
    assert older.answer.raw == b'{"embedding":[3.0]}'


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        pytest.param(openai_answer([1.0], usage=None), embed_call(), id="no count"),
        pytest.param(
            openai_answer(b64encode(pack("<f", 1.0)).decode()), embed_call(), id="base64 not asked for"
        ),
        pytest.param(openai_answer([1.0]), embed_call(encoding_format="base64"), id="base64 asked for"),
        pytest.param(
            {**OPENAI_ANSWER, "data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]},
            embed_call(input=["a", "b"]),
            id="out of order",
        ),
    ],
)
async def test_bytes_that_are_not_as_asked_do_not_pass(
    answer: dict[str, object], call: UpstreamEmbedCall
) -> None:
    result = await outcome("openai", answer, call)
    assert result.answer is not None
    assert result.answer.raw is None
    assert result.vectors[0] == [1.0]


async def test_vectors_are_fitted_to_what_was_asked() -> None:
    longer = await outcome("openai", openai_answer([3.0, 4.0, 12.0]), embed_call(dimensions=2))
    assert longer.vectors == [[0.6, 0.8]]
    unnormalised = await outcome("ollama", {"embeddings": [[3.0, 4.0]]}, embed_call("ollama.embed"))
    assert unnormalised.vectors == [[0.6, 0.8]]
    assert (longer.answer and longer.answer.raw, unnormalised.answer and unnormalised.answer.raw) == (
        None,
        None,
    )
    older = await outcome("openai", openai_answer([3.0, 4.0]), embed_call("ollama.embeddings"))
    assert older.vectors == [[3.0, 4.0]]


async def test_an_ollama_client_is_cut_to_size_by_the_relay_on_another_provider() -> None:
    call = embed_call("ollama.embed", dimensions=2, keep_alive="5m", truncate=True)
    result = await outcome("openai", openai_answer([3.0, 4.0, 12.0]), call)
    assert result.sent == {"model": "m-1", "input": ["a"]}
    assert result.vectors == [[0.6, 0.8]]
    assert result.losses == ("truncate", "ollama.embed:keep_alive")


async def test_a_provider_is_never_asked_for_more_than_it_can_carry() -> None:
    tokens = embed_call(input=[1, 2])
    http = RecordingHttp(lambda request: whole(OLLAMA_ANSWER))
    ollama = backend("ollama", http)
    assert not ollama.takes_tokens
    with pytest.raises(Unsupported):
        await ollama.open(tokens)
    assert http.requests == []
    result = await outcome("openai", OPENAI_ANSWER, tokens)
    assert result.sent["input"] == [1, 2]
    assert (await outcome("together", OPENAI_ANSWER, tokens)).sent["input"] == [[1, 2]]


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"<html>502</html>"),
        whole(b""),
        whole(openai_answer()),
        whole(openai_answer([1.0], [2.0])),
        whole(openai_answer([])),
        whole(b'{"data":[{"index":0,"embedding":[NaN]}]}'),
        whole(b'{"data":[{"index":0,"embedding":[1e39]}]}'),
    ],
)
async def test_garbage_is_malformed(answer: Answer) -> None:
    for kind in ("openai", "together"):
        result = await outcome(kind, ScriptedResponse(answer.steps), embed_call())  # type: ignore[union-attr]
        assert isinstance(result.failure, Malformed)


async def test_failures_are_those_of_chat() -> None:
    limited = await outcome(
        "openai",
        whole({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "7"}),
        embed_call(),
    )
    assert isinstance(limited.failure, Limited)
    assert limited.failure.retry_after_s == 7.0
    inside = await outcome("openai", {"error": {"message": "no", "type": "server_error"}}, embed_call())
    assert isinstance(inside.failure, Overloaded)
    broken = await outcome("openai", ScriptedResponse((b'{"data":', Interrupted("cut"))), embed_call())
    assert isinstance(broken.failure, Interrupted)
    keyless = await outcome("openai", OPENAI_ANSWER, embed_call(), api_key="env:NOT_SET")
    assert isinstance(keyless.failure, BadCredential)
    assert keyless.sent == {}


async def test_an_answer_may_be_as_large_as_its_inputs_are_many() -> None:
    filler = b" " * (300 * 1024)
    small = await outcome("openai", whole(json.dumps(OPENAI_ANSWER).encode() + filler), embed_call())
    assert isinstance(small.failure, Malformed)
    vectors = [[float(number), 1.0] for number in range(20)]
    call = embed_call(input=["a"] * 20)
    large = await outcome("together", whole(json.dumps(openai_answer(*vectors)).encode() + filler), call)
    assert large.vectors == vectors


async def test_a_large_answer_does_not_hold_up_the_loop() -> None:
    vector = [math.sin(number) for number in range(1024)]
    body = json.dumps(openai_answer(*([vector] * 512))).encode()
    turns: list[float] = []
    async with anyio.create_task_group() as group:

        async def tick() -> None:
            while True:
                await anyio.sleep(0.001)
                turns.append(anyio.current_time())

        group.start_soon(tick)
        await anyio.sleep(0.01)
        turns.clear()
        result = await outcome("together", whole(body), embed_call(input=["a"] * 512))
        group.cancel_scope.cancel()
    assert result.answer is not None
    assert result.answer.response.vectors[511] == array("d", vector)
    assert len(turns) > 3, "the loop goes on turning while the answer is decoded"


async def test_chat_and_embeddings_of_a_provider_share_its_bulkhead() -> None:
    http = RecordingHttp(lambda request: ScriptedResponse((60.0,)))
    both = backends("openai", http, max_in_flight=1)
    embedding, chat = both.find_embedding("openai"), both.find("openai")
    assert embedding is not None
    assert chat is not None
    exchange = await embedding.open(embed_call())
    with anyio.move_on_after(0.05) as waiting:
        await chat.open(upstream_call("openai.chat"))
    assert waiting.cancelled_caught
    await exchange.aclose()
    await exchange.aclose()
    with anyio.fail_after(1):
        chatting = await chat.open(upstream_call("openai.chat"))
    await chatting.aclose()
