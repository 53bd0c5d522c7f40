"""`options` and `keep_alive`, as forgiving and as strict as the real server."""

import json

import pytest

from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.chat import ChatRequest, Sampling
from relay.domain.errors import InvalidRequest


def with_options(**options: object) -> ChatRequest:
    return DIALECT.decode_request(json.dumps({"model": "m", "options": options}).encode())


def own(request: ChatRequest) -> object:
    return json.loads(request.extras.get("ollama.chat", {}).get("options", "{}"))


def test_options_with_a_neutral_name_become_settings() -> None:
    request = with_options(
        temperature=0,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        repeat_penalty=1.1,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        stop=["a", "b"],
        seed=-1,
        num_predict=10,
    )
    assert request.sampling == Sampling(
        temperature=0.0,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        repeat_penalty=1.1,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        stop=("a", "b"),
        seed=-1,
        max_output_tokens=10,
    )
    assert request.extras == {}


def test_the_other_options_stay_ollamas_own_and_nulls_are_ignored() -> None:
    given = {"num_ctx": 8192.0, "mirostat": 0, "numa": False, "format": "json", "zzz": 1}
    request = with_options(**given, top_k=None, low_vram=None)
    assert own(request) == given
    assert request.sampling == Sampling()


@pytest.mark.parametrize("limit", [0, -1, -2])
def test_a_limit_that_is_not_positive_is_none_but_reaches_ollama(limit: int) -> None:
    request = with_options(num_predict=limit)
    assert request.sampling.max_output_tokens is None
    assert own(request) == {"num_predict": limit}


def test_integers_may_come_with_a_fraction() -> None:
    assert with_options(num_predict=10.0, top_k=40.7).sampling == Sampling(max_output_tokens=10, top_k=40)


def test_a_single_stop_word_needs_no_list() -> None:
    assert with_options(stop="END").sampling.stop == ("END",)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("temperature", "hot", "float32"),
        ("temperature", True, "float32"),
        ("top_k", "40", "integer"),
        ("num_ctx", [], "integer"),
        ("seed", False, "integer"),
        ("use_mmap", 1, "boolean"),
        ("stop", 5, "array"),
        ("min_p", 10**400, "float32"),
    ],
)
def test_a_known_option_of_the_wrong_type_is_refused(name: str, value: object, kind: str) -> None:
    with pytest.raises(InvalidRequest, match=f'option "{name}" must be of type {kind}'):
        with_options(**{name: value})


def test_stop_words_are_strings() -> None:
    with pytest.raises(InvalidRequest, match='option "stop" must be of an array of strings'):
        with_options(stop=["a", 1])


def test_a_number_no_float_holds_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="out of range"):
        DIALECT.decode_request(b'{"model":"m","options":{"temperature":1e999}}')


def kept_alive(keep_alive: object) -> str | None:
    body = json.dumps({"model": "m", "keep_alive": keep_alive}).encode()
    return DIALECT.decode_request(body).extras.get("ollama.chat", {}).get("keep_alive")


@pytest.mark.parametrize(
    "keep_alive", [5, 5.5, -1, -1.0, 0, "5m", "1h30m", "1.5h", "300ms", "-1s", "+.5s", "0s", "0", "2µs"]
)
def test_keep_alive_is_seconds_or_a_duration_and_is_kept_as_it_came(keep_alive: object) -> None:
    assert json.loads(kept_alive(keep_alive) or "") == keep_alive


@pytest.mark.parametrize(
    ("keep_alive", "words"),
    [
        ("10", 'missing unit in duration "10"'),
        ("-1", 'missing unit in duration "-1"'),
        ("1d", 'unknown unit "d" in duration "1d"'),
        ("", 'invalid duration ""'),
        ("-", 'invalid duration "-"'),
        ("m", 'invalid duration "m"'),
        ("5m x", 'unknown unit "m x"'),
        (True, "must be a number of seconds or a duration"),
        ({}, "must be a number of seconds or a duration"),
    ],
)
def test_any_other_keep_alive_is_refused(keep_alive: object, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        kept_alive(keep_alive)
    assert words in refused.value.message
