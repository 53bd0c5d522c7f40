"""Calls that are set right on their way, and those whose bytes pass as they always did."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from relay.adapters.dialects.registry import CLIENT_DIALECTS
from relay.application.ports import OriginalRequest, UpstreamCall
from relay.domain.chat import ChatRequest, DialectName, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, InvalidRequest
from relay.domain.events import PartDelta, PartStarted
from relay.domain.folding import fold
from tests.support.fakes_http import Answer, RecordingHttp, ScriptedResponse, whole
from tests.support.upstream_calls import Outcome, backend_for, outcome, upstream_call

pytestmark = pytest.mark.anyio

TOOLS = [{"type": "function", "function": {"name": "files.read", "parameters": {"type": "object"}}}]
FORMAT = {"response_format": {"type": "json_object"}}
TAGGED = {"thinking_tags": True}


def frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk = {"id": "1", "model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def saying(*texts: str) -> ScriptedResponse:
    """A stream that says so, in as many chunks."""
    return ScriptedResponse((*(frame({"content": text}) for text in texts), frame({}, "stop")))


def calling(name: str) -> Answer:
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return whole({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})


def lines(*texts: str) -> ScriptedResponse:
    said = [{"message": {"role": "assistant", "content": text}, "done": False} for text in texts]
    last = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    return ScriptedResponse([json.dumps({"model": "m-1", **line}).encode() + b"\n" for line in (*said, last)])


async def asked(
    kind: str,
    answer: Answer,
    fields: Mapping[str, Any] = {},
    *,
    dialect: DialectName = "openai.chat",
    model: str = "m-1",
    **section: object,
) -> tuple[Outcome, dict[str, Any]]:
    """What came of a streamed call of these members, and what the provider was told."""
    http = RecordingHttp(lambda request: answer)
    call = upstream_call(dialect, model=model, **fields)
    result = await outcome(backend_for(kind, http, **section), call)
    [request] = http.requests
    return result, json.loads(request.body)


async def test_a_call_without_cause_passes_as_bytes() -> None:
    plain = [{"type": "function", "function": {"name": "read"}, "made_up": 1}]
    cases: list[dict[str, Any]] = [{}, FORMAT, {"tools": plain}, {"user": "a.b", "tools": plain}]
    for fields in cases:
        result, body = await asked("openai", saying("a"), fields)
        assert result.passes
        assert body.get("tools") == fields.get("tools")


async def test_a_participants_name_does_not_end_passing() -> None:
    messages = [{"role": "user", "name": "Ada L.", "content": "hi"}]
    tools = [{"type": "function", "function": {"name": "read"}}]
    result, body = await asked("openai", saying("a"), {"messages": messages, "tools": tools})
    assert result.passes
    assert body["messages"] == messages


async def test_an_odd_name_is_set_right_where_bytes_would_pass() -> None:
    http = RecordingHttp(lambda request: calling(json.loads(request.body)["tools"][0]["function"]["name"]))
    call = upstream_call("openai.chat", stream=False, tools=TOOLS, tool_choice="required")
    result = await outcome(backend_for("openai", http), call)
    sent = json.loads(http.requests[0].body)["tools"][0]["function"]["name"]
    assert not result.passes
    assert sent.startswith("files_read_")
    [choice] = fold(result.events).choices
    assert choice.parts == (ToolCall(id="c", name="files.read", arguments="{}"),)


async def test_an_ollama_gets_every_name_as_it_is() -> None:
    result, body = await asked("ollama", lines("a"), {"tools": TOOLS})
    assert result.is_complete
    assert body["tools"][0]["function"]["name"] == "files.read"


async def test_a_client_of_another_dialect_may_name_its_tools_oddly() -> None:
    result, body = await asked("openai", saying("a"), {"tools": TOOLS}, dialect="ollama.chat")
    assert result.is_complete
    assert body["tools"][0]["function"]["name"].startswith("files_read_")


async def test_a_model_that_thinks_in_its_text_is_never_passed() -> None:
    pieces = ("<th", "ink>why</thi", "nk>be", "cause")
    openai = await asked("openai", saying(*pieces), quirks=TAGGED)
    ollama = await asked("ollama", lines(*pieces), dialect="ollama.chat", quirks=TAGGED)
    for result, _ in (openai, ollama):
        assert not result.passes
        [choice] = fold(result.events).choices
        assert choice.parts == (Thinking(text="why"), Text(text="because"))


@pytest.mark.parametrize(("model", "thinks"), [("R1-Distill", True), ("other", False)])
async def test_a_profile_tells_which_models_think_in_their_text(model: str, thinks: bool) -> None:
    answer = saying("<think>why</think>because")
    result, _ = await asked("openai", answer, profiles={"r1*": TAGGED}, model=model)
    assert result.passes != thinks
    [choice] = fold(result.events).choices
    assert (choice.parts[0] == Thinking(text="why")) == thinks


async def test_no_piece_is_empty_but_the_last() -> None:
    result, _ = await asked("deepseek", saying("```", "json", "\n", "{", "}", "\n```"), FORMAT)
    assert all(piece.events for piece in result.pieces)
    deltas = [event.text for event in result.events if isinstance(event, PartDelta)]
    assert deltas == ["{", "}"]


async def test_what_was_asked_of_other_providers_is_not_looked_at() -> None:
    result, _ = await asked("deepseek", saying("```json\n{}\n```"))
    assert result.text == "```json\n{}\n```"


async def test_an_answer_that_breaks_off_keeps_what_was_shown() -> None:
    broken = ScriptedResponse((frame({"content": '```json\n{"a"'}), frame({"content": ": 1\n"})))
    result, _ = await asked("deepseek", broken, FORMAT)
    assert isinstance(result.failure, Interrupted)
    assert result.text == '{"a": 1'
    assert any(isinstance(event, PartStarted) for event in result.events)


async def test_a_body_that_is_no_request_is_the_clients_fault() -> None:
    http = RecordingHttp(lambda request: saying("a"))
    call = upstream_call("openai.chat", tools=TOOLS, messages=[{"role": "nobody"}])
    assert isinstance((await outcome(backend_for("openai", http), call)).failure, InvalidRequest)
    assert http.requests == []


CITED = {
    "content": "a",
    "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org/"}}],
}


@pytest.mark.parametrize("dialect", ["ollama.chat", "ollama.generate", "openai.completions"])
async def test_citations_that_a_client_cannot_be_told_of_are_a_loss(dialect: DialectName) -> None:
    for stream, answer in (
        (True, ScriptedResponse((frame(CITED), frame({}, "stop")))),
        (False, whole({"choices": [{"index": 0, "message": CITED, "finish_reason": "stop"}]})),
    ):
        assert await losses_told(dialect, answer, stream=stream) == ("annotations",)


@pytest.mark.parametrize("dialect", ["openai.chat", "ollama.chat"])
async def test_citations_are_no_loss_where_there_are_none_or_the_client_is_told(dialect: DialectName) -> None:
    delta = CITED if dialect == "openai.chat" else {"content": "a"}
    answer = ScriptedResponse((frame(delta), frame({}, "stop")))
    assert await losses_told(dialect, answer, stream=True) == ()


async def losses_told(dialect: DialectName, answer: Answer, *, stream: bool) -> tuple[str, ...]:
    """What an exchange has told of losses once its answer was read."""
    said = {"messages": [HI]} if dialect.endswith(".chat") else {"prompt": "hi"}
    body = json.dumps({"model": "m", "stream": stream, **said}).encode()

    @cache
    def decode() -> ChatRequest:
        return CLIENT_DIALECTS[dialect].decode_request(body)

    call = UpstreamCall(
        original=OriginalRequest(dialect=dialect, body=body, decode=decode),
        model="m-1",
        echo="asked",
        stream=stream,
        include_usage=True,
        request_id="request-1",
    )
    exchange = await backend_for("deepseek", RecordingHttp(lambda request: answer)).open(call)
    try:
        while not (await exchange.read()).last:
            pass
    finally:
        await exchange.aclose()
    return exchange.losses


HI = {"role": "user", "content": "hi"}
