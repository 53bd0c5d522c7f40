"""Anthropic's Messages in the laws."""

import json
from dataclasses import replace
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from relay.domain.chat import ChatRequest, Thinking
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import (
    Read,
    Spoken,
    calls_of,
    commented,
    crlf,
    json_or_text,
    read_of,
    unterminated,
)

_events: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def read_stream(data: bytes) -> Read:
    """As `client.messages.stream()` of anthropic-python accumulates it."""
    *frames, rest = data.decode().split("\n\n")
    assert rest == ""
    message: Any = None  # what accumulates has a type parameter that is of no matter here
    buffers: dict[int, bytes] = {}
    events: list[dict[str, Any]] = []
    for frame in frames:
        named, told = frame.splitlines()  # no reader of lines may find a third
        payload = json.loads(told.removeprefix("data: "))
        assert named == f"event: {payload['type']}"
        if payload["type"] == "ping":
            continue  # as its reader of streams does
        events.append(payload)
        event = _events.validate_python(payload)
        message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
    _check_order(events)
    return _read(message)


def _check_order(events: list[dict[str, Any]]) -> None:
    """One block after the other, with indexes without gaps, and the stop word before the end."""
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    open_block, count = False, 0
    for event in events[1:-2]:
        assert event["index"] == count
        match event["type"]:
            case "content_block_start":
                assert not open_block
                open_block = True
            case "content_block_delta":
                assert open_block
            case kind:
                assert kind == "content_block_stop"
                open_block, count = False, count + 1
    assert not open_block


def read_whole(data: bytes) -> Read:
    """As anthropic-python parses a body."""
    return _read(Message.model_validate_json(data))


def _read(message: Any) -> Read:  # the accumulated and the parsed type share no base
    assert (message.model, message.role, message.type) == ("asked-for", "assistant", "message")
    assert message.id.startswith("msg_")
    usage = message.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    text, cites = "", list[tuple[object, ...]]()
    for block in message.content:
        if block.type == "text":
            text += block.text
            for cited in block.citations or ():
                assert cited.type == "web_search_result_location"
                cites.append((cited.url, cited.title or "", 0, len(block.text)))
    return {
        "thinking": "".join(block.thinking for block in message.content if block.type == "thinking"),
        "text": text,
        "refusal": "",
        "calls": [
            (block.id, block.name, block.input) for block in message.content if block.type == "tool_use"
        ],
        "cites": cites,
        "finish": message.stop_reason,
        "counts": (usage.input_tokens + cached, usage.output_tokens),
    }


def should_read(response: ChatResponse) -> Read:
    """Calls have ids here, and arguments are objects."""
    calls = [(call.id, call.name, json_or_text(call.arguments)) for call in calls_of(response)]
    return read_of(response, calls=[*calls], finish=response.choices[0].raw_finish)


def check_error(body: bytes, error: RelayError) -> None:
    """The members that Anthropic's clients read, and a type that fits the status."""
    said = json.loads(body)
    assert list(said) == ["type", "error"]
    assert said["type"] == "error"
    assert list(said["error"]) == ["type", "message"]
    assert said["error"]["type"].endswith("_error") or said["error"]["type"] == "request_too_large"
    if error.status in (400, 401, 403, 404):
        assert said["error"]["type"] not in ("api_error", "overloaded_error")


def meant(request: ChatRequest) -> ChatRequest:
    """Without thoughts that have no seal, which retargeting takes out, and without a limit, which it puts in."""
    messages = (
        replace(
            message,
            parts=tuple(
                part
                for part in message.parts
                if not isinstance(part, Thinking) or part.signature or part.sealed
            ),
        )
        for message in request.messages
    )
    sampling = replace(request.sampling, max_output_tokens=None)
    return replace(request, messages=tuple(each for each in messages if each.parts), sampling=sampling)


def pinged(data: bytes) -> bytes:
    """Signs of life between all events, and an event of a type that nobody knows."""
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    return ping + data.replace(b"\n\n", b'\n\nevent: ping\ndata: {"type": "ping"}\n\n')


def padded(data: bytes) -> bytes:
    """Spaces behind the JSON, as Anthropic pads its events."""
    return data.replace(b"}\n\n", b"}       \n\n")


POVERTY: dict[str, set[str]] = {
    "Only the first choice": {"choice left out"},
    "The id begins with": {"id", "created"},
    "Empty texts and thinking": {"empty part left out", "nothing cited", "citations lost"},
    "A refusal becomes text": {"refusal as text", "order"},
    "Of what a text cites": {"cited once", "citation moved"},
    "Seals of other dialects": {"signature left out", "opaque left out"},
    "Tool-call arguments": {"arguments respelled", "arguments wrapped", "empty arguments filled"},
    "A tool call without an id": {"call id"},
    "`stop` and `tool_calls` follow": {"finish derived"},
    "The provider's own finish word": {"finish word"},
    "Log probabilities are left out": {"logprobs lost", "logprob clipped"},
    "Usage keeps input, output": {
        "usage class left out",
        "usage filled with 0",
        "usage 0 left out",
        "usage clamped",
    },
}

SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_error,
    styles=(pinged, padded, commented, unterminated, crlf),
    meant=meant,
)
