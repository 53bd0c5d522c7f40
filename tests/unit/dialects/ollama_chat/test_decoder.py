"""What a provider's stream is read as."""

import re
from collections.abc import Sequence

import pytest

from relay.adapters.dialects.base import MAX_EVENT_BYTES
from relay.adapters.dialects.ollama_chat import DIALECT
from relay.domain.chat import Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, Malformed, Overloaded, UpstreamError
from relay.domain.events import (
    ChatResponse,
    Choice,
    Failed,
    Finished,
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartStarted,
    Started,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.folding import fold
from relay.domain.usage import MAX_COUNT, Usage


def line(message: bytes = b"", more: bytes = b'"done":false') -> bytes:
    return b'{"model":"q","created_at":"2026-08-21T10:00:00.1Z","message":{"role":"assistant",%b},%b}\n' % (
        message or b'"content":""',
        more,
    )


DONE = line(more=b'"done":true,"done_reason":"stop"')


def read(*chunks: bytes) -> list[StreamEvent]:
    decoder = DIALECT.decoder()
    return [*(event for chunk in chunks for event in decoder.feed(chunk)), *decoder.close()]


def failure(events: Sequence[StreamEvent]) -> UpstreamError:
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, UpstreamError)
    return events[-1].error


def usage(metrics: bytes) -> Usage | None:
    return fold(read(line(more=b'"done":true,' + metrics))).usage


def test_thinking_and_content_are_parts_that_grow_line_by_line() -> None:
    assert read(
        line(b'"content":"","thinking":"Hm"'),
        line(b'"content":"He"'),
        line(b'"content":"llo"'),
        line(more=b'"done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":2'),
    ) == [
        Started(model="q"),
        PartStarted(index=0, kind="thinking"),
        PartDelta(index=0, text="Hm"),
        PartStarted(index=1, kind="text"),
        PartDelta(index=1, text="He"),
        PartDelta(index=1, text="llo"),
        PartEnded(index=0),
        PartEnded(index=1),
        UsageReported(usage=Usage(input_tokens=12, output_tokens=2)),
        Finished(reason="stop", raw_reason="stop"),
    ]


def test_a_model_that_thinks_again_adds_to_its_first_thinking() -> None:
    answer = fold(read(line(b'"content":"a"'), line(b'"thinking":"Hm"'), line(b'"content":"b"'), DONE))
    assert answer.choices[0].parts == (Thinking(text="Hm"), Text(text="ab"))


def test_calls_come_whole_on_any_line_even_the_last() -> None:
    def call(index: int) -> bytes:
        return b'"tool_calls":[{"id":"call_%d","function":{"name":"f","arguments":{"b":1.0,"a":2}}}]' % index

    events = read(line(call(1)), line(call(2), b'"done":true,"done_reason":"stop"'))
    assert fold(events) == ChatResponse(
        model="q",
        choices=(
            Choice(
                parts=tuple(
                    ToolCall(id=f"call_{index}", name="f", arguments='{"b":1.0,"a":2}') for index in (1, 2)
                ),
                finish="tool_calls",
                raw_finish="stop",
            ),
        ),
    )


def test_calls_without_ids_are_given_distinct_and_repeatable_ones() -> None:
    call = b'{"function":{"name":"f","arguments":{}}}'
    stream = line(b'"tool_calls":[%b,%b]' % (call, call)) + line(b'"tool_calls":[%b]' % call) + DONE
    ids = [event.call_id for event in read(stream) if isinstance(event, PartStarted)]
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", each) for each in ids)
    assert len(set(ids)) == 3
    assert ids == [event.call_id for event in read(stream) if isinstance(event, PartStarted)]
    later = stream.replace(b"10:00:00.1Z", b"10:00:07.3Z")
    assert not set(ids) & {event.call_id for event in read(later) if isinstance(event, PartStarted)}


@pytest.mark.parametrize(
    ("arguments", "expected"), [(b"null", "{}"), (b'"{\\"a\\":1}"', '{"a":1}'), (b"{}", "{}")]
)
def test_arguments_are_text_however_they_are_spelt(arguments: bytes, expected: str) -> None:
    events = read(line(b'"tool_calls":[{"function":{"name":"f","arguments":%b}}]' % arguments) + DONE)
    assert PartDelta(index=2, text=expected) in events


def test_length_wins_over_calls() -> None:
    call = b'"tool_calls":[{"function":{"name":"f","arguments":{}}}]'
    assert fold(read(line(call, b'"done":true,"done_reason":"length"'))).choices[0].finish == "length"


@pytest.mark.parametrize("reason", [b'"done_reason":null', b'"done_reason":"load"', b'"x":1'])
def test_any_other_reason_is_a_stop(reason: bytes) -> None:
    assert fold(read(line(more=b'"done":true,' + reason))).choices[0].finish == "stop"


def test_counts_that_are_missing_are_not_reported() -> None:
    assert usage(b'"total_duration":300') is None
    assert usage(b'"prompt_eval_count":null,"eval_count":2') == Usage(output_tokens=2)
    assert usage(b'"prompt_eval_count":0,"eval_count":2.0') == Usage(input_tokens=0, output_tokens=2)


@pytest.mark.parametrize("count", [b"-1", b"true", b'"12"', b"1.5", b"%d" % (MAX_COUNT + 1), b"{}"])
def test_counts_that_cannot_be_are_not_believed(count: bytes) -> None:
    assert usage(b'"prompt_eval_count":%b,"eval_count":2' % count) == Usage(output_tokens=2)


def test_log_probabilities_are_read() -> None:
    more = (
        b'"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1}]}],'
        b'"done":false'
    )
    rival = TokenAlternative(token="b", logprob=-1.0)
    token = TokenLogprob(token="a", logprob=-0.5, bytes=(97,), top=(rival,))
    assert LogprobsReported(tokens=(token,)) in read(line(b'"content":"a"', more), DONE)


def test_an_error_line_fails_the_stream_and_nothing_follows() -> None:
    events = read(
        line(b'"content":"a"'), b'{"error":"the runner\\u0000 died"}\n' + line(b'"content":"b"') + DONE
    )
    assert isinstance(failure(events), Overloaded)
    assert failure(events).message == "the runner died"
    assert [event.text for event in events if isinstance(event, PartDelta)] == ["a"]


def test_an_error_may_be_an_object_or_stand_beside_an_answer() -> None:
    assert failure(read(b'{"error":{"message":"overloaded","code":5}}\n')).message == "overloaded"
    assert isinstance(failure(read(line(more=b'"done":true,"error":"bad"'))), Overloaded)
    assert isinstance(failure(read(b'{"error":[1]}\n')), Overloaded)


def test_a_null_error_is_none() -> None:
    assert fold(read(line(b'"content":"a"', b'"done":true,"error":null'))).choices[0].parts == (
        Text(text="a"),
    )


@pytest.mark.parametrize("rest", [b"", b"\n", line(b'"content":"b"'), line(b'"content":"b"')[:40], b'{"mod'])
def test_a_stream_without_a_last_line_was_interrupted(rest: bytes) -> None:
    assert isinstance(failure(read(line(b'"content":"a"') + rest)), Interrupted)


def test_nothing_at_all_was_interrupted() -> None:
    assert isinstance(failure(read()), Interrupted)


@pytest.mark.parametrize(
    "garbage", [b"<html></html>", b"[1]\n", b"data: {}\n", b'{"message":"hi"}\n', b"\xff\n"]
)
def test_garbage_is_malformed(garbage: bytes) -> None:
    assert isinstance(failure(read(garbage)), Malformed)


def test_the_last_line_needs_no_line_end_and_blank_lines_are_skipped() -> None:
    events = read(b"\n \r\n", line(b'"content":"a"').replace(b"\n", b"\r\n"), DONE.rstrip(b"\n"))
    assert fold(events).choices[0].parts == (Text(text="a"),)


def test_whatever_follows_the_last_line_is_ignored() -> None:
    assert read(DONE, line(b'"content":"b"'), b"garbage\n") == read(DONE)


def test_a_line_that_never_ends_is_malformed() -> None:
    decoder = DIALECT.decoder()
    assert decoder.feed(b'{"model":"') == []
    assert isinstance(failure(decoder.feed(b"x" * MAX_EVENT_BYTES)), Malformed)
    assert decoder.feed(DONE) == []
    assert decoder.close() == []


def test_text_cut_inside_a_surrogate_pair_is_mended() -> None:
    events = read(line(b'"content":"\\ud83d"') + DONE)
    assert PartDelta(index=1, text="\ufffd") in events
