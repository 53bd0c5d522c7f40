"""How the conformance tests of the OpenAI routes ask, and what each answer of theirs has to look like."""

from typing import Any

import pytest

from tests.conformance.wire import Answer, Api

HELLO = [{"role": "user", "content": "hi"}]
TEXT = "000 001 002 003 "

every_provider = pytest.mark.parametrize("provider", ["up", "direct", "oll"])
"""One whose answers are decoded and encoded anew, one whose bytes may pass, and one of another dialect."""

translated = pytest.mark.parametrize("provider", ["up", "oll"])
"""The providers that may take liberties: one that does is not passed through."""

streamed_or_whole = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def chat(api: Api, model: str, **options: Any) -> Answer:
    """A chat, of one greeting unless `messages` are given."""
    return api.post("/v1/chat/completions", {"model": model, "messages": HELLO, **options})


def message_of(answer: Answer) -> Any:
    """The message of a good whole answer."""
    assert answer.status == 200
    (choice,) = answer.json["choices"]
    return choice["message"]


def deltas_of(answer: Answer) -> list[Any]:
    """The deltas of a good stream of one choice."""
    assert answer.status == 200
    return [choice["delta"] for chunk in answer.chunks for choice in chunk["choices"]]


def error_of(answer: Answer) -> Any:
    """What an error says, which has all four keys and nothing beside it."""
    assert answer.headers["content-type"].startswith("application/json")
    assert list(answer.json) == ["error"]
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    return error
