"""Embeddings of Gemini, Cohere and Perplexity: what is asked, what is read, what is refused and what is lost."""

import json
from array import array
from base64 import b64encode
from dataclasses import replace
from math import hypot
from typing import Any

import pytest

from relay.adapters.dialects.embeddings import COHERE, GEMINI, PERPLEXITY, EmbeddingDialect, EmbedScene
from relay.domain.embeddings import EmbedRequest, EmbedResponse
from relay.domain.errors import InvalidRequest, Malformed, Overloaded, Rejected, Unsupported, UpstreamError
from relay.domain.usage import Usage

REQUEST = EmbedRequest(model="m", texts=("a", "ß"))
NATIVE = (GEMINI, COHERE, PERPLEXITY)
SCENE = EmbedScene(model="m", encoding="float", started_ns=0, clock_ns=lambda: 1, input_tokens_estimate=2)


def name(dialect: EmbeddingDialect) -> str:
    return dialect.name


def sent(dialect: EmbeddingDialect, request: EmbedRequest) -> Any:
    return json.loads(dialect.encode_request(request).body)


def test_gemini_is_asked_for_a_batch_of_which_each_names_the_model() -> None:
    wire = GEMINI.encode_request(replace(REQUEST, dimensions=256))
    assert wire.path == "/models/m:batchEmbedContents"
    assert json.loads(wire.body) == {
        "requests": [
            {"model": "models/m", "outputDimensionality": 256, "content": {"parts": [{"text": text}]}}
            for text in REQUEST.texts
        ]
    }
    assert wire.losses == ()


def test_cohere_is_asked_for_numbers() -> None:
    wire = COHERE.encode_request(replace(REQUEST, dimensions=256, truncate=True))
    assert wire.path == "/v2/embed"
    assert json.loads(wire.body) == {
        "model": "m",
        "texts": ["a", "ß"],
        "embedding_types": ["float"],
        "output_dimension": 256,
        "truncate": "END",
    }
    assert sent(COHERE, replace(REQUEST, truncate=False))["truncate"] == "NONE"


def test_perplexity_is_asked_for_bytes() -> None:
    wire = PERPLEXITY.encode_request(replace(REQUEST, dimensions=256))
    assert wire.path == "/v1/embeddings"
    assert json.loads(wire.body) == {
        "model": "m",
        "input": ["a", "ß"],
        "encoding_format": "base64_int8",
        "dimensions": 256,
    }


@pytest.mark.parametrize("dialect", NATIVE, ids=name)
def test_dimensions_of_a_caller_of_ollamas_are_cut_here_and_not_asked_for(dialect: EmbeddingDialect) -> None:
    body = dialect.encode_request(replace(REQUEST, dimensions=2, unit_length=True)).body
    assert b"imension" not in body


@pytest.mark.parametrize(("dialect", "most"), [(GEMINI, 100), (COHERE, 96), (PERPLEXITY, 512)])
def test_token_ids_and_more_texts_than_a_call_may_have_are_refused(
    dialect: EmbeddingDialect, most: int
) -> None:
    assert not dialect.takes_tokens
    with pytest.raises(Unsupported, match="token ids"):
        dialect.encode_request(EmbedRequest(model="m", token_lists=((1,),)))
    dialect.encode_request(replace(REQUEST, texts=("a",) * most))
    with pytest.raises(Unsupported, match=str(most)):
        dialect.encode_request(replace(REQUEST, texts=("a",) * (most + 1)))


def test_what_is_lost_is_told() -> None:
    said = {"user": '"u"', "input_type": '"search_query"'}
    asked = replace(REQUEST, extras={"openai.embeddings": said})
    assert COHERE.encode_request(asked).losses == ("openai.embeddings:user",)
    assert sent(COHERE, asked)["input_type"] == "search_query", "Cohere's own word, whoever says it"
    assert GEMINI.encode_request(replace(asked, truncate=False)).losses == (
        "truncate",
        "openai.embeddings:user",
        "openai.embeddings:input_type",
    )
    assert PERPLEXITY.encode_request(replace(REQUEST, truncate=True)).losses == ("truncate",)


def test_geminis_reduced_vectors_are_brought_to_length_1() -> None:
    body = b'{"embeddings":[{"values":[3,4]},{"values":[0,0]}]}'
    asked = replace(REQUEST, dimensions=2)
    assert [list(each) for each in GEMINI.decode_response(body, asked).response.vectors] == [
        [0.6, 0.8],
        [0.0, 0.0],
    ]
    assert list(GEMINI.decode_response(body, REQUEST).response.vectors[0]) == [3.0, 4.0]


@pytest.mark.parametrize(
    ("counted", "tokens"),
    [
        ({}, None),
        ({"usageMetadata": {"promptTokenCount": 5}}, 5),
        ({"usageMetadata": {"promptTokenDetails": [{"tokenCount": 2}, {"tokenCount": 3}]}}, 5),
        ({"usageMetadata": {"promptTokenCount": -1}}, None),
    ],
)
def test_gemini_counts_seldom(counted: dict[str, Any], tokens: int | None) -> None:
    body = json.dumps({"embeddings": [{"values": [1]}], **counted}).encode()
    usage = GEMINI.decode_response(body, REQUEST).response.usage
    assert usage == (None if tokens is None else Usage(input_tokens=tokens))


def test_perplexitys_bytes_are_numbers_of_both_signs() -> None:
    data = b64encode(array("b", [3, -4]).tobytes()).decode()
    body = json.dumps({"data": [{"index": 0, "embedding": data}], "usage": {"prompt_tokens": 7}}).encode()
    reading = PERPLEXITY.decode_response(body, replace(REQUEST, texts=("a",)))
    assert list(reading.response.vectors[0]) == [0.6, -0.8]
    assert reading.response.usage == Usage(input_tokens=7)


@pytest.mark.parametrize("embedding", ["no base64!", 5, [1.0], None])
def test_what_is_no_vector_of_perplexitys_is_malformed(embedding: object) -> None:
    body = json.dumps({"data": [{"index": 0, "embedding": embedding}]}).encode()
    with pytest.raises(Malformed):
        PERPLEXITY.decode_response(body, replace(REQUEST, texts=("a",)))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'{"embeddings":[{}]}'])
@pytest.mark.parametrize("dialect", NATIVE, ids=name)
def test_what_holds_no_vectors_is_malformed(dialect: EmbeddingDialect, body: bytes) -> None:
    with pytest.raises(Malformed):
        dialect.decode_response(body, REQUEST)


@pytest.mark.parametrize(
    ("dialect", "body", "failure"),
    [
        (GEMINI, b'{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}', Rejected),
        (COHERE, b'{"message":"no"}', Overloaded),
        (PERPLEXITY, b'{"error":{"message":"no","code":404}}', Rejected),
    ],
)
def test_an_error_in_place_of_vectors_is_the_providers(
    dialect: EmbeddingDialect, body: bytes, failure: type[UpstreamError]
) -> None:
    with pytest.raises(failure, match="no"):
        dialect.decode_response(body, REQUEST)
    assert dialect.decode_error(body).message == "no"


@pytest.mark.parametrize("dialect", [GEMINI, COHERE], ids=name)
def test_a_body_is_read_back_as_it_was_meant(dialect: EmbeddingDialect) -> None:
    asked = replace(REQUEST, dimensions=3)
    body = dialect.encode_request(asked).body
    if dialect is GEMINI:
        body = b'{"model":"m",' + body[1:]
    read = dialect.decode_request(body)
    assert (read.model, read.texts, read.dimensions) == ("m", asked.texts, 3)
    response = EmbedResponse(vectors=(array("d", [0.6, 0.8]),), usage=Usage(input_tokens=2))
    written = dialect.encode_response(response, SCENE)
    assert dialect.decode_response(written, read).response == response
    assert dialect.rename_response(written, "other") == written
    with pytest.raises(InvalidRequest):
        dialect.decode_request(b"{}")


def test_a_retargeted_body_names_the_providers_model_wherever_it_is() -> None:
    wire = GEMINI.retarget(b'{"model":"m","requests":[{"model":"models/m","x":1.50}]}', "theirs")
    assert wire.path == "/models/theirs:batchEmbedContents"
    assert wire.body == b'{"requests":[{"model":"models/theirs","x":1.50}]}'
    assert (
        COHERE.retarget(b'{"texts":["a"],"model":"m"}', "theirs").body == b'{"texts":["a"],"model":"theirs"}'
    )


def test_coheres_own_fields_are_written_back() -> None:
    read = COHERE.decode_request(b'{"model":"m","texts":["a"],"input_type":"clustering","truncate":"NONE"}')
    assert (read.truncate, read.extras) == (False, {"cohere.embed": {"input_type": '"clustering"'}})
    assert sent(COHERE, read)["input_type"] == "clustering"


def test_a_vector_of_bytes_has_length_1() -> None:
    data = b64encode(bytes(range(256))).decode()
    body = json.dumps({"data": [{"index": 0, "embedding": data}]}).encode()
    [vector] = PERPLEXITY.decode_response(body, replace(REQUEST, texts=("a",))).response.vectors
    assert hypot(*vector) == pytest.approx(1.0)
    assert min(vector) < 0
