"""What providers' answers mean, however they put them."""

from typing import Any

import pytest

from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.chat import Refusal, Text, Thinking
from relay.domain.errors import (
    Interrupted,
    Overloaded,
)
from relay.domain.events import (
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
    choice_of,
    counted,
    events_of,
    failure_of,
    frame,
    said,
    stream_of,
)

STOP = said({}, "stop")


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


def test_thinking_in_an_irregular_chunk_is_read_too() -> None:
    for thinking in ([{"type": "text", "text": "hm"}], "hm"):
        chunk = said({"content": [{"type": "thinking", "thinking": thinking}, 5]})
        assert choice_of(chunk, STOP).parts == (Thinking(text="hm"),)


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


def test_a_refusal_may_stand_in_a_list() -> None:
    assert choice_of(said({"content": [{"type": "refusal", "refusal": "no"}]}), STOP).parts == (
        Refusal(text="no"),
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

    @pytest.mark.parametrize("rest", [b"data: [DO", b'data: {"choices":[],"usage":{"prompt_to', b"da"])
    def test_an_event_cut_short_after_the_finish_takes_nothing_away(self, rest: bytes) -> None:
        assert choice_of(said({"content": "x"}), STOP, end=rest).parts == (Text(text="x"),)
        assert isinstance(failure_of(said({"content": "x"}), end=rest), Interrupted)

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
