"""The scripted upstream makes embeddings as real servers do, and flawed ones where its model name says so."""

import math
from base64 import b64decode
from collections.abc import AsyncIterator
from struct import unpack
from typing import Any

import ollama
import openai
import pytest

from tests.support.upstream import ScriptedUpstream
from tests.support.upstream.embeddings import scaled, vector_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=upstream.openai_url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
async def native(upstream: ScriptedUpstream) -> AsyncIterator[ollama.AsyncClient]:
    made = ollama.AsyncClient(host=upstream.base_url)
    yield made
    await made._client.aclose()


def test_a_vector_depends_on_its_input_alone() -> None:
    assert vector_of("a") == vector_of("a")
    assert vector_of("a") != vector_of("b")
    assert vector_of("1") != vector_of([1])
    assert len(vector_of("a", 3)) == 3
    assert math.isclose(math.hypot(*vector_of("a", 100, 5.0)), 5.0, rel_tol=1e-6)


async def test_openai_reads_numbers_and_base64_alike(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    numbers = await client.embeddings.create(model="embed", input=["a", "bb"], encoding_format="float")
    packed = await client.embeddings.create(model="embed", input=["a", "bb"])
    assert [item.embedding for item in numbers.data] == [item.embedding for item in packed.data]
    assert numbers.data[1].embedding == vector_of("bb")
    assert packed.usage.prompt_tokens == 1
    assert [call.tokens_in for call in upstream.ledger.embeddings] == [1, 1]
    assert all(call.completed for call in upstream.ledger.embeddings)
    assert upstream.ledger.chats == []


async def test_base64_is_little_endian(client: openai.AsyncOpenAI) -> None:
    raw = await client.embeddings.with_raw_response.create(
        model="embed?dims=2", input="a", encoding_format="base64"
    )
    text: Any = raw.http_response.json()["data"][0]["embedding"]
    assert list(unpack("<2f", b64decode(text))) == vector_of("a", 2)


async def test_token_ids_are_inputs_of_openais_alone(
    client: openai.AsyncOpenAI, native: ollama.AsyncClient
) -> None:
    answer = await client.embeddings.create(model="embed", input=[[1, 2], [3]], encoding_format="float")
    assert [item.embedding for item in answer.data] == [vector_of([1, 2]), vector_of([3])]
    assert answer.usage.prompt_tokens == 3
    with pytest.raises(ollama.ResponseError, match="invalid input type"):
        await native._request(
            ollama.EmbedResponse, "POST", "/api/embed", json={"model": "embed", "input": [1]}
        )


async def test_ollama_embeds_lists_and_single_prompts(native: ollama.AsyncClient) -> None:
    answer = await native.embed("embed", ["a", "b"], dimensions=4)
    assert [list(vector) for vector in answer.embeddings] == [scaled(vector_of(text)[:4]) for text in "ab"]
    assert answer.prompt_eval_count == 1
    assert list((await native.embeddings("embed?length=3", "a")).embedding) == vector_of("a", 8, 3.0)
    assert (await native.embed("embed", [])).embeddings == []
    assert (await native.embeddings("embed", "")).embedding == []


async def test_dimensions_can_be_ignored_and_refused(client: openai.AsyncOpenAI) -> None:
    whole = await client.embeddings.create(model="embed?dimensions=ignored", input="a", dimensions=2)
    assert len(whole.data[0].embedding) == 8
    with pytest.raises(openai.BadRequestError, match="does not support specifying dimensions"):
        await client.embeddings.create(model="embed?dimensions=refused", input="a", dimensions=2)


async def test_order_and_form_are_the_scripts(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(
        model="embed?shuffled=1&form=float", input=["a", "b"], encoding_format="base64"
    )
    assert [(item.index, item.embedding) for item in answer.data] == [
        (1, vector_of("b")),
        (0, vector_of("a")),
    ]


async def test_faults_of_chat_befall_embeddings_too(
    client: openai.AsyncOpenAI, native: ollama.AsyncClient
) -> None:
    with pytest.raises(openai.RateLimitError):
        await client.embeddings.create(model="fault/429?of=embed", input="a")
    with pytest.raises(openai.APIConnectionError):
        await client.embeddings.create(model="fault/cut?of=embed&after_chunks=1", input="a")
    with pytest.raises(ollama.ResponseError) as busy:
        await native.embed("fault/503?of=embed", "a")
    assert busy.value.status_code == 503
    unsaid = await native.embed("fault/nousage?of=embed", "a")
    assert unsaid.prompt_eval_count is None


async def test_flaws_are_flaws_and_mistyped_ones_are_refused(client: openai.AsyncOpenAI) -> None:
    raw = client.embeddings.with_raw_response
    texts = ["a", "b"]
    for flaw, mark in (("nan", "NaN"), ("infinite", "1e999"), ("words", '"many"')):
        sent = await raw.create(model=f"embed?flaw={flaw}", input=texts, encoding_format="float")
        assert mark in sent.http_response.text
    for flaw, count in (("fewer", 1), ("more", 3)):
        sent = await raw.create(model=f"embed?flaw={flaw}", input=texts)
        assert len(sent.http_response.json()["data"]) == count
    with pytest.raises(openai.BadRequestError, match="no flaw"):
        await raw.create(model="embed?flaw=nann", input=texts)


async def test_an_embedding_model_does_not_chat(native: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support chat"):
        await native.chat("embed", messages=[{"role": "user", "content": "hi"}])
    assert (await native.show("embed")).capabilities == ["embedding"]
