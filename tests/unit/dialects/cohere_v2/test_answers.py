"""Answers of Cohere's in odd shapes: what cannot be read is taken as not sent, and a failure is told as one."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.cohere_v2 import DIALECT
from relay.domain.chat import Citation, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, Malformed, Overloaded, Rejected, UpstreamError
from relay.domain.events import ChatResponse, Choice, Failed, StreamEvent
from relay.domain.folding import fold


def answer(**message: Any) -> dict[str, Any]:
    return {"id": "a", "message": {"role": "assistant", **message}, "finish_reason": "COMPLETE"}


def read(value: Any) -> ChatResponse:
    return DIALECT.decode_response(json.dumps(value).encode())


def choice(value: Any) -> Choice:
    return read(value).choices[0]


def failure(value: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        read(value)
    return raised.value


def streamed(*events: Any) -> list[StreamEvent]:
    decoder = DIALECT.decoder()
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return [*decoder.feed(data.encode()), *decoder.close()]


def event(kind: str, index: object = None, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "stop"),
        ("complete", "stop"),
        ("NEW_WORD", "stop"),
    ],
)
def test_every_finish_word_is_an_end(word: str, finish: str) -> None:
    value = {**answer(content=[{"type": "text", "text": "a"}]), "finish_reason": word}
    assert choice(value).finish == finish
    assert choice(value).raw_finish == word.upper()


@pytest.mark.parametrize(("word", "status"), [("ERROR", 502), ("TIMEOUT", 504), ("NEW_WORD", 502)])
def test_a_finish_word_may_be_a_failure(word: str, status: int) -> None:
    raised = failure({**answer(), "finish_reason": word})
    assert isinstance(raised, Overloaded)
    assert word in raised.message
    assert raised.provider_status == status


def test_calls_decide_between_stop_and_calls() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    assert choice(answer(tool_calls=[call])).finish == "tool_calls"
    assert choice({**answer(tool_calls=[call]), "finish_reason": "MAX_TOKENS"}).finish == "length"


def test_calls_without_ids_get_distinct_ones() -> None:
    call = {"function": {"name": "look"}}
    ids = [part.id for part in choice(answer(tool_calls=[call, call])).parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 2
    assert all(ids)


@pytest.mark.parametrize(
    "content",
    [
        None,
        5,
        {},
        [],
        [5],
        [{}],
        [{"type": "text"}],
        [{"type": "text", "text": 5}],
        [{"type": "new", "x": 1}],
    ],
)
def test_odd_content_is_taken_as_not_sent(content: object) -> None:
    assert choice(answer(content=content, tool_calls=5, citations="x", tool_plan=[])).parts == ()


def test_content_that_is_a_text_is_one() -> None:
    assert choice(answer(content="a")).parts == (Text(text="a"),)


def test_thoughts_plan_text_and_calls_stand_in_this_order_whenever_they_come() -> None:
    events = streamed(
        event("tool-call-start", 0, tool_calls={"id": "c", "function": {"name": "look", "arguments": "{"}}),
        event("tool-plan-delta", tool_plan="plan"),
        event("content-delta", 1, content={"text": "a"}),
        event("content-start", 0, content={"type": "thinking", "thinking": "hm"}),
        event("tool-call-delta", 0, tool_calls=[{"function": {"arguments": "}"}}]),
        event("new-kind", 0),
        END,
    )
    assert fold(events).choices[0].parts == (
        Thinking(text="hm", origin="cohere.v2"),
        Text(text="a"),
        Text(text="plan"),
        ToolCall(id="c", name="look", arguments="{}"),
    )


def test_calls_without_an_index_are_calls_of_their_own() -> None:
    call = {"id": "c", "function": {"name": "look", "arguments": ""}}
    events = streamed(
        event("tool-call-start", None, tool_calls=call),
        event("tool-call-start", None, tool_calls={**call, "id": "d"}),
        event("tool-call-delta", 7, tool_calls={"function": {"arguments": "{}"}}),
        END,
    )
    parts = fold(events).choices[0].parts
    assert [part.name for part in parts if isinstance(part, ToolCall)] == ["look", "look", ""]


@pytest.mark.parametrize(
    ("cited", "citation"),
    [
        ({"start": 0, "end": 1, "sources": [{"id": "doc_0"}]}, Citation(url="doc_0", start=0, end=1)),
        ({"sources": [{"id": "x", "document": {"url": "u", "title": "t"}}]}, Citation(url="u", title="t")),
        ({"start": -1, "end": "x", "sources": [{"tool_output": {"url": "u"}}]}, Citation(url="u")),
        ({"content_index": 9, "sources": [{"id": "x"}]}, Citation(url="x")),
        ({"sources": [{}, 5]}, None),
        ({"sources": None}, None),
        (5, None),
    ],
)
def test_a_source_without_an_address_goes_by_its_id(cited: Any, citation: Citation | None) -> None:
    thought, said = {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}
    parts = choice(answer(content=[thought, said], citations=[cited])).parts
    assert parts[1] == Text(text="a", citations=(citation,) if citation else ())


def test_what_a_plan_cites_is_the_plans() -> None:
    cited = {"type": "PLAN", "start": 1, "end": 2, "sources": [{"id": "x"}]}
    value = answer(content=[{"type": "text", "text": "a"}], tool_plan="plan", citations=[cited])
    assert choice(value).parts == (
        Text(text="a"),
        Text(text="plan", citations=(Citation(url="x", start=1, end=2),)),
    )


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        ({"billed_units": {"input_tokens": 3, "output_tokens": 2}, "cached_tokens": 60,
          "tokens": {"input_tokens": 70, "output_tokens": 9, "reasoning_tokens": 5}},
         {"input_tokens": 3, "output_tokens": 2, "output_reasoning_tokens": 2}),
        ({"tokens": {"input_tokens": 70, "image_tokens": 5, "output_tokens": 9}, "cached_tokens": 60},
         {"input_tokens": 75, "cache_read_tokens": 60, "input_image_tokens": 5, "output_tokens": 9}),
        ({"billed_units": {"input_tokens": 3.0}}, {"input_tokens": 3}),
        ({"billed_units": {"search_units": 1}, "tokens": {}}, None),
        ({"tokens": {"input_tokens": -1, "output_tokens": "9"}}, None),
        (5, None),
    ],
)  # fmt: skip
def test_what_is_billed_is_counted(report: Any, counts: dict[str, int] | None) -> None:
    usage = read({**answer(), "usage": report}).usage
    assert (usage.counts() if usage else None) == counts


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"message": "no"}, Overloaded, "upstream_overloaded"),
        ({"error": "no"}, Overloaded, "upstream_overloaded"),
        ({"message": "no", "error_type": "TOO_MANY_TOKENS"}, Rejected, "context_length_exceeded"),
    ],
)
def test_an_error_in_place_of_an_answer_is_the_providers(
    body: Any, kind: type[UpstreamError], code: str
) -> None:
    raised = failure(body)
    assert type(raised) is kind
    assert (raised.message, raised.code) == ("no", code)


@pytest.mark.parametrize("body", [{}, {"message": {}}, {"id": "a"}, {"message": {"role": "assistant"}}, []])
def test_what_is_not_finished_is_malformed(body: Any) -> None:
    assert isinstance(failure(body), Malformed)


@pytest.mark.parametrize(
    "broken",
    [
        {"message": "no"},
        {"type": "error", "error": "no"},
        {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "no"}},
    ],
)
def test_an_error_in_a_stream_ends_it(broken: Any) -> None:
    events = streamed(event("content-delta", 0, content={"text": "a"}), broken)
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, Overloaded)
    assert events[-1].error.message == "no"


def test_a_stream_without_its_end_is_interrupted() -> None:
    events = streamed(event("content-delta", 0, content={"text": "a"}))
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, Interrupted)
