"""Cohere's chat in the laws.

Its own client is not among the relay's requirements: answers are read as its reference says, and no further.
"""

import json
from typing import Any

from relay.domain.chat import Text
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import (
    Read,
    Spoken,
    calls_of,
    commented,
    crlf,
    read_of,
    unterminated,
)

POVERTY: dict[str, set[str]] = {
    "Only the first choice": {"choice left out"},
    "The answer has neither a model nor a creation time": {"model lost", "created"},
    "Empty texts and thoughts are left out": {"empty part left out", "nothing cited", "citations lost"},
    "A text cites each source at each place once": {"cited once"},
    "Before tool calls, thoughts come first": {"order", "parts joined"},
    "A refusal becomes text": {"refusal as text"},
    "Seals are left out": {"signature left out", "opaque left out"},
    "A tool call without an id": {"call id"},
    "The finish is COMPLETE, MAX_TOKENS": {"finish derived"},
    "The provider's own finish word": {"finish word"},
    "Log probabilities have neither bytes": {"logprobs lost", "logprob clipped"},
    "Usage keeps input, cache reads": {"usage class left out", "usage clamped"},
}


def read_whole(data: bytes) -> Read:
    """As the reference says."""
    answer = json.loads(data)
    message = answer["message"]
    assert message["role"] == "assistant"
    contents = message.get("content", [])
    texts = [part["text"] for part in contents if part["type"] == "text"]
    return {
        "thinking": "".join(part["thinking"] for part in contents if part["type"] == "thinking"),
        "text": "".join(texts) + message.get("tool_plan", ""),
        "refusal": "",
        "calls": [
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        ],
        "cites": [_cite(cited) for cited in message.get("citations", ())],
        "finish": answer["finish_reason"],
        "counts": _counts(answer.get("usage", {})),
    }


def read_stream(data: bytes) -> Read:
    """The events put together to the whole they stand for."""
    *frames, rest = data.decode().split("\n\n")
    assert rest == "", "every event ends"
    message: dict[str, Any] = {"role": "assistant", "content": [], "tool_calls": [], "citations": []}
    answer: dict[str, Any] = {"message": message}
    kinds = []
    for frame in frames:
        assert len(frame.splitlines()) == 2, "no reader of lines may find more"
        name, body = frame.split("\n")
        event = json.loads(body.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        kinds.append(event["type"])
        _take(event, message, answer)
    assert kinds[0] == "message-start"
    assert kinds[-1] == "message-end"
    return read_whole(json.dumps(answer).encode())


def _take(event: Any, message: dict[str, Any], answer: dict[str, Any]) -> None:
    delta = event.get("delta", {})
    said = delta.get("message", {})
    match event["type"]:
        case "content-start":
            assert event["index"] == len(message["content"])
            message["content"].append(said["content"])
        case "content-delta":
            for name, piece in said["content"].items():
                if piece:
                    message["content"][event["index"]][name] += piece
        case "tool-plan-delta":
            message["tool_plan"] = message.get("tool_plan", "") + said["tool_plan"]
        case "tool-call-start":
            assert event["index"] == len(message["tool_calls"])
            message["tool_calls"].append(said["tool_calls"])
        case "tool-call-delta":
            function = message["tool_calls"][event["index"]]["function"]
            function["arguments"] += said["tool_calls"]["function"]["arguments"]
        case "citation-start":
            message["citations"].append(said["citations"])
        case "message-end":
            answer |= delta
        case _:
            pass


def _cite(cited: Any) -> tuple[object, ...]:
    [source] = cited["sources"]
    return source["document"]["url"], source["document"].get("title", ""), cited["start"], cited["end"]


def _counts(usage: Any) -> tuple[int, int]:
    tokens = usage.get("tokens", {})
    return tokens.get("input_tokens", 0) + tokens.get("image_tokens", 0), tokens.get("output_tokens", 0)


def should_read(response: ChatResponse) -> Read:
    """Arguments are texts, and stay as they were spelled."""
    calls = [(call.id, call.name, call.arguments) for call in calls_of(response)]
    read = read_of(response, calls=[*calls], finish=response.choices[0].raw_finish)
    texts = [part for part in response.choices[0].parts if isinstance(part, Text)]
    assert not calls or len(texts) <= 1
    return read


def check_error(body: bytes, error: RelayError) -> None:
    """A flat object."""
    assert list(json.loads(body)) == ["message"]
    assert error.message in json.loads(body)["message"]


def done(data: bytes) -> bytes:
    """The marker that Cohere itself sends at the end."""
    return data + b"data: [DONE]\n\n"


def nameless(data: bytes) -> bytes:
    """No names of events: what an event is, its body says too."""
    frames = [frame.partition(b"data: ")[2] for frame in data.split(b"\n\n") if frame]
    return b"".join(b"data: " + frame + b"\n\n" for frame in frames)


SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_error,
    styles=(nameless, done, commented, unterminated, crlf),
)
