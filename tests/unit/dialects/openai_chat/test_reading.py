"""What providers' answers mean, however they put them."""

import json
from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import (
    BadCredential,
    Interrupted,
    Limited,
    Malformed,
    Overloaded,
    Rejected,
    RelayError,
)
from relay.domain.events import (
    Failed,
    Finished,
    LogprobsReported,
    PartDelta,
    PartStarted,
    Started,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import (
    Json,
    answer_to,
    calling,
    calls_of,
    choice_of,
    counted,
    events_of,
    failure_of,
    frame,
    said,
    stream_of,
    whole,
)

STOP = said({}, "stop")


def call(**members: Any) -> Json:
    """A tool call delta; `name` and `arguments` go into its function."""
    function = {key: members.pop(key) for key in ("name", "arguments") if key in members}
    return {**members, "function": function}


def test_a_plain_stream_means_an_answer() -> None:
    answer = answer_to(
        said({"role": "assistant", "content": ""}), said({"content": "Hel"}), said({"content": "lo"}), STOP
    )
    assert (answer.id, answer.model, answer.created, answer.usage) == ("c1", "m", 7, None)
    (choice,) = answer.choices
    assert choice.parts == (Text(text="Hello"),)
    assert (choice.finish, choice.raw_finish) == ("stop", "stop")


def test_a_role_that_is_repeated_says_nothing() -> None:
    assert choice_of(
        said({"role": "assistant", "content": "a"}), said({"role": "assistant", "content": "b"}), STOP
    ).parts == (Text(text="ab"),)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_content": "", "reasoning": "hm"},
        {"reasoning_content": None, "reasoning": "hm"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_thinking_is_read_once_under_any_of_its_names(delta: Json) -> None:
    assert choice_of(said(delta), said({"content": "4"}), STOP).parts == (Thinking(text="hm"), Text(text="4"))


def test_one_chunk_may_end_the_thinking_and_begin_the_text() -> None:
    both = [{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}, {"type": "text", "text": "1"}]
    chunks = said({"reasoning": "h"}), said({"content": both}), said({"content": "44"}, "stop")
    assert choice_of(*chunks).parts == (Thinking(text="hm."), Text(text="144"))


def test_late_thinking_still_goes_before_the_text() -> None:
    assert choice_of(
        said({"content": "a"}), said({"reasoning": "b"}), said({"content": "c"}), STOP
    ).parts == (
        Thinking(text="b"),
        Text(text="ac"),
    )


def test_a_refusal_is_a_part() -> None:
    assert choice_of(said({"refusal": "I "}), said({"refusal": "won't"}), STOP).parts == (
        Refusal(text="I won't"),
    )


@pytest.mark.parametrize(
    "nothing", [{}, {"content": None}, {"content": ""}, {"tool_calls": []}, {"reasoning": ""}]
)
def test_an_empty_delta_begins_no_part(nothing: Json) -> None:
    assert not [event for event in events_of(said(nothing), STOP) if isinstance(event, PartStarted)]


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "c1", "choices": None},
        {"id": "c1"},
        {"choices": []},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": "x"},
        {"choices": [None]},
        ["x"],
        "x",
        None,
        b": ping\n\n",
        b"data:\n\n",
        b"event: ping\n\n",
    ],
)
def test_a_chunk_that_says_nothing_is_skipped(odd: Any) -> None:
    assert choice_of(said({"content": "a"}), odd, said({"content": "b"}), STOP).parts == (Text(text="ab"),)


class TestToolCalls:
    def test_fragments_are_joined(self) -> None:
        assert calls_of(
            calling(call(index=0, id="a", type="function", name="f", arguments="")),
            calling(call(index=0, arguments='{"n"')),
            calling(call(index=0, arguments=":1}"), finish="tool_calls"),
        ) == [("a", "f", '{"n":1}')]

    def test_a_whole_call_in_one_chunk_loses_nothing(self) -> None:
        assert calls_of(calling(call(index=0, id="a", name="f", arguments="{}"), finish="stop")) == [
            ("a", "f", "{}")
        ]

    def test_parallel_calls_may_interleave(self) -> None:
        assert calls_of(
            calling(call(index=0, id="a", name="f"), call(index=1, id="b", name="g")),
            calling(call(index=1, arguments="2"), call(index=0, arguments="1")),
            STOP,
        ) == [("a", "f", "1"), ("b", "g", "2")]

    def test_an_index_may_be_missing(self) -> None:
        assert calls_of(
            calling(call(id="a", name="f", arguments="1")),
            calling(call(arguments="2")),
            calling(call(id="b", name="g", arguments="3")),
            calling(call(id="a", arguments="4")),
            calling(call(name="h")),
            STOP,
        ) == [("a", "f", "124"), ("b", "g", "3"), ("", "h", "")]

    def test_one_index_for_two_ids_is_two_calls(self) -> None:
        assert calls_of(
            calling(call(index=0, id="a", name="f", arguments="1")),
            calling(call(index=0, id="b", name="g", arguments="2")),
            calling(call(index=0, arguments="3")),
            calling(call(index=0, id="a", arguments="4")),
            STOP,
        ) == [("a", "f", "14"), ("b", "g", "23")]

    def test_id_and_name_may_be_repeated(self) -> None:
        piece = calling(call(index=0, id="a", name="f", arguments="1"))
        assert calls_of(piece, piece, STOP) == [("a", "f", "11")]

    def test_a_name_may_come_late(self) -> None:
        assert calls_of(
            calling(call(index=0, id="a", arguments="1")),
            calling(call(index=0, name="f", arguments="2")),
            STOP,
        ) == [("a", "f", "12")]

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [({"a": [1, "ü"]}, '{"a":[1,"ü"]}'), ([], "[]"), (None, ""), ("", ""), (5, "5"), (True, "")],
    )
    def test_arguments_that_are_no_text_are_spelled(self, arguments: object, text: str) -> None:
        assert calls_of(calling(call(index=0, id="a", name="f", arguments=arguments)), STOP) == [
            ("a", "f", text)
        ]

    @pytest.mark.parametrize("index", ["0", 0.0, None])
    def test_an_index_of_another_type_is_understood(self, index: object) -> None:
        assert calls_of(calling(call(index=index, id="a", name="f", arguments="1")), STOP) == [
            ("a", "f", "1")
        ]

    def test_a_stop_after_calls_is_tool_calls(self) -> None:
        assert choice_of(calling(call(index=0, id="a", name="f")), STOP).finish == "tool_calls"

    def test_a_truncated_call_stays_truncated(self) -> None:
        choice = choice_of(calling(call(index=0, id="a", name="f", arguments='{"n')), said({}, "length"))
        assert choice.finish == "length"


class TestFinish:
    @pytest.mark.parametrize(
        ("word", "reason"),
        [
            ("stop", "stop"),
            ("eos", "stop"),
            ("STOP", "stop"),
            ("end_turn", "stop"),
            ("length", "length"),
            ("model_length", "length"),
            ("content_filter", "content_filter"),
            ("tool_calls", "stop"),
            ("function_call", "stop"),
            ("never heard of", "stop"),
        ],
    )
    def test_a_finish_word_means(self, word: str, reason: str) -> None:
        choice = choice_of(said({"content": "x"}), said({}, word))
        assert (choice.finish, choice.raw_finish) == (reason, word)

    def test_the_providers_native_word_is_kept_for_the_record(self) -> None:
        chunk = said({"content": "x"}, "stop")
        chunk["choices"][0]["native_finish_reason"] = "end_turn"
        assert choice_of(chunk).raw_finish == "end_turn"

    def test_a_finish_is_told_once_and_last(self) -> None:
        events = events_of(
            said({"content": "a"}, "length"), said({}, "length"), said({"content": "b"}, "stop")
        )
        finishes = [event for event in events if isinstance(event, Finished)]
        assert [finish.reason for finish in finishes] == ["length"]
        assert events[-1] is finishes[0]

    @pytest.mark.parametrize("word", ["", None])
    def test_an_empty_word_is_no_finish(self, word: str | None) -> None:
        assert isinstance(failure_of(said({"content": "x"}, word)), Interrupted)

    @pytest.mark.parametrize("word", ["error", "insufficient_system_resource"])
    def test_a_word_that_stands_for_a_failure_is_one(self, word: str) -> None:
        assert isinstance(failure_of(said({"content": "x"}), said({}, word)), Overloaded)
        assert isinstance(failure_of(said({"content": "x"}), STOP, said({}, word)), Overloaded)

    def test_an_unknown_word_without_content_is_a_failure(self) -> None:
        assert isinstance(failure_of(said({}, "never heard of")), Overloaded)

    def test_an_empty_answer_is_an_answer(self) -> None:
        assert choice_of(said({"role": "assistant", "content": ""}), STOP).parts == ()

    def test_done_may_be_missing(self) -> None:
        assert choice_of(said({"content": "x"}), STOP, end=b"").finish == "stop"
        cut = stream_of([said({"content": "x"}), STOP], end=b"").removesuffix(b"\n\n")
        assert choice_of(cut, end=b"").finish == "stop"

    @pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
    def test_an_end_without_a_finish_is_an_interruption(self, end: bytes) -> None:
        events = events_of(said({"content": "x"}), end=end)
        assert PartDelta(index=1, text="x") in events
        assert isinstance(failure_of(said({"content": "x"}), end=end), Interrupted)

    def test_nothing_at_all_is_an_interruption(self) -> None:
        assert isinstance(failure_of(end=b""), Interrupted)

    def test_a_choice_left_unfinished_interrupts_the_answer(self) -> None:
        assert isinstance(
            failure_of(said({"content": "a"}, "stop"), said({"content": "b"}, index=1)), Interrupted
        )

    def test_what_follows_done_is_ignored(self) -> None:
        events = events_of(
            said({"content": "x"}, "stop"), end=stream_of([]) + frame(said({"content": "y"})) + b"nonsense"
        )
        assert isinstance(events[-1], Finished)


def test_choices_may_interleave() -> None:
    answer = answer_to(
        said({"content": "b"}, index=1), said({"content": "a"}), said({}, "stop"), said({}, "length", index=1)
    )
    assert [(choice.index, choice.parts, choice.finish) for choice in answer.choices] == [
        (0, (Text(text="a"),), "stop"),
        (1, (Text(text="b"),), "length"),
    ]


@pytest.mark.parametrize("index", [None, -1, 10**9, "zero"])
def test_a_nonsense_choice_index_is_its_place(index: object) -> None:
    chunk = said({"content": "x"}, "stop")
    chunk["choices"][0]["index"] = index
    assert choice_of(chunk).index == 0


def test_log_probabilities_are_read_before_their_text() -> None:
    token = {
        "token": "x",
        "logprob": 0,
        "bytes": None,
        "top_logprobs": [{"token": "y", "logprob": -1.5, "bytes": [121]}],
    }
    chunk = said({"content": "x"}, "stop")
    chunk["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    events = events_of(chunk)
    rival = TokenAlternative(token="y", logprob=-1.5, bytes=(121,))
    reported = LogprobsReported(tokens=(TokenLogprob(token="x", logprob=0.0, top=(rival,)),))
    assert events.index(reported) < events.index(PartDelta(index=1, text="x"))


@pytest.mark.parametrize(
    "logprobs", [{"tokens": ["x"], "token_logprobs": [-1]}, {"content": "x"}, {"content": [{"token": 5}]}, []]
)
def test_log_probabilities_of_another_shape_are_left_out(logprobs: object) -> None:
    chunk = said({"content": "x"}, "stop")
    chunk["choices"][0]["logprobs"] = logprobs
    assert choice_of(chunk).logprobs == ()


class TestUsage:
    COUNTS: Json = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}  # noqa: RUF012
    USAGE = Usage(input_tokens=3, output_tokens=2)

    @pytest.mark.parametrize(
        "chunks",
        [
            [said({"content": "x"}, "stop"), counted(**COUNTS)],
            [said({"content": "x"}), counted(**COUNTS), STOP],
            [said({"content": "x"}, "stop", usage=COUNTS)],
            [said({"content": "x"}, "stop", x_groq={"id": "r", "usage": COUNTS})],
            [
                said({"content": "x"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
                said({}, "stop", usage=COUNTS),
            ],
            [said({"content": "x"}, "stop", usage=COUNTS), counted(**COUNTS)],
            [
                said({"content": "x"}, "stop"),
                counted(**COUNTS),
                {"choices": [], "usage": None, "moderation": {}},
            ],
            [said({"content": "x"}, "stop"), {"usage": COUNTS}],
        ],
    )
    def test_usage_is_read_wherever_it_stands_and_the_last_wins(self, chunks: list[Json]) -> None:
        assert answer_to(*chunks).usage == self.USAGE

    def test_the_same_report_is_told_once(self) -> None:
        events = events_of(said({"content": "x"}, "stop", usage=self.COUNTS), counted(**self.COUNTS))
        assert len([event for event in events if isinstance(event, UsageReported)]) == 1

    @pytest.mark.parametrize("usage", ["many", [], {}, {"prompt_tokens": "3"}, {"prompt_tokens": -1}, True])
    def test_nonsense_is_no_report(self, usage: object) -> None:
        assert answer_to(said({"content": "x"}, "stop", usage=usage)).usage is None


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "kind", "status"),
        [
            ({"error": {"message": "m", "type": "server_error", "code": None}}, Overloaded, 500),
            (
                {"error": {"message": "m", "code": 429, "metadata": {"error_type": "rate_limit_exceeded"}}},
                Limited,
                429,
            ),
            (
                {"error": {"message": "m", "code": 400}, "choices": [{"index": 0, "delta": {"content": ""}}]},
                Rejected,
                400,
            ),
            (
                {
                    "error": {
                        "message": "m",
                        "type": "invalid_request_error",
                        "code": "tool_use_failed",
                        "status_code": 400,
                    }
                },
                Rejected,
                400,
            ),
            ({"error": {"message": "m", "code": "invalid_api_key"}}, BadCredential, 401),
            ({"error": "m"}, Overloaded, 500),
            ({"object": "error", "message": "m", "code": 400}, Rejected, 400),
            ({"object": "error", "message": "m", "type": "x", "raw_status_code": 503}, Overloaded, 503),
            ({"detail": "m"}, Overloaded, 500),
            ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], Rejected, 400),
            (
                {"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "m"}}]},
                Overloaded,
                502,
            ),
        ],
    )
    def test_an_error_in_a_stream_is_a_failure(self, error: Any, kind: type[RelayError], status: int) -> None:
        failure = failure_of(said({"content": "x"}), error)
        assert type(failure) is kind
        assert failure.provider_status == status

    def test_an_event_named_error_is_one(self) -> None:
        assert isinstance(failure_of(b'event: error\ndata: {"message":"m","code":400}\n\n'), Rejected)

    @pytest.mark.parametrize("absent", [None, {}, "", False])
    def test_an_error_that_is_empty_is_none(self, absent: object) -> None:
        assert choice_of(said({"content": "x"}, "stop", error=absent)).finish == "stop"

    def test_usage_beside_an_error_is_still_read(self) -> None:
        chunk = said({"content": ""}, usage={"prompt_tokens": 3}, error={"code": 400, "message": "m"})
        assert UsageReported(usage=Usage(input_tokens=3)) in events_of(chunk)

    def test_an_error_after_the_finish_is_a_failure(self) -> None:
        assert isinstance(
            failure_of(said({"content": "x"}, "length"), {"error": {"code": 400, "message": "m"}}), Rejected
        )
        events = events_of(said({"content": "x"}, "length"), {"error": {"code": 400, "message": "m"}})
        assert not [event for event in events if isinstance(event, Finished)]

    def test_nothing_follows_a_failure(self) -> None:
        decoder = DIALECT.decoder()
        assert isinstance(decoder.feed(frame({"error": "m"}))[-1], Failed)
        assert decoder.feed(frame(said({"content": "x"}))) == []
        assert decoder.close() == []

    @pytest.mark.parametrize(
        "data", [b"data: {\n\n", b"data: ping\n\n", b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n']
    )
    def test_what_is_not_json_is_malformed(self, data: bytes) -> None:
        assert isinstance(failure_of(data), Malformed)


class TestInPlaceOfAStream:
    def test_a_whole_answer_is_read(self) -> None:
        body = whole(
            {"role": "assistant", "content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 2}
        )
        assert choice_of(b"\xef\xbb\xbf \n" + body, end=b"").parts == (Text(text="x"),)

    def test_an_error_is_read(self) -> None:
        body = b'[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]'
        assert isinstance(failure_of(body, end=b""), Limited)

    def test_half_an_object_is_malformed(self) -> None:
        assert isinstance(failure_of(b'{"choices":[', end=b""), Malformed)


class TestWhole:
    def test_a_whole_answer_means(self) -> None:
        message = {
            "role": "assistant",
            "content": None,
            "reasoning": "hm",
            "refusal": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"n": 1}'}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"n": 1.5}}},
            ],
        }
        answer = DIALECT.decode_response(
            b" \n" + whole(message, usage={"prompt_tokens": 1, "completion_tokens": 2})
        )
        (choice,) = answer.choices
        assert choice.parts == (
            Thinking(text="hm"),
            ToolCall(id="a", name="f", arguments='{"n": 1}'),
            ToolCall(id="b", name="g", arguments='{"n":1.5}'),
        )
        assert choice.finish == "tool_calls"
        assert answer.usage == Usage(input_tokens=1, output_tokens=2)

    def test_choices_that_share_an_index_are_told_apart(self) -> None:
        choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
        answer = DIALECT.decode_response(json.dumps({"choices": [choice, choice]}).encode())
        assert [choice.index for choice in answer.choices] == [0, 1]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"<html>",
            b'{"choices":[]}',
            b'{"choices":null}',
            b'"x"',
            whole({"content": "x"}, None),
        ],
    )
    def test_what_is_no_answer_is_malformed(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            DIALECT.decode_response(body)

    def test_an_error_in_a_good_status_is_a_failure(self) -> None:
        with pytest.raises(Overloaded) as caught:
            DIALECT.decode_response(b'{"error":{"code":502,"message":"m"},"choices":[]}')
        assert caught.value.provider_status == 502

    def test_a_stream_in_place_of_a_whole_answer_is_read(self) -> None:
        answer = DIALECT.decode_response(b": ping\n\n" + stream_of([said({"content": "x"}), STOP]))
        assert answer.choices[0].parts == (Text(text="x"),)
        with pytest.raises(Malformed):
            DIALECT.decode_response(stream_of([said({"content": "x"})]))

    def test_renaming_touches_the_model_only(self) -> None:
        body = b'{"x":1.0,"model":"m","choices":[ {"a" : 1e5} ]}'
        assert DIALECT.rename_response(body, "n") == b'{"x":1.0,"model":"n","choices":[ {"a" : 1e5} ]}'
        assert json.loads(DIALECT.rename_response(b'{"t":"\\ud83d"}', "n")) == {"t": "\ufffd", "model": "n"}

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":"\xff"}', b'{"a":' * 9999])
    def test_what_is_no_object_cannot_be_renamed(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            DIALECT.rename_response(body, "n")


def test_started_comes_first_and_once() -> None:
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    events = events_of(
        azure, said({"content": "x"}), said({"content": "y"}, "stop"), counted(prompt_tokens=1)
    )
    assert events[0] == Started(id="c1", model="m", created=7)
    assert len([event for event in events if isinstance(event, Started)]) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_bytes_may_be_cut_anywhere(size: int) -> None:
    data = stream_of([said({"content": "ü😀"}), b": ping\r\n\r\n", said({}, "stop")]).replace(b"\n", b"\r\n")
    data = data.replace(b"\\u00fc", "ü".encode())
    decoder = DIALECT.decoder()
    events = [
        event for start in range(0, len(data), size) for event in decoder.feed(data[start : start + size])
    ]
    assert PartDelta(index=1, text="ü😀") in events
    assert isinstance([*events, *decoder.close()][-1], Finished)
