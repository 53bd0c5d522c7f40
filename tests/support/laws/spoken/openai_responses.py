"""OpenAI's Responses in the laws."""

import json
from collections.abc import Callable
from typing import Any, get_args

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import (
    Read,
    Spoken,
    calls_of,
    check_openai_error,
    commented,
    crlf,
    json_or_text,
    read_of,
    unterminated,
)

POVERTY: dict[str, set[str]] = {
    "The id begins with": {"id"},
    "Only the first choice": {"choice left out"},
    "Empty texts and refusals": {"empty part left out", "nothing cited", "citations lost"},
    "In a stream, parts come": set(),
    "Thinking without an id": {"signature left out"},
    "Signatures of texts and calls": {"opaque left out"},
    "A tool call without arguments": {"empty arguments filled"},
    "A tool call without an id": {"call id"},
    "The provider's own finish word": {"finish word", "finish derived"},
    "A log probability that is not finite": {"logprob clipped", "logprobs lost"},
    "Usage keeps input, output": {"usage class left out", "usage filled with 0", "usage clamped"},
}

type Events = list[dict[str, Any]]

_TYPES: dict[str, Any] = {
    kind: each
    for each in get_args(get_args(ResponseStreamEvent)[0])
    for kind in get_args(each.model_fields["type"].annotation)
}
"""The type of each event by its name; the client hands on what it does not know."""


def read_stream(data: bytes) -> Read:
    """As `client.responses.stream()` of openai-python accumulates it, each event checked by its own type."""
    told = _events(data)
    assert len(data.decode().splitlines()) == 3 * len(told), "no reader of lines may find more"
    assert told[0]["type"] == "response.created", "openai-python refuses any other first event"
    places = [event["sequence_number"] for event in told]
    assert places == sorted(set(places)), "the numbers of the events rise"
    state = ResponseStreamState[Any](input_tools=omit, text_format=omit)
    for event in told:
        if event["type"] in _TYPES:
            state.handle_event(_TYPES[event["type"]].model_validate(event))
    last = told[-1]["response"]
    done = {
        event["output_index"]: event["item"] for event in told if event["type"] == "response.output_item.done"
    }
    assert [_identity(done[index]) for index in sorted(done)] == [_identity(item) for item in last["output"]]
    return _read(Response.model_validate(last))


def read_whole(data: bytes) -> Read:
    """As openai-python parses a body."""
    return _read(Response.model_validate_json(data))


def _events(data: bytes) -> Events:
    *frames, rest = data.decode().split("\n\n")
    assert rest == "", "every event ends"
    lines = [frame.split("\n") for frame in frames]
    told = [(kind, json.loads(said.removeprefix("data: "))) for kind, said in lines]
    assert all(kind == f"event: {event['type']}" for kind, event in told)
    return [event for _, event in told]


def _identity(item: dict[str, Any]) -> tuple[object, ...]:
    """What two tellings of an item must have in common; log probabilities may come after its end."""
    return item["type"], item.get("id"), item.get("arguments"), item.get("encrypted_content")


def _read(response: Response) -> Read:
    assert (response.model, response.object) == ("asked-for", "response")
    items = response.output
    content = [part for item in items if item.type == "message" for part in item.content]
    calls = [item for item in items if item.type == "function_call"]
    why = response.incomplete_details.reason if response.incomplete_details else None
    assert response.status == ("incomplete" if why else "completed")
    finishes = {None: "tool_calls" if calls else "stop", "max_output_tokens": "length"}
    usage = response.usage
    return {
        "thinking": "".join(
            piece.text for item in items if item.type == "reasoning" for piece in item.summary
        ),
        "text": response.output_text,
        "refusal": "".join(part.refusal for part in content if part.type == "refusal"),
        "calls": [(call.call_id, call.name, json_or_text(call.arguments)) for call in calls],
        "cites": [
            (each.url, each.title, each.start_index, each.end_index)
            for part in content
            if part.type == "output_text"
            for each in part.annotations
            if each.type == "url_citation"
        ],
        "finish": finishes.get(why, why),
        "counts": (usage.input_tokens, usage.output_tokens) if usage else (0, 0),
    }


def should_read(response: ChatResponse) -> Read:
    """Calls have ids here."""
    calls = [(call.id, call.name, json_or_text(call.arguments)) for call in calls_of(response)]
    return read_of(response, calls=[*calls], finish=response.choices[0].finish)


def check_error(body: bytes, error: RelayError) -> None:
    """OpenAI's shape before the first event; in a stream a response that failed, as Codex wants it."""
    said = json.loads(body)
    if "response" not in said:
        check_openai_error(body, error)
        return
    assert said["type"] == "response.failed"
    assert said["response"]["status"] == "failed"
    assert said["response"]["error"]["code"] == (error.code or "server_error")
    assert isinstance(said["response"]["error"]["message"], str)


def _edited(edit: Callable[[Events], None]) -> Callable[[bytes], bytes]:
    def style(data: bytes) -> bytes:
        events = _events(data)
        edit(events)
        return b"".join(
            f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
            for event in events
        )

    return style


def _foreign(events: Events) -> None:
    for event in events:
        event["obfuscation"] = "abc\u2028"
    events.insert(1, {"type": "response.queued.for.ages"})
    for number, event in enumerate(events):
        event["sequence_number"] = number


def _arguments_at_once(events: Events) -> None:
    for event in [event for event in events if event["type"] == "response.function_call_arguments.delta"]:
        events.remove(event)


def _items_at_the_end(events: Events) -> None:
    """Log probabilities that come after all texts are told there alone."""
    output = events[-1]["response"]["output"]
    if not any(part.get("logprobs") for item in output for part in item.get("content", ())):
        output.clear()


def foreign_events(data: bytes) -> bytes:
    """Padding, and events that nobody knows."""
    return _edited(_foreign)(data)


def calls_at_their_end(data: bytes) -> bytes:
    """No pieces of arguments, as at Perplexity."""
    return _edited(_arguments_at_once)(data)


def empty_end(data: bytes) -> bytes:
    """An end that does not tell the items again."""
    return _edited(_items_at_the_end)(data)


def unnamed(data: bytes) -> bytes:
    """No names of events beside their data."""
    return b"".join(line + b"\n" for line in data.split(b"\n")[:-1] if not line.startswith(b"event: "))


def with_done(data: bytes) -> bytes:
    """The word that ends other streams, as at OpenRouter."""
    return data + b"data: [DONE]\n\n"


SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_error,
    styles=(calls_at_their_end, empty_end, foreign_events, unnamed, with_done, commented, unterminated, crlf),
)
