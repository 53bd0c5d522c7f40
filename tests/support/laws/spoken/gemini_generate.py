"""Google's Gemini API in the laws.

Its own client is not among the relay's requirements: answers are read as its reference says, and no further.
"""

import json
from typing import Any

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

POVERTY: dict[str, set[str]] = {
    "The answer has no creation time": {"created"},
    "Texts in a row are joined": {"parts joined", "empty part left out"},
    "A refusal becomes text": {"refusal as text", "order"},  # among texts, where it stood
    "Of what texts cite": {"cited once", "nothing cited"},
    "Seals of other dialects' thinking": {"signature left out", "opaque left out"},
    "Tool-call arguments are written as one line": {
        "arguments respelled",
        "arguments wrapped",
        "empty arguments filled",
    },
    "A tool call without an id": {"call id"},
    "The finish is STOP, MAX_TOKENS, SAFETY": {"finish derived"},
    "The provider's own finish word": {"finish word"},
    "Log probabilities have no bytes": {"logprobs lost", "logprob clipped"},
    "Usage keeps input, what tools added": {"usage class left out", "usage clamped"},
}


def read_stream(data: bytes) -> Read:
    """The parts of all events, one after the other."""
    *frames, rest = data.decode().split("\n\n")
    assert rest == "", "every event ends"
    assert all(len(frame.splitlines()) == 1 for frame in frames), "no reader of lines may find two"
    return _read([json.loads(frame.removeprefix("data: ")) for frame in frames])


def read_whole(data: bytes) -> Read:
    """The parts of the one body."""
    return _read([json.loads(data)])


def _read(answers: list[Any]) -> Read:
    assert all(answer["modelVersion"] == "asked-for" for answer in answers)
    first = [each for answer in answers for each in answer.get("candidates", ()) if each["index"] == 0]
    parts = [part for each in first for part in each.get("content", {}).get("parts", ())]
    assert all(each["content"]["role"] == "model" for each in first)
    texts = [part for part in parts if "text" in part]
    said = "".join(part["text"] for part in texts if not part.get("thought"))
    usage = answers[-1].get("usageMetadata", {})
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    return {
        "thinking": "".join(part["text"] for part in texts if part.get("thought")),
        "text": said,
        "refusal": "",
        "calls": [(call["name"], call["args"]) for call in calls],
        "cites": [cite for each in first for cite in _cites(each.get("groundingMetadata", {}), said)],
        "finish": [each["finishReason"] for each in first if "finishReason" in each],
        "counts": (
            usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0),
            usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0),
        ),
    }


def _cites(metadata: Any, said: str) -> list[tuple[object, ...]]:
    """Each source with the bytes that rest on it."""
    places = {
        index: support["segment"]
        for support in metadata.get("groundingSupports", ())
        for index in support["groundingChunkIndices"]
    }
    return [
        (
            chunk["web"]["uri"],
            chunk["web"].get("title", ""),
            *(places[index][end] if index in places else 0 for end in ("startIndex", "endIndex")),
        )
        for index, chunk in enumerate(metadata.get("groundingChunks", ()))
    ]


def should_read(response: ChatResponse) -> Read:
    """Places are bytes on the wire."""
    read = read_of(
        response,
        calls=[(call.name, json_or_text(call.arguments)) for call in calls_of(response)],
        finish="",
    )
    said = str(read["text"])
    cites = read["cites"]
    assert isinstance(cites, list)
    read["cites"] = [(url, title, _byte(start, said), _byte(end, said)) for url, title, start, end in cites]
    return read | {"finish": [response.choices[0].raw_finish]}


def _byte(character: int, said: str) -> int:
    return len(said[:character].encode()) + max(0, character - len(said))


def check_error(body: bytes, error: RelayError) -> None:
    """`google.rpc.Status`."""
    said = json.loads(body)
    assert list(said) == ["error"]
    assert list(said["error"]) == ["code", "message", "status"]
    assert said["error"]["code"] == error.status
    assert said["error"]["status"].isupper()


def pretty(data: bytes) -> bytes:
    """White space inside of the events, as some servers write JSON."""
    frames = [json.loads(frame.removeprefix(b"data: ")) for frame in data.split(b"\n\n") if frame]
    return b"".join(b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\n\n" for frame in frames)


def counted_always(data: bytes) -> bytes:
    """Counts so far in every event, without those that are still zero."""
    frames = [json.loads(frame.removeprefix(b"data: ")) for frame in data.split(b"\n\n") if frame]
    prompt = frames[-1].get("usageMetadata", {}).get("promptTokenCount")
    for frame in frames[:-1]:
        if prompt is not None and "usageMetadata" not in frame:
            frame["usageMetadata"] = {"promptTokenCount": prompt}
    return b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)


SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_error,
    styles=(counted_always, pretty, commented, unterminated, crlf),
)
