"""The scripted providers of the demo."""

from collections.abc import Sequence

import pytest

from relay.adapters.outbound.demo.scripted import ScriptedProvider, scripted_models
from relay.application.ports import OriginalRequest, Piece, UpstreamCall
from relay.domain.chat import ChatRequest, Message, Reasoning, Text, Thinking, ToolCall, ToolResult, ToolSpec
from relay.domain.errors import Overloaded, Rejected
from relay.domain.events import ChatResponse
from relay.domain.folding import fold

pytestmark = pytest.mark.anyio

HELLO = Message(role="user", parts=(Text(text="hello there"),))


async def answer(model: str, request: ChatRequest, *, stream: bool) -> tuple[ChatResponse, list[Piece]]:
    call = UpstreamCall(
        original=OriginalRequest(dialect="ollama.chat", body=b"", decode=lambda: request),
        model=model,
        echo=model,
        stream=stream,
        include_usage=True,
        request_id="r",
    )
    exchange = await ScriptedProvider(word_s=0.0).open(call)
    pieces: list[Piece] = []
    while not (pieces and pieces[-1].last):
        pieces.append(await exchange.read())
    await exchange.aclose()
    return fold(event for piece in pieces for event in piece.events), pieces


def request(*messages: Message, tools: Sequence[ToolSpec] = (), think: bool = True) -> ChatRequest:
    reasoning = None if think else Reasoning(effort="none")
    return ChatRequest(model="m", messages=messages or (HELLO,), tools=tuple(tools), reasoning=reasoning)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_echo_repeats_the_last_user_word_by_word(stream: bool) -> None:
    response, pieces = await answer("echo", request(), stream=stream)
    assert response.choices[0].parts == (Text(text="You said: hello there"),)
    assert (len(pieces) > 4) is stream
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (2, 4)


async def test_the_thinker_thinks_unless_told_not_to() -> None:
    thoughtful, _ = await answer("thinker", request(), stream=True)
    assert [type(part) for part in thoughtful.choices[0].parts] == [Thinking, Text]
    quiet, _ = await answer("thinker", request(think=False), stream=True)
    assert quiet.choices[0].parts == (Text(text="Your message has 2 words."),)


async def test_the_toolsmith_calls_every_tool_once() -> None:
    tools = (ToolSpec(name="clock"), ToolSpec(name="weather"))
    called, _ = await answer("toolsmith", request(tools=tools), stream=True)
    calls = [part for part in called.choices[0].parts if isinstance(part, ToolCall)]
    assert [call.name for call in calls] == ["clock", "weather"]
    assert called.choices[0].finish == "tool_calls"
    result = Message(role="tool", parts=(ToolResult(call_id=calls[0].id, name="clock", parts=()),))
    done, _ = await answer("toolsmith", request(HELLO, result, tools=tools), stream=False)
    assert done.choices[0].parts == (Text(text="The tools have been asked."),)


async def test_the_busy_model_is_always_busy_and_others_do_not_exist() -> None:
    with pytest.raises(Overloaded):
        await answer("busy", request(), stream=False)
    with pytest.raises(Rejected):
        await answer("nobody", request(), stream=False)


def test_every_listed_model_is_in_the_script() -> None:
    assert {model.id for model in scripted_models()} == {"echo", "thinker", "toolsmith", "busy"}
