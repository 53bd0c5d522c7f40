"""Ollama's two endpoints of embeddings: what is read of callers and providers, and what they get."""

import json
from array import array
from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.dialects.embeddings import OLLAMA, OLLAMA_LEGACY, EmbeddingDialect, EmbedScene
from relay.domain.embeddings import EmbedRequest, EmbedResponse
from relay.domain.errors import (
    InvalidRequest,
    LacksCapability,
    Malformed,
    Overloaded,
    UnknownModel,
    Unsupported,
)
from relay.domain.usage import Usage

REQUEST = EmbedRequest(model="m", texts=("a", "b"), unit_length=True)
ONE = EmbedRequest(model="m", texts=("a",))
SCENE = EmbedScene(
    model="as asked", encoding="float", started_ns=1_000, clock_ns=lambda: 8_000, input_tokens_estimate=9
)
both = pytest.mark.parametrize("dialect", [OLLAMA, OLLAMA_LEGACY], ids=["embed", "legacy"])


def embed(**members: object) -> EmbedRequest:
    return OLLAMA.decode_request(json.dumps({"model": "m", **members}).encode())


def legacy(**members: object) -> EmbedRequest:
    return OLLAMA_LEGACY.decode_request(json.dumps({"model": "m", **members}).encode())


def sent(dialect: EmbeddingDialect, request: EmbedRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(dialect.encode_request(request).body)
    return body


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ("", ()),
        ([], ()),
        (None, ()),
        ([""], ("",)),
        (["", "a"], ("", "a")),
    ],
)
def test_a_list_counts_as_it_is_and_an_empty_text_alone_as_none(
    given: object, texts: tuple[str, ...]
) -> None:
    assert embed(input=given).texts == texts
    assert embed(input=given).unit_length
    assert OLLAMA.decode_request(b'{"model":"m"}').texts == ()


@pytest.mark.parametrize("given", [1, True, {}, [1], ["a", 1], [None], [["a"]], [[1]], 1.5])
def test_other_inputs_are_of_an_invalid_type(given: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        embed(input=given)
    assert (refused.value.message, refused.value.status) == ("invalid input type", 400)


def test_a_prompt_is_one_text_and_an_empty_one_none() -> None:
    assert legacy(prompt="a").texts == ("a",)
    assert not legacy(prompt="a").unit_length
    for nothing in ("", None):
        assert legacy(prompt=nothing).texts == ()
    wrongs: list[object] = [["a"], 1, {}]
    for wrong in wrongs:
        with pytest.raises(InvalidRequest):
            legacy(prompt=wrong)


def test_a_call_without_a_model_is_refused_in_each_endpoints_words() -> None:
    for body in (b'{"input":"a"}', b'{"model":"","input":"a"}'):
        with pytest.raises(InvalidRequest) as refused:
            OLLAMA.decode_request(body)
        assert (refused.value.message, refused.value.status) == ("model '' not found", 404)
    with pytest.raises(InvalidRequest, match="model is required") as required:
        OLLAMA_LEGACY.decode_request(b'{"prompt":"a"}')
    assert required.value.status == 400


def test_an_input_of_a_wrong_type_is_told_before_a_missing_model() -> None:
    with pytest.raises(InvalidRequest, match="invalid input type"):
        OLLAMA.decode_request(b'{"input":[1]}')


@both
@pytest.mark.parametrize("body", [b"nope", b"[1]", b'"text"', b"{", b"\xff\xfe{}"])
def test_what_is_no_request_is_refused(dialect: EmbeddingDialect, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        dialect.decode_request(body)
    with pytest.raises(InvalidRequest, match="missing request body"):
        dialect.decode_request(b"")


def test_bodies_are_read_as_gos_decoder_reads_them() -> None:
    request = OLLAMA.decode_request(
        b'\xef\xbb\xbf {"MODEL":"m","Input":["cut \\ud83d"],"Truncate":null,"Dimensions":2} and more'
    )
    assert (request.model, request.texts, request.dimensions) == ("m", ("cut \ufffd",), 2)
    assert request.truncate is None


@pytest.mark.parametrize(("given", "dimensions"), [(2, 2), (0, None), (-1, None), (None, None)])
def test_dimensions_that_are_not_positive_mean_nothing(given: object, dimensions: int | None) -> None:
    assert embed(input="a", dimensions=given).dimensions == dimensions


@both
def test_settings_are_checked_and_written_back(dialect: EmbeddingDialect) -> None:
    settings = {"keep_alive": "5m", "options": {"num_ctx": 4096}, "made_up": [1]}
    text = {"input": ["a"]} if dialect is OLLAMA else {"prompt": "a"}
    asked = {"model": "m", **text, **settings}
    request = dialect.decode_request(json.dumps(asked).encode())
    wire = dialect.encode_request(request)
    assert json.loads(wire.body) == asked
    assert wire.losses == ()
    for wrong in ({"keep_alive": "10"}, {"options": {"num_ctx": "x"}}, {"options": 5}, {"keep_alive": True}):
        with pytest.raises(InvalidRequest):
            dialect.decode_request(json.dumps({**asked, **wrong}).encode())


def test_truncate_and_dimensions_reach_the_provider() -> None:
    asked = {"model": "m", "input": ["a"], "truncate": False, "dimensions": 2}
    assert sent(OLLAMA, OLLAMA.decode_request(json.dumps(asked).encode())) == asked
    assert sent(OLLAMA, REQUEST) == {"model": "m", "input": ["a", "b"]}


def test_one_empty_text_of_openais_is_sent_as_a_list() -> None:
    assert sent(OLLAMA, EmbedRequest(model="m", texts=("",)))["input"] == [""]


def test_the_older_endpoint_takes_one_text_and_no_more() -> None:
    wire = OLLAMA_LEGACY.encode_request(replace(ONE, dimensions=2, truncate=True))
    assert json.loads(wire.body) == {"model": "m", "prompt": "a"}
    assert wire.losses == ("dimensions", "truncate")
    with pytest.raises(Unsupported):
        OLLAMA_LEGACY.encode_request(REQUEST)


@both
def test_token_ids_cannot_be_carried(dialect: EmbeddingDialect) -> None:
    assert not dialect.takes_tokens
    with pytest.raises(Unsupported):
        dialect.encode_request(EmbedRequest(model="m", token_lists=((1, 2),)))


@both
def test_settings_of_the_other_endpoint_are_carried_and_openais_are_lost(dialect: EmbeddingDialect) -> None:
    request = replace(
        ONE,
        extras={
            "ollama.embed": {"keep_alive": "0"},
            "ollama.embeddings": {"options": "{}"},
            "openai.embeddings": {"user": '"u"'},
        },
    )
    wire = dialect.encode_request(request)
    body = json.loads(wire.body)
    assert (body["keep_alive"], body["options"]) == (0, {})
    assert wire.losses == ("openai.embeddings:user",)


def test_a_passed_body_keeps_everything_but_the_model() -> None:
    body = b'{"Model":"m","input":["a"],"options":{"num_ctx":1.0}}'
    wire = OLLAMA.retarget(body, "theirs")
    assert (wire.path, wire.body) == (
        "/api/embed",
        b'{"Model":"theirs","input":["a"],"options":{"num_ctx":1.0}}',
    )
    wire = OLLAMA_LEGACY.retarget(b'{"prompt":"a"}', "theirs")
    assert (wire.path, wire.body) == ("/api/embeddings", b'{"prompt":"a","model":"theirs"}')


def test_answers_are_read() -> None:
    body = b'{"model":"x","embeddings":[[0.5,-1],[1e-3,2]],"total_duration":5,"prompt_eval_count":3}'
    reading = OLLAMA.decode_response(body, REQUEST)
    assert reading.response.vectors == (array("d", [0.5, -1.0]), array("d", [0.001, 2.0]))
    assert (reading.response.usage, reading.is_as_asked) == (Usage(input_tokens=3), True)
    older = OLLAMA_LEGACY.decode_response(b'{"embedding":[0.5,-1]}', ONE)
    assert older.response == EmbedResponse(vectors=(array("d", [0.5, -1.0]),))


@pytest.mark.parametrize("count", [b"", b',"prompt_eval_count":null', b',"prompt_eval_count":"many"'])
def test_a_count_that_is_none_is_unknown(count: bytes) -> None:
    reading = OLLAMA.decode_response(b'{"embeddings":[[1]]%b}' % count, ONE)
    assert reading.response.usage is None


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"[]",
        b"{}",
        b'{"embeddings":null,"embedding":null}',
        b'{"embeddings":{},"embedding":{}}',
        b'{"embeddings":[["a"]],"embedding":["a"]}',
        b'{"embeddings":[[null]],"embedding":[null]}',
        b'{"embeddings":[[NaN]],"embedding":[NaN]}',
        b'{"embeddings":["AACAPw=="],"embedding":"AACAPw=="}',
        b"<html>502</html>",
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_malformed(dialect: EmbeddingDialect, body: bytes) -> None:
    with pytest.raises(Malformed):
        dialect.decode_response(body, ONE)


@both
def test_an_error_inside_a_200_is_the_providers_failure(dialect: EmbeddingDialect) -> None:
    with pytest.raises(Overloaded, match="the runner died"):
        dialect.decode_response(b'{"error":"the runner died"}', ONE)


def test_answers_passed_on_have_another_name_where_they_have_one() -> None:
    body = b'{"model":"x","embeddings":[[1.50]],"load_duration":5}'
    assert OLLAMA.rename_response(body, "ours") == b'{"model":"ours","embeddings":[[1.50]],"load_duration":5}'
    assert OLLAMA_LEGACY.rename_response(b'{"embedding":[1.50]}', "ours") == b'{"embedding":[1.50]}'


def test_a_caller_gets_vectors_durations_and_the_count() -> None:
    response = EmbedResponse(vectors=(array("d", [0.6, 0.8]),), usage=Usage(input_tokens=7))
    assert json.loads(OLLAMA.encode_response(response, SCENE)) == {
        "model": "as asked",
        "embeddings": [[0.6, 0.8]],
        "total_duration": 7_000,
        "load_duration": 1,
        "prompt_eval_count": 7,
    }
    assert OLLAMA_LEGACY.encode_response(response, SCENE) == b'{"embedding":[0.6,0.8]}'


def test_what_is_unknown_or_zero_is_left_out_as_ollama_does() -> None:
    for usage in (None, Usage(), Usage(input_tokens=0)):
        response = EmbedResponse(vectors=(array("d", [1.0]),), usage=usage)
        assert "prompt_eval_count" not in json.loads(OLLAMA.encode_response(response, SCENE))


def test_no_inputs_have_no_vectors() -> None:
    nothing = EmbedResponse(vectors=())
    assert OLLAMA.encode_response(nothing, SCENE) == b'{"model":"as asked","embeddings":[]}'
    assert OLLAMA_LEGACY.encode_response(nothing, SCENE) == b'{"embedding":[]}'


def test_an_unknown_model_is_told_in_each_endpoints_words() -> None:
    for dialect, text in (
        (OLLAMA, "model 'zzz' not found"),
        (OLLAMA_LEGACY, 'model "zzz" not found, try pulling it first'),
    ):
        wire = dialect.encode_error(UnknownModel("zzz", ("zz",)))
        assert (wire.status, json.loads(wire.body)) == (404, {"error": text})
        assert wire.content_type == "application/json; charset=utf-8"
        lacking = dialect.encode_error(LacksCapability("x", "embedding"))
        assert json.loads(lacking.body) == {"error": '"x" does not support embedding'}


@both
def test_a_request_that_was_settled_is_settled(dialect: EmbeddingDialect) -> None:
    members = (
        {"input": ["a", "", "ü\u2028"], "truncate": True, "dimensions": 3}
        if dialect is OLLAMA
        else {"prompt": "a"}
    )
    request = dialect.decode_request(json.dumps({"model": "m", "keep_alive": 3.5, **members}).encode())
    assert dialect.decode_request(dialect.encode_request(request).body) == request
