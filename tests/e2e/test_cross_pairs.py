"""Every client dialect on every provider dialect, with the official clients, streamed and whole."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from tests.support.books import Row, row_of
from tests.support.declarations import CLOCK, SCHEMA, WEATHER
from tests.support.official_clients import ollama_client, openai_client
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import ScriptedUpstream, everything_ended

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Answer:
    """What a client ended up with, in terms both clients share."""

    text: str
    thinking: str
    calls: tuple[tuple[str, dict[str, Any]], ...]
    finish: str
    tokens: tuple[int, int]
    request_id: str


def ask_ollama(
    relay: ServerProcess,
    model: str,
    *,
    stream: bool,
    tools: Sequence[Any] = (),
    images: Sequence[bytes] = (),
    schema: dict[str, Any] | None = None,
    think: bool | None = None,
) -> Answer:
    ids: list[str] = []
    message = {"role": "user", "content": "What is it?", "images": list(images) or None}
    options: dict[str, Any] = {"tools": tools or None, "format": schema, "think": think, "stream": stream}
    with ollama_client(relay.url, ids) as client:
        answer: Any = client.chat(model, messages=[message], **options)
        parts = list(answer) if stream else [answer]
    calls = [call.function for part in parts for call in part.message.tool_calls or ()]
    last = parts[-1]
    assert all(part.model == model for part in parts)
    assert last.done
    return Answer(
        text="".join(part.message.content or "" for part in parts),
        thinking="".join(part.message.thinking or "" for part in parts),
        calls=tuple((call.name, dict(call.arguments)) for call in calls),
        finish=last.done_reason or "",
        tokens=(last.prompt_eval_count or 0, last.eval_count or 0),
        request_id=ids[0],
    )


def ask_openai(
    relay: ServerProcess,
    model: str,
    *,
    stream: bool,
    tools: Sequence[Any] = (),
    images: Sequence[bytes] = (),
    schema: dict[str, Any] | None = None,
    think: bool | None = None,
) -> Answer:
    url = [f"data:image/png;base64,{base64.b64encode(image).decode()}" for image in images]
    content: Any = [
        {"type": "text", "text": "What is it?"},
        *({"type": "image_url", "image_url": {"url": one}} for one in url),
    ]
    options: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    if tools:
        options["tools"] = list(tools)
    if schema is not None:
        options["response_format"] = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    if think is not None:
        options["reasoning_effort"] = "medium" if think else "none"
    ids: list[str] = []
    with openai_client(relay.url, ids) as client:
        if not stream:
            return _answered(client.chat.completions.create(**options), model, ids)
        with client.chat.completions.stream(**options, stream_options={"include_usage": True}) as events:
            return _answered(_final(events), model, ids)


def _final(events: Any) -> Any:
    """The helper's completion; it raises for one that was cut, with the completion inside."""
    try:
        return events.get_final_completion()
    except openai.LengthFinishReasonError as error:
        return error.completion


def _answered(completion: Any, model: str, ids: Sequence[str]) -> Answer:
    choice = completion.choices[0]
    assert completion.model == model
    return Answer(
        text=choice.message.content or "",
        thinking=getattr(choice.message, "reasoning_content", None) or "",
        calls=tuple(
            (call.function.name, json.loads(call.function.arguments))
            for call in choice.message.tool_calls or ()
        ),
        finish=choice.finish_reason,
        tokens=(completion.usage.prompt_tokens, completion.usage.completion_tokens),
        request_id=ids[0],
    )


CLIENTS = {"ollama": ask_ollama, "openai": ask_openai}

client_of = pytest.mark.parametrize("client", list(CLIENTS))
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])
streamed = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def booked(relay: ServerProcess, upstream: ScriptedUpstream, answer: Answer) -> Row:
    """The ledger's row: its tokens are the client's, and the provider's own count."""
    row = row_of(relay.folder, answer.request_id)
    counted = (row["usage"]["input_tokens"], row["usage"]["output_tokens"])
    assert row["outcome"] == "ok"
    assert row["usage_source"] == "reported"
    assert counted == answer.tokens
    upstream.ledger.wait(everything_ended)
    call = upstream.ledger.chats[-1]
    assert counted == (call.tokens_in, call.tokens_out)
    return row


@client_of
@provider_of
@streamed
def test_text_and_usage_arrive_as_the_provider_sent_them(
    relay: ServerProcess, upstream: ScriptedUpstream, client: str, provider: str, stream: bool
) -> None:
    answer = CLIENTS[client](relay, f"{provider}/basic?chunks=7", stream=stream)
    assert answer.text == "000 001 002 003 004 005 006 "
    assert answer.finish == "stop"
    row = booked(relay, upstream, answer)
    assert row["provider"] == provider
    assert row["stream"] is stream
    assert row["resolved_by"] == "prefix"


@client_of
@provider_of
@streamed
def test_parallel_tool_calls_arrive_whole(
    relay: ServerProcess, upstream: ScriptedUpstream, client: str, provider: str, stream: bool
) -> None:
    answer = CLIENTS[client](relay, f"{provider}/tools?calls=2", stream=stream, tools=[WEATHER, CLOCK])
    assert answer.calls == (("weather", {"city": "abc", "days": 1}), ("clock", {}))
    assert answer.finish == ("stop" if client == "ollama" else "tool_calls")
    booked(relay, upstream, answer)


@client_of
@provider_of
@streamed
def test_an_image_reaches_the_provider_byte_by_byte(
    relay: ServerProcess, upstream: ScriptedUpstream, client: str, provider: str, stream: bool
) -> None:
    picture = png()
    answer = CLIENTS[client](relay, f"{provider}/image", stream=stream, images=[picture])
    digest = hashlib.sha256(picture).hexdigest()
    assert answer.text == f"image/png {len(picture)} bytes sha256={digest}"
    booked(relay, upstream, answer)


@client_of
@provider_of
@streamed
def test_thinking_is_kept_apart_from_the_answer(
    relay: ServerProcess, upstream: ScriptedUpstream, client: str, provider: str, stream: bool
) -> None:
    answer = CLIENTS[client](relay, f"{provider}/think", stream=stream, think=True)
    assert answer.thinking == "h00 h01 h02 "
    assert answer.text == "000 001 002 003 "
    booked(relay, upstream, answer)


@client_of
@provider_of
def test_thinking_switched_off_is_off(relay: ServerProcess, client: str, provider: str) -> None:
    answer = CLIENTS[client](relay, f"{provider}/think", stream=False, think=False)
    assert answer.thinking == ""
    assert answer.text == "000 001 002 003 "


@client_of
@provider_of
@streamed
def test_a_schema_reaches_the_provider(
    relay: ServerProcess, client: str, provider: str, stream: bool
) -> None:
    answer = CLIENTS[client](relay, f"{provider}/schema", stream=stream, schema=SCHEMA)
    assert json.loads(answer.text) == {"city": "abc"}


@client_of
@provider_of
@streamed
def test_a_cut_at_the_token_limit_is_told(
    relay: ServerProcess, client: str, provider: str, stream: bool
) -> None:
    assert CLIENTS[client](relay, f"{provider}/length", stream=stream).finish == "length"


@client_of
@provider_of
@streamed
def test_text_that_breaks_line_readers_survives(
    relay: ServerProcess, client: str, provider: str, stream: bool
) -> None:
    answer = CLIENTS[client](relay, f"{provider}/unicode", stream=stream)
    assert answer.text.startswith("line\u2028sep para\u2029sep next\u0085line cr\rlf\r\n emoji \U0001f600 ")
    assert answer.text.endswith("umlaut äöü 漢字")


@provider_of
def test_a_tool_loop_of_an_ollama_client_binds_results_without_ids(
    relay: ServerProcess, upstream: ScriptedUpstream, provider: str
) -> None:
    model = f"{provider}/tools?calls=2"
    messages: list[Any] = [{"role": "user", "content": "Weather and time?"}]
    with ollama_client(relay.url) as client:
        first = client.chat(model, messages=messages, tools=[WEATHER, CLOCK])
        messages.append(first.message)
        messages += [
            {"role": "tool", "content": "sunny", "tool_name": "weather"},
            {"role": "tool", "content": "noon", "tool_name": "clock"},
        ]
        second = client.chat(model, messages=messages, tools=[WEATHER, CLOCK])
    assert second.message.content == "000 001 002 003 "
    sent = upstream.ledger.chats[-1].body["messages"]
    results = [message for message in sent if message["role"] == "tool"]
    assert [message["content"] for message in results] == ["sunny", "noon"]
    calls = next(message["tool_calls"] for message in sent if message.get("tool_calls"))
    if provider == "up":
        assert [message["tool_call_id"] for message in results] == [call["id"] for call in calls]
        assert len({call["id"] for call in calls}) == 2
    else:
        assert [message["tool_name"] for message in results] == ["weather", "clock"]
