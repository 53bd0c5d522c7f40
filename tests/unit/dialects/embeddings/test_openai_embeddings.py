"""OpenAI's embeddings: what is read of callers and providers, and what they get."""

import json
from array import array
from base64 import b64encode
from dataclasses import replace
from struct import pack
from typing import Any

import pytest

from relay.adapters.dialects.embeddings import OPENAI, EmbedScene
from relay.domain.embeddings import EmbedRequest, EmbedResponse
from relay.domain.errors import (
    InvalidRequest,
    Limited,
    Malformed,
    Overloaded,
    RelayError,
    UnknownModel,
    Unsupported,
)
from relay.domain.usage import Usage

ASKED: dict[str, Any] = {"model": "m", "input": ["a", "b"]}
REQUEST = EmbedRequest(model="m", texts=("a", "b"))
SCENE = EmbedScene(
    model="as asked", encoding="float", started_ns=0, clock_ns=lambda: 5, input_tokens_estimate=9
)


def decoded(**changes: object) -> EmbedRequest:
    return OPENAI.decode_request(json.dumps({**ASKED, **changes}).encode())


def sent(request: EmbedRequest) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(OPENAI.encode_request(request).body)
    return body


def refused(**changes: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**changes)
    assert caught.value.status == 400
    return caught.value


def packed(*numbers: float) -> str:
    return b64encode(pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*items: object, **changes: object) -> bytes:
    whole = {
        "object": "list",
        "data": items,
        "model": "theirs",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    return json.dumps({**whole, **changes}).encode()


def item(index: object, embedding: object) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


@pytest.mark.parametrize(
    ("given", "texts", "token_lists"),
    [
        ("a", ("a",), ()),
        ("", ("",), ()),
        (["a", ""], ("a", ""), ()),
        ([1, 2], (), ((1, 2),)),
        ([[1, 2], [3]], (), ((1, 2), (3,))),
    ],
)
def test_each_form_of_input_is_understood(
    given: object, texts: tuple[str, ...], token_lists: tuple[tuple[int, ...], ...]
) -> None:
    request = decoded(input=given)
    assert (request.texts, request.token_lists) == (texts, token_lists)
    assert sent(request)["input"] == [*texts, *map(list, token_lists)]


@pytest.mark.parametrize(
    "given",
    [None, [], {}, 5, True, [[]], ["a", 1], [1, "a"], ["a", ["b"]], [[1], 2], [None], [1.5], [[1], []]],
)
def test_what_is_no_input_is_refused(given: object) -> None:
    refusal = refused(input=given)
    assert (refusal.message, refusal.param) == ("invalid input", "input")


def test_an_absent_input_is_refused_and_so_is_an_absent_model() -> None:
    with pytest.raises(InvalidRequest, match="invalid input"):
        OPENAI.decode_request(b'{"model":"m"}')
    assert refused(model=None).code == "missing_required_parameter"
    assert refused(model="").param == "model"


@pytest.mark.parametrize("body", [b"", b"nope", b"[1]", b'"text"', b'{"model":"m"', b"\xff\xfe"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        OPENAI.decode_request(body)


def test_the_form_of_vectors_is_numbers_unless_base64_is_asked_for() -> None:
    for given in (None, "float", ""):
        assert decoded(encoding_format=given).encoding == "float"
    assert decoded().encoding == "float"
    request = decoded(encoding_format="base64")
    assert request.encoding == "base64"
    assert sent(request)["encoding_format"] == "base64"
    assert "encoding_format" not in sent(decoded(encoding_format="float"))
    assert refused(encoding_format="base64_int8").param == "encoding_format"


def test_dimensions_are_passed_on_as_they_are() -> None:
    assert sent(decoded(dimensions=256))["dimensions"] == 256
    assert "dimensions" not in sent(decoded(dimensions=None))
    assert refused(dimensions=0).param == "dimensions"
    assert refused(dimensions="many").param == "dimensions"


def test_dimensions_of_a_caller_of_ollamas_are_cut_here_and_not_asked_for() -> None:
    assert "dimensions" not in sent(replace(REQUEST, dimensions=2, unit_length=True))


def test_what_only_this_dialect_knows_is_written_back() -> None:
    request = decoded(user="u-1", input_type="query", nothing=None, none=[])
    assert request.extras == {"openai.embeddings": {"user": '"u-1"', "input_type": '"query"'}}
    assert sent(request) == {**ASKED, "user": "u-1", "input_type": "query"}
    assert OPENAI.encode_request(request).losses == ()


def test_what_only_ollama_knows_is_lost_and_said_so() -> None:
    extras = {"keep_alive": '"5m"', "options": '{"num_ctx":5}'}
    wire = OPENAI.encode_request(replace(REQUEST, truncate=True, extras={"ollama.embed": extras}))
    assert json.loads(wire.body) == ASKED
    assert wire.losses == ("truncate", "ollama.embed:keep_alive", "ollama.embed:options")
    assert OPENAI.encode_request(replace(REQUEST, truncate=False)).losses == ()


def test_a_passed_body_keeps_everything_but_the_model() -> None:
    body = b'{"input":["a"],"made_up":{"n":1.50},"model":"m","dimensions":3}'
    wire = OPENAI.retarget(body, "theirs")
    assert wire.path == "/embeddings"
    assert wire.body == b'{"input":["a"],"made_up":{"n":1.50},"model":"theirs","dimensions":3}'


def test_numbers_and_base64_are_the_same_vectors() -> None:
    for encoding, read in (("float", ([0.5, -1.0], [0.25, 8.0])), ("base64", None)):
        items = read or (packed(0.5, -1.0), packed(0.25, 8.0))
        request = replace(REQUEST, encoding="float" if encoding == "float" else "base64")
        reading = OPENAI.decode_response(answer(item(0, items[0]), item(1, items[1])), request)
        assert reading.response.vectors == (array("d", [0.5, -1.0]), array("d", [0.25, 8.0]))
        assert reading.response.usage == Usage(input_tokens=2)
        assert reading.is_as_asked


def test_vectors_out_of_order_are_put_in_order() -> None:
    reading = OPENAI.decode_response(answer(item(1, [2.0]), item(0, [1.0])), REQUEST)
    assert reading.response.vectors == (array("d", [1.0]), array("d", [2.0]))
    assert not reading.is_as_asked


def test_without_indexes_the_order_is_that_of_the_inputs() -> None:
    reading = OPENAI.decode_response(answer({"embedding": [1.0]}, {"embedding": [2.0]}), REQUEST)
    assert reading.response.vectors == (array("d", [1.0]), array("d", [2.0]))
    assert not reading.is_as_asked


@pytest.mark.parametrize("indexes", [(0, 0), (1, 2), (0, None), (0, "1"), (-1, 0)])
def test_indexes_that_make_no_order_are_malformed(indexes: tuple[object, object]) -> None:
    with pytest.raises(Malformed):
        OPENAI.decode_response(answer(item(indexes[0], [1.0]), item(indexes[1], [2.0])), REQUEST)


def test_another_form_than_asked_is_read_and_not_passed_on() -> None:
    body = answer(item(0, [1.0]), item(1, packed(2.0)))
    for encoding in ("float", "base64"):
        request = replace(REQUEST, encoding="float" if encoding == "float" else "base64")
        reading = OPENAI.decode_response(body, request)
        assert reading.response.vectors == (array("d", [1.0]), array("d", [2.0]))
        assert not reading.is_as_asked


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 7, "total_tokens": 9}, 7),
        ({"total_tokens": 9}, 9),
        ({"prompt_tokens": -7, "total_tokens": 9}, 9),
        ({"prompt_tokens": 0}, 0),
        ({"prompt_tokens": "many"}, None),
        ({"prompt_tokens": 10**18}, None),
        ({}, None),
        (None, None),
        (5, None),
        ([], None),
    ],
)
def test_counts_are_believed_when_they_can_be(usage: object, tokens: int | None) -> None:
    reading = OPENAI.decode_response(answer(item(0, [1.0]), item(1, [2.0]), usage=usage), REQUEST)
    assert reading.response.usage == (None if tokens is None else Usage(input_tokens=tokens))
    assert reading.is_as_asked == (tokens is not None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"[]",
        b"{}",
        b"null",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":[1]}',
        b'{"data":[null]}',
        b'{"data":[{}]}',
        b'{"data":[{"index":0,"embedding":[NaN]}]}',
        b'{"data":[{"index":0,"embedding":[1.0]}',
        b"<html>502</html>",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"data":null,"filler":"' + b"x" * 100_000 + b'"}',
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        OPENAI.decode_response(body, replace(REQUEST, texts=("a",)))


def test_an_error_inside_a_200_is_the_providers_failure() -> None:
    for body, failure in (
        ({"error": {"message": "slow down", "code": 429}}, Limited),
        ({"error": {"message": "no", "type": "server_error"}}, Overloaded),
        ([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}], Overloaded),
    ):
        with pytest.raises(failure):
            OPENAI.decode_response(json.dumps(body).encode(), REQUEST)


def test_an_answer_passed_on_has_another_name_and_nothing_else_changed() -> None:
    body = b'{"object":"list","data":[{"index":0,"embedding":[1.50]}],"model":"theirs","extra":1.0}'
    renamed = b'{"object":"list","data":[{"index":0,"embedding":[1.50]}],"model":"ours","extra":1.0}'
    assert OPENAI.rename_response(body, "ours") == renamed


def test_a_caller_gets_what_it_asked_for() -> None:
    response = EmbedResponse(
        vectors=(array("d", [0.5, -1.0]), array("d", [0.1, 2.0])), usage=Usage(input_tokens=7)
    )
    numbers = json.loads(OPENAI.encode_response(response, SCENE))
    assert numbers == {
        "object": "list",
        "data": [item(0, [0.5, -1.0]), item(1, [0.1, 2.0])],
        "model": "as asked",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    text = json.loads(OPENAI.encode_response(response, replace(SCENE, encoding="base64")))
    assert [each["embedding"] for each in text["data"]] == [packed(0.5, -1.0), packed(0.1, 2.0)]


def test_an_uncounted_answer_tells_the_estimate() -> None:
    response = EmbedResponse(vectors=(array("d", [1.0]),))
    assert json.loads(OPENAI.encode_response(response, SCENE))["usage"] == {
        "prompt_tokens": 9,
        "total_tokens": 9,
    }


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_what_is_written_is_read_again(encoding: str) -> None:
    form: Any = encoding
    response = EmbedResponse(
        vectors=(array("d", [0.5, -0.125]), array("d", [3.0, 2.0**-20])), usage=Usage(input_tokens=7)
    )
    body = OPENAI.encode_response(response, replace(SCENE, encoding=form))
    reading = OPENAI.decode_response(body, replace(REQUEST, encoding=form))
    assert (reading.response, reading.is_as_asked) == (response, True)


@pytest.mark.parametrize("given", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_a_request_that_was_settled_is_settled(given: object) -> None:
    request = decoded(input=given, encoding_format="base64", dimensions=3, user="u")
    assert OPENAI.decode_request(OPENAI.encode_request(request).body) == request


def test_odd_bytes_are_cleaned_and_bad_ones_refused() -> None:
    request = OPENAI.decode_request(b'{"model":"m","input":["cut \\ud83d here", "a\x0bb"]}')
    assert request.texts == ("cut \ufffd here", "a\x0bb")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        OPENAI.decode_request(b'{"model":"m","input":"\xff"}')


def test_errors_have_openais_shape() -> None:
    errors: list[tuple[RelayError, int]] = [
        (UnknownModel("zzz"), 404),
        (Unsupported("no", param="input"), 400),
    ]
    for error, status in errors:
        wire = OPENAI.encode_error(error)
        assert (wire.status, wire.content_type) == (status, "application/json")
        assert set(json.loads(wire.body)["error"]) == {"message", "type", "param", "code"}
    assert OPENAI.decode_error(b'{"error":{"message":"no","code":"x"}}').message == "no"
