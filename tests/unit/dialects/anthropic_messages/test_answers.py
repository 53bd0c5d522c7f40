"""Answers of Anthropic's dialect: a provider's read whatever it sends, a client's written in the order it takes."""

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from relay.adapters.dialects.anthropic_messages import DIALECT, NAME
from relay.adapters.dialects.base import Scene
from relay.domain.chat import Citation, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Internal, Interrupted, Limited, Malformed, Overloaded, Rejected, RelayError
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    Failed,
    Finished,
    FinishReason,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import fold, unfold
from relay.domain.usage import Usage


def a_scene() -> Scene:
    ticks = count(1)
    return Scene(id="req-1", model="asked", created=7, started_ns=0, clock_ns=lambda: next(ticks))


def sse(*events: Any) -> bytes:
    return b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events)


def read(*events: Any) -> list[StreamEvent]:
    decoder = DIALECT.decoder()
    return [*decoder.feed(sse(*events)), *decoder.close()]


def started(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": usage}}


def block(index: int, content: Any, *deltas: Any) -> list[Any]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def stopped(word: str | None = "end_turn", **usage: Any) -> list[Any]:
    return [
        {"type": "message_delta", "delta": {"stop_reason": word}, "usage": usage},
        {"type": "message_stop"},
    ]


def text(said: str) -> Any:
    return {"type": "text_delta", "text": said}


def parts(*events: Any) -> tuple[AnswerPart, ...]:
    return fold(read(started(), *events, *stopped())).choices[0].parts


def failure(events: Iterable[StreamEvent]) -> RelayError:
    *_, last = events
    assert isinstance(last, Failed)
    return last.error


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"), ("refusal", "content_filter"), ("pause_turn", "pause"),
        ("tool_use", "stop"), ("something_new", "stop"),
    ],
)  # fmt: skip
def test_a_stop_word_is_a_finish(word: str, reason: FinishReason) -> None:
    choice = fold(
        read(started(), *block(0, {"type": "text", "text": ""}, text("a")), *stopped(word))
    ).choices[0]
    assert (choice.finish, choice.raw_finish) == (reason, word)


def test_calls_make_a_stop_one_for_tools_but_no_other_word() -> None:
    use = block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {}})
    assert fold(read(started(), *use, *stopped("end_turn"))).choices[0].finish == "tool_calls"
    assert fold(read(started(), *use, *stopped("max_tokens"))).choices[0].finish == "length"


def test_an_unknown_word_for_nothing_said_is_a_failure() -> None:
    assert isinstance(failure(read(started(), *stopped("gave_up"))), Overloaded)


def test_later_counts_override_earlier_ones_one_by_one() -> None:
    events = read(started(input_tokens=5, cache_read_input_tokens=2, output_tokens=1),
                  *stopped(output_tokens=9, cache_read_input_tokens=None, input_tokens=6,
                           cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3},
                           cache_creation_input_tokens=3, output_tokens_details={"thinking_tokens": 4},
                           server_tool_use={"web_search_requests": 2}))  # fmt: skip
    assert [event.usage for event in events if isinstance(event, UsageReported)] == [
        Usage(input_tokens=7, cache_read_tokens=2, output_tokens=1),
        Usage(
            input_tokens=11, cache_read_tokens=2, cache_write_tokens=3, cache_write_5m_tokens=0,
            cache_write_1h_tokens=3, output_tokens=9, output_reasoning_tokens=4, web_searches=2,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "report", [{}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": -1}, {"output_tokens": "x"}]
)
def test_a_report_of_nothing_is_none(report: Any) -> None:
    assert fold(read(started(**report), *stopped(**report))).usage is None


def test_an_input_that_came_whole_counts_unless_it_comes_in_pieces() -> None:
    whole = {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1}}
    piece = {"type": "input_json_delta", "partial_json": '{"n":2}'}
    assert parts(*block(0, whole)) == (ToolCall(id="t", name="f", arguments='{"n": 1}'),)
    assert parts(*block(0, whole, piece)) == (ToolCall(id="t", name="f", arguments='{"n":2}'),)


def test_blocks_that_nobody_knows_are_kept_with_their_input() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"query":1.50}'}
    broken = {"type": "input_json_delta", "partial_json": '{"query":'}
    [kept, cut] = parts(*block(0, use, piece), *block(1, use, broken))
    assert isinstance(kept, Opaque)
    assert kept.json.endswith('"input":{"query":1.50}}')
    assert isinstance(cut, Opaque)
    assert json.loads(cut.json) == use


def test_sources_on_the_web_are_cited_and_places_in_documents_are_not() -> None:
    found = {"type": "web_search_result_location", "url": "u", "title": "T", "cited_text": "c"}
    page = {"type": "page_location", "document_index": 0, "cited_text": "c"}
    deltas = [{"type": "citations_delta", "citation": each} for each in (found, page)]
    [part] = parts(*block(0, {"type": "text", "text": ""}, text("abc"), *deltas))
    assert part == Text(text="abc", citations=(Citation(url="u", title="T", end=3),))


def test_a_refusal_is_told_in_its_words() -> None:
    told = {"type": "refusal", "category": "bio", "explanation": "No."}
    stop = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": told}, "usage": {}}
    choice = fold(read(started(), stop, {"type": "message_stop"})).choices[0]
    assert (choice.finish, choice.parts) == ("content_filter", (Refusal(text="No."),))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", Overloaded), ("api_error", Overloaded), ("rate_limit_error", Limited),
        ("invalid_request_error", Rejected), ("anything", Overloaded),
    ],
)  # fmt: skip
def test_an_error_in_a_stream_is_what_its_type_says(kind: str, expected: type[RelayError]) -> None:
    events = read(started(), {"type": "error", "error": {"type": kind, "message": "m"}}, *stopped())
    assert isinstance(failure(events), expected)


def test_what_comes_out_of_order_is_read_as_far_as_it_goes() -> None:
    lost = {"type": "content_block_delta", "index": 9, "delta": text("lost")}
    again = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "b"}}
    odd = [lost, {"type": "content_block_stop", "index": 4}, {"type": "content_block_start", "index": 1}]
    first = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}}
    assert parts(*odd, first, again) == (Text(text="a"), Text(text="b"))


def test_a_stream_without_its_end_is_interrupted_and_a_whole_answer_malformed() -> None:
    assert isinstance(failure(read(started(), *block(0, {"type": "text", "text": "a"}))), Interrupted)
    with pytest.raises(Malformed):
        DIALECT.decode_response(b'{"type":"message","content":[],"stop_reason":null,"usage":{}}')


def written(events: Iterable[StreamEvent]) -> list[Any]:
    encoder = DIALECT.encoder(a_scene())
    data = b"".join(encoder.send(event) for event in events) + encoder.close()
    return [json.loads(frame.partition(b"data: ")[2]) for frame in data.split(b"\n\n") if frame]


def answer(*said: AnswerPart, finish: FinishReason = "stop", usage: Usage | None = None) -> ChatResponse:
    return ChatResponse(id="req-1", choices=(Choice(parts=said, finish=finish),), usage=usage)


def test_counts_that_are_known_are_told_at_once_and_the_rest_at_the_end() -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=4, cache_write_tokens=1, output_tokens=3)
    early = UsageReported(usage=Usage(input_tokens=10, cache_read_tokens=4))
    events = written([early, *unfold(answer(Text(text="a"), usage=usage))])
    start, end = events[0]["message"]["usage"], events[-2]["usage"]
    assert start == {"input_tokens": 6, "output_tokens": 0, "cache_read_input_tokens": 4}
    assert end == {
        "input_tokens": 5, "output_tokens": 3, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4,
    }  # fmt: skip


def test_nothing_said_is_a_message_all_the_same() -> None:
    assert [event["type"] for event in written(unfold(answer()))] == [
        "message_start", "message_delta", "message_stop",
    ]  # fmt: skip


def test_a_seal_leaves_in_one_piece_before_its_block_ends() -> None:
    events: list[StreamEvent] = [
        PartStarted(index=0, kind="thinking", origin=NAME),
        PartDelta(index=0, text="hm"),
        SignatureDelta(index=0, text="se"),
        SignatureDelta(index=0, text="al"),
        PartEnded(index=0),
        Finished(reason="stop"),
    ]
    deltas = [event["delta"] for event in written(events) if event["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "seal"},
    ]


def test_seals_of_others_do_not_leave() -> None:
    thought = Thinking(text="hm", signature="s", sealed="x", origin="openai.responses")
    body = json.loads(
        DIALECT.encode_response(answer(thought, Opaque(origin="gemini.generate", json="{}")), a_scene())
    )
    assert body["content"] == [{"type": "thinking", "thinking": "hm", "signature": ""}]


@pytest.mark.parametrize("arguments", ['{"n":1.50}', "", "[1]", '{"cut": "of'])
def test_a_call_has_an_object_for_its_input(arguments: str) -> None:
    call = ToolCall(id="", name="f", arguments=arguments)
    body = json.loads(DIALECT.encode_response(answer(call), a_scene()))
    [told] = body["content"]
    assert isinstance(told["input"], dict)
    assert told["id"].startswith("toolu_")
    assert body["stop_reason"] == "tool_use"
    deltas = [
        event["delta"] for event in written(unfold(answer(call))) if event["type"] == "content_block_delta"
    ]
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == told["input"]


def test_a_failure_ends_the_stream_for_good() -> None:
    encoder = DIALECT.encoder(a_scene())
    assert encoder.send(Failed(error=Internal("oh"))).startswith(b"event: error\ndata: ")
    assert encoder.send(Finished(reason="stop")) + encoder.close() == b""


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (Rejected("too many", code="context_length_exceeded"), "invalid_request_error", "prompt is too long: "),
        (Overloaded("busy"), "overloaded_error", "busy"),
        (Limited("slow"), "rate_limit_error", "slow"),
        (Internal("bug"), "api_error", "bug"),
        (Rejected("gone", status=410), "invalid_request_error", "gone"),
        (Rejected("big", status=413), "request_too_large", "big"),
    ],
    ids=str,
)  # fmt: skip
def test_an_error_has_anthropics_words(error: RelayError, kind: str, message: str) -> None:
    told = json.loads(DIALECT.encode_error(error).body)["error"]
    assert (told["type"], told["message"].startswith(message)) == (kind, True)


def test_a_spent_limit_is_no_mere_rate() -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "m",
            "details": {"error_code": "enforced_spend_limit_reached"}}}  # fmt: skip
    assert DIALECT.decode_error(json.dumps(body).encode()).code == "enforced_spend_limit_reached"
