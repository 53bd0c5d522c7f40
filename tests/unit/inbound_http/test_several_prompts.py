"""A completion of several prompts: a call for each, one answer for all."""

import json
from typing import Any

import pytest

from relay.domain.errors import Interrupted
from tests.support.asgi import Answer, call
from tests.support.fakes_chat import TapeBackend
from tests.unit.inbound_http.listener import HELLO, Listener, listening

pytestmark = pytest.mark.anyio

PATH = "/v1/completions"


async def completed(listener: Listener, prompt: list[str], **more: Any) -> Answer:
    body = json.dumps({"model": "up/basic", "prompt": prompt, **more}).encode()
    return await call(listener.api, "POST", PATH, body=body)


async def test_each_prompt_is_a_call_with_a_row_of_its_own_and_usage_is_the_sum() -> None:
    listener = listening()
    one = (await completed(listener, ["a"])).json()
    listener.books.started.clear()
    three = (await completed(listener, ["a", "b", "c"])).json()
    assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
    assert {choice["text"] for choice in three["choices"]} == {one["choices"][0]["text"]}
    assert three["usage"]["total_tokens"] == 3 * one["usage"]["total_tokens"]
    assert len(listener.books.started) == 3
    assert len({row.request_id for row in listener.books.started}) == 1


async def test_a_prompt_that_fails_fails_a_whole_answer() -> None:
    listener = listening(TapeBackend((*HELLO[:2], Interrupted("the stream broke"))))
    answer = await completed(listener, ["a", "b"])
    assert answer.status == 502
    assert set(answer.json()) == {"error"}
    assert len(listener.books.started) == 1


async def test_a_prompt_that_fails_in_a_stream_is_the_end_of_it() -> None:
    listener = listening(TapeBackend((*HELLO[:2], Interrupted("the stream broke"))))
    answer = await completed(listener, ["a", "b"], stream=True)
    assert answer.status == 200
    assert b"[DONE]" not in answer.body
    assert b'"error"' in answer.body
    assert len(listener.books.started) == 1


async def test_more_prompts_than_anyone_needs_are_refused_before_any_call() -> None:
    listener = listening()
    answer = await completed(listener, ["a"] * 21)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "prompt"
    assert listener.books.started == []


@pytest.mark.parametrize("prompt", [[1, 2], [[1], [2]], ["a", 1], {"a": 1}])
async def test_what_is_no_list_of_texts_is_refused_as_ever(prompt: Any) -> None:
    answer = await completed(listening(), prompt)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "prompt"
