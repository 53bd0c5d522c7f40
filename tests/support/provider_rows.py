"""A provider of OpenAI's chat held to its fixture: what its row sends, and what it makes of the provider's answers.

A fixture is `<kind>.toml`. `url` is where a chat goes. `differs` and `absent` say how `ASKED` looks by then, and
`losses` what of it is lost. Each of `answers` is a body as the provider writes it, synthetic, made by hand from its
reference, and what it comes to. `section` is what a user has to write.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from relay.adapters.outbound.http.interface import HttpRequest
from relay.application.ports import OnDisconnect
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.fakes_http import RecordingHttp, ScriptedResponse, whole
from tests.support.strategies.cuts import chunked
from tests.support.upstream_calls import backend_for, outcome, upstream_call

FIXTURES = Path(__file__).parent.parent / "contract" / "fixtures" / "providers"
MODEL = "m-1"
MESSAGES = [{"role": "user", "content": "hi"}]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

ASKED: dict[str, Any] = {
    "max_tokens": 64,
    "seed": 7,
    "temperature": 0.5,
    "frequency_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "user": "u-1",
    "reasoning_effort": "minimal",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": "required",
}
"""What a client of OpenAI's dialect asks for, so that every row shows where it differs."""

ANSWER = {
    "id": "1",
    "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
}


class ExpectedAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body and what it comes to: `text` and all else as far as there is any; before a `failure`, what came."""

    of: str
    body: str
    model: str = MODEL
    text: str = ""
    thinking: str = ""
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    finish: str = "stop"
    usage: Mapping[str, int] = {}
    failure: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fixture."""

    url: str
    section: Mapping[str, Any] = {}
    on_disconnect: OnDisconnect = "cancel"
    absent: Sequence[str] = ()
    differs: Mapping[str, Any] = {}
    losses: Sequence[str] = ()
    answers: Sequence[ExpectedAnswer] = ()


def row_in(text: str) -> Row:
    """The fixture in a TOML text."""
    return msgspec.convert(tomllib.loads(text), Row)


def rows() -> dict[str, Row]:
    """The fixtures there are, by kind."""
    return {path.stem: row_in(path.read_text("utf-8")) for path in sorted(FIXTURES.glob("*.toml"))}


async def check_request(kind: str, row: Row, *, stream: bool) -> None:
    """Fails unless what leaves for the provider is exactly what the fixture says."""
    http = RecordingHttp(lambda request: whole(ANSWER))
    backend = backend_for(kind, http, **row.section)
    result = await outcome(backend, upstream_call("openai.chat", stream=stream, **ASKED))
    assert result.is_complete
    assert sorted(result.losses) == sorted(row.losses)
    [request] = http.requests
    assert (request.method, request.url) == ("POST", row.url)
    assert request.headers["authorization"] == "Bearer k-1"
    sent = json.loads(request.body)
    assert bool(sent.pop("stream", False)) == stream
    assert sent == _expected(row, stream=stream)
    assert backend.on_disconnect == row.on_disconnect


async def check_answer(kind: str, row: Row, answer: ExpectedAnswer) -> None:
    """Fails unless the answer comes to what the fixture says, in one piece and in many, for any client."""
    for lengths in ((len(answer.body.encode()),), (7, 41, 3)):
        steps = list(chunked(answer.body.encode(), lengths))
        http = RecordingHttp(partial(_answering, steps))
        backend = backend_for(kind, http, **row.section)
        is_stream = not answer.body.lstrip().startswith("{")
        call = upstream_call("ollama.chat", model=answer.model, stream=is_stream)
        result = await outcome(backend, call)
        if answer.failure:
            assert result.failure is not None
            assert (result.failure.code, result.text) == (answer.failure, answer.text)
        else:
            assert result.is_complete
            _check(fold(result.events), answer)


def _answering(steps: Sequence[bytes], request: HttpRequest) -> ScriptedResponse:
    return ScriptedResponse(steps)


def _expected(row: Row, *, stream: bool) -> dict[str, Any]:
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    body = {"model": MODEL, "messages": MESSAGES, "max_completion_tokens": 64, **asked}
    body |= STREAMED if stream else {}
    body |= row.differs
    return {name: value for name, value in body.items() if name not in (*row.absent, "stream")}


def _check(response: ChatResponse, answer: ExpectedAnswer) -> None:
    [choice] = response.choices
    assert "".join(part.text for part in choice.parts if isinstance(part, Text)) == answer.text
    assert "".join(part.text for part in choice.parts if isinstance(part, Thinking)) == answer.thinking
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        tuple(call) for call in answer.calls
    ]
    assert choice.finish == answer.finish
    counts = response.usage.counts() if response.usage else {}
    assert {name: counts.get(name) for name in answer.usage} == answer.usage
