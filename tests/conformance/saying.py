"""How the conformance tests of Anthropic's routes ask, and what each answer of theirs has to look like."""

import json
from typing import Any

import pytest

from tests.conformance.asking import HELLO
from tests.conformance.wire import Answer, Api
from tests.support.upstream import ScriptedUpstream

every_provider = pytest.mark.parametrize("provider", ["ant", "up", "oll"])
"""One whose bytes pass, and two of other dialects."""


def say(api: Api, model: str, **options: Any) -> Answer:
    """A message, of one greeting unless `messages` are given."""
    return api.post("/v1/messages", {"model": model, "max_tokens": 1024, "messages": HELLO, **options})


def content_of(answer: Answer) -> list[Any]:
    """The blocks of a good whole message."""
    assert answer.status == 200
    content: list[Any] = answer.json["content"]
    return content


def events_of(answer: Answer) -> list[Any]:
    """The events of a good stream, each with its type in the `event:` line as well."""
    assert answer.status == 200
    *frames, rest = answer.body.decode().split("\n\n")
    assert rest == ""
    told = [frame.split("\n") for frame in frames if not frame.startswith(":")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in told]
    assert [name for name, _ in told] == [f"event: {event['type']}" for event in events]
    return events


def error_of(answer: Answer) -> Any:
    """What an error in Anthropic's envelope says."""
    assert answer.json["type"] == "error"
    assert set(answer.json["error"]) == {"type", "message"}
    return answer.json["error"]


def sent(upstream: ScriptedUpstream) -> Any:
    """The body that reached the provider last."""
    return upstream.ledger.chats[-1].body
