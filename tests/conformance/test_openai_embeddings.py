"""OpenAI's embeddings and completions."""

import base64
import struct
from typing import Any

import pytest

from tests.conformance.asking import TEXT, error_of, every_provider
from tests.conformance.wire import Answer, Api
from tests.support.upstream import ScriptedUpstream
from tests.support.upstream.embeddings import vector_of

pytestmark = pytest.mark.e2e

TEXTS = ["the first", "another", "a third"]


def embed(api: Api, model: str, given: object, **options: Any) -> Answer:
    return api.post("/v1/embeddings", {"model": model, "input": given, **options})


def vectors(answer: Answer) -> list[Any]:
    """The vectors of a good answer, in the order of their indexes."""
    assert answer.status == 200
    assert answer.json["object"] == "list"
    entries = answer.json["data"]
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    assert {entry["object"] for entry in entries} == {"embedding"}
    return [entry["embedding"] for entry in entries]


@pytest.mark.conformance("openai", 91)
@every_provider
def test_base64_holds_the_same_numbers(api: Api, provider: str) -> None:
    (text,) = vectors(embed(api, f"{provider}/embed", "hi", encoding_format="base64"))
    data = base64.b64decode(text, validate=True)
    numbers = list(struct.unpack(f"<{len(data) // 4}f", data))
    assert numbers == pytest.approx(vector_of("hi"), abs=1e-6)
    (plain,) = vectors(embed(api, f"{provider}/embed", "hi", encoding_format="float"))
    assert plain == pytest.approx(numbers, abs=1e-6)


@pytest.mark.conformance("openai", 92)
@every_provider
def test_numbers_are_what_comes_unless_asked_otherwise(api: Api, provider: str) -> None:
    (vector,) = vectors(embed(api, f"{provider}/embed", "hi"))
    assert len(vector) == 8
    assert all(isinstance(number, float) for number in vector)


@pytest.mark.conformance("openai", 93)
@every_provider
def test_each_text_has_its_vector(api: Api, provider: str) -> None:
    made = vectors(embed(api, f"{provider}/embed", TEXTS))
    assert len(made) == len(TEXTS)
    for vector, text in zip(made, TEXTS, strict=True):
        assert vector == pytest.approx(vector_of(text), abs=1e-6)


@pytest.mark.conformance("openai", 93)
def test_vectors_in_disorder_are_put_in_order(api: Api) -> None:
    made = vectors(embed(api, "up/embed?shuffled=1", TEXTS))
    assert made[0] == pytest.approx(vector_of(TEXTS[0]), abs=1e-6)


@pytest.mark.conformance("openai", 93)
@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
@every_provider
def test_tokens_are_embedded_or_refused_with_what_to_send_instead(
    api: Api, provider: str, given: list[Any]
) -> None:
    answer = embed(api, f"{provider}/embed", given)
    if provider == "oll":
        assert answer.status == 400
        error = error_of(answer)
        assert error["param"] == "input"
        assert "text" in error["message"]
    else:
        assert len(vectors(answer)) == (1 if isinstance(given[0], int) else len(given))


@pytest.mark.conformance("openai", 94)
@every_provider
def test_the_wanted_length_reaches_the_provider(api: Api, upstream: ScriptedUpstream, provider: str) -> None:
    (vector,) = vectors(embed(api, f"{provider}/embed", "hi", dimensions=4))
    assert len(vector) == 4
    assert upstream.ledger.calls[-1].body["dimensions"] == 4


@pytest.mark.conformance("openai")
@every_provider
def test_a_completion_is_whole_or_a_stream_of_its_own_kind(api: Api, provider: str) -> None:
    body = {"model": f"{provider}/basic", "prompt": "hi"}
    whole = api.post("/v1/completions", body).json
    assert whole["object"] == "text_completion"
    assert [(choice["index"], choice["text"]) for choice in whole["choices"]] == [(0, TEXT)]
    chunks = api.post("/v1/completions", {**body, "stream": True}).chunks
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == TEXT


@pytest.mark.conformance("openai", 95)
@every_provider
def test_two_prompts_are_two_choices_whole_and_in_a_stream_that_ends_with_done(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    body = {"model": f"{provider}/basic", "prompt": ["one", "two"]}
    whole = api.post("/v1/completions", body).json
    assert whole["object"] == "text_completion"
    assert [(choice["index"], choice["text"]) for choice in whole["choices"]] == [(0, TEXT), (1, TEXT)]
    assert len(upstream.ledger.chats) == 2, "each is a call of its own"
    streamed = api.post(
        "/v1/completions", {**body, "stream": True, "stream_options": {"include_usage": True}}
    )
    assert streamed.body.rstrip().endswith(b"data: [DONE]")
    assert {chunk["object"] for chunk in streamed.chunks} == {"text_completion"}
    said = {0: "", 1: ""}
    for choice in (choice for chunk in streamed.chunks for choice in chunk["choices"]):
        said[choice["index"]] += choice["text"]
    assert said == {0: TEXT, 1: TEXT}
    assert streamed.chunks[-1]["usage"] == whole["usage"]
