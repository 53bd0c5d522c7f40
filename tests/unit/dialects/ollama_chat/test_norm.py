from hypothesis import given

from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import DIALECT, POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.domain.chat import ChatRequest
from relay.domain.errors import Unsupported
from relay.domain.events import ChatResponse, Choice
from tests.support.strategies.answers import responses
from tests.support.strategies.requests import requests


def test_every_poverty_is_one_sentence_said_once() -> None:
    for sentences in (POVERTY, REQUEST_POVERTY):
        assert len(set(sentences)) == len(sentences)
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


@given(responses(max_choices=2))
def test_what_is_left_of_an_answer_is_left_for_good(response: ChatResponse) -> None:
    assert norm(norm(response)) == norm(response)


@given(requests())
def test_what_is_left_of_a_request_loses_nothing_more(request: ChatRequest) -> None:
    left = norm_request(request)
    assert norm_request(left) == left
    try:
        assert DIALECT.encode_request(left).losses == ()
    except Unsupported:
        assert any("url='https" in repr(message) for message in left.messages)


def test_an_answer_without_a_first_choice_is_an_empty_one() -> None:
    scene = Scene(id="", model="", created=0, started_ns=0, clock_ns=lambda: 1)
    nothing = ChatResponse(choices=(Choice(parts=(), finish="length", index=1),))
    assert norm(nothing) == DIALECT.decode_response(DIALECT.encode_response(nothing, scene))
