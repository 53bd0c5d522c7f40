"""A stream of the dialect passed through."""

import json

import pytest

from relay.adapters.dialects.base import Tapped
from relay.adapters.dialects.openai_chat import DIALECT
from relay.domain.events import Failed, Finished, PartDelta, UsageReported
from relay.domain.usage import Usage
from tests.unit.dialects.openai_chat.talk import (
    DONE,
    Json,
    a_scene,
    counted,
    deltas_of,
    frames_of,
    said,
    stream_of,
    whole,
)

FIRST = said({"role": "assistant", "content": ""})
STOP = said({}, "stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "cost": 0.1}


def tapped(*chunks: Json | bytes, include_usage: bool = False, end: bytes = DONE) -> tuple[Tapped, Tapped]:
    tap = DIALECT.tap(a_scene(include_usage=include_usage))
    return tap.feed(stream_of(chunks, end)), tap.close()


def passed(*chunks: Json | bytes, include_usage: bool = False) -> bytes:
    first, last = tapped(*chunks, include_usage=include_usage)
    return first.raw + last.raw


def test_only_the_models_name_is_changed() -> None:
    choices = b'[{"index":0,"delta":{"role":"assistant"},"n":1e5}]'
    frame = b'data: {"vendor":{"x" : 1.0},"model":"m","choices":%b}\n\n' % choices
    first, _ = tapped(frame)
    assert first.raw == frame.replace(b'"m"', b'"asked-for"')


def test_comments_event_names_and_chunks_without_choices_are_dropped() -> None:
    noise: list[Json | bytes] = [
        b": ping\n\n",
        b"event: message\nid: 4\nretry: 9\n",
        {"choices": None},
        {"id": "c1"},
    ]
    assert passed(FIRST, *noise, STOP) == passed(FIRST, STOP)


def test_an_event_of_several_lines_becomes_one_line() -> None:
    pretty = json.dumps(said({"role": "assistant", "content": "x"}), indent=1)
    frame = b"".join(b"data: %b\n" % line.encode() for line in pretty.splitlines()) + b"\n"
    first, _ = tapped(frame)
    assert first.raw.count(b"\n") == 2
    assert deltas_of(first.raw) == [{"role": "assistant", "content": "x"}]


def test_line_separators_are_escaped() -> None:
    chunk = said({"role": "assistant", "content": "SEP"})
    frame = stream_of([chunk], end=b"").replace(b"SEP", "\u2028\u2029\u0085".encode())
    assert b"\\u2028\\u2029\\u0085" in passed(frame)


def test_irregular_text_is_cleaned() -> None:
    first, _ = tapped(b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"\\ud83d"}}]}\n\n')
    assert deltas_of(first.raw) == [{"role": "assistant", "content": "\ufffd"}]


def test_the_end_comes_from_closing_alone() -> None:
    first, last = tapped(FIRST, said({"content": "x"}), STOP)
    assert deltas_of(first.raw) == [{"role": "assistant", "content": ""}, {"content": "x"}]
    assert deltas_of(last.raw) == [{}]
    assert last.raw.endswith(DONE)
    assert DONE not in first.raw


class TestUsage:
    @pytest.mark.parametrize(
        "chunks",
        [
            [FIRST, STOP, counted(**USAGE)],
            [FIRST, counted(**USAGE), STOP],
            [FIRST, said({}, "stop", usage=USAGE)],
            [said({"role": "assistant"}, usage={"prompt_tokens": 3}), said({}, "stop", usage=USAGE)],
            [FIRST, said({}, "stop", usage=USAGE), counted(**USAGE)],
        ],
    )
    def test_it_is_the_last_chunk_when_asked_for_and_absent_otherwise(self, chunks: list[Json]) -> None:
        *others, last = frames_of(passed(*chunks, include_usage=True))
        assert (last["choices"], last["usage"], last["model"]) == ([], USAGE, "asked-for")
        assert not [chunk for chunk in others if chunk.get("usage") or not chunk["choices"]]
        assert not [chunk for chunk in frames_of(passed(*chunks)) if "usage" in chunk or not chunk["choices"]]

    def test_it_is_told_in_either_case(self) -> None:
        first, _ = tapped(FIRST, STOP, counted(**USAGE))
        assert UsageReported(usage=Usage(input_tokens=3, output_tokens=1)) in first.events

    def test_a_chunk_without_choices_that_is_not_usage_is_passed(self) -> None:
        moderation: Json = {"choices": [], "moderation": {"flagged": False}, "usage": None}
        assert b"flagged" in passed(FIRST, STOP, counted(**USAGE), moderation)


class TestRepairs:
    def test_a_repeated_role_is_sent_once(self) -> None:
        chunks = [said({"role": "assistant", "content": text}) for text in ("a", "b")]
        assert deltas_of(passed(*chunks, STOP)) == [
            {"role": "assistant", "content": "a"},
            {"content": "b"},
            {},
        ]

    def test_a_missing_role_is_added(self) -> None:
        deltas = deltas_of(passed(said({"content": "a"}), said({"content": "b"}), STOP))
        assert deltas == [{"role": "assistant", "content": "a"}, {"content": "b"}, {}]

    def test_a_finish_is_sent_once_and_alone(self) -> None:
        chunks = frames_of(
            passed(
                FIRST, said({"content": "a"}, "stop", x=1), said({"role": "assistant", "content": ""}, "stop")
            )
        )
        choices = [chunk["choices"][0] for chunk in chunks]
        assert [(choice["delta"], choice["finish_reason"]) for choice in choices] == [
            ({"role": "assistant", "content": ""}, None),
            ({"content": "a"}, None),
            ({}, "stop"),
        ]
        assert chunks[-1]["x"] == 1

    def test_log_probabilities_stay_with_their_text(self) -> None:
        chunk = said({"role": "assistant", "content": "a"}, "stop")
        chunk["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1.0}]}
        choices = [chunk["choices"][0] for chunk in frames_of(passed(chunk))]
        assert [choice["logprobs"] is None for choice in choices] == [False, True]

    def test_an_answer_of_one_chunk_gets_its_role(self) -> None:
        assert deltas_of(passed(STOP)) == [{"role": "assistant"}, {}]

    def test_each_choice_is_repaired_by_itself(self) -> None:
        two = {
            "choices": [
                {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": "stop"},
                {"index": 1, "delta": {"content": "b"}, "finish_reason": None},
            ]
        }
        chunks = frames_of(passed(two, said({}, "length", index=1)))
        assert [choice["delta"] for choice in chunks[0]["choices"]] == [
            {"role": "assistant", "content": "a"},
            {"role": "assistant", "content": "b"},
        ]
        ends = [choice for chunk in chunks[1:] for choice in chunk["choices"]]
        assert [(end["index"], end["finish_reason"]) for end in ends] == [(0, "stop"), (1, "length")]


class TestFailures:
    def test_a_failure_is_told_and_not_passed_on(self) -> None:
        first, last = tapped(
            FIRST, said({"content": "x"}), STOP, {"error": {"code": 400, "message": "secret"}}
        )
        assert isinstance(first.events[-1], Failed)
        assert deltas_of(first.raw) == [{"role": "assistant", "content": ""}, {"content": "x"}]
        assert last == Tapped(events=[], raw=b"")

    def test_a_stream_without_a_finish_has_no_end(self) -> None:
        first, last = tapped(FIRST, said({"content": "x"}), end=b"")
        assert b"[DONE]" not in first.raw + last.raw
        assert isinstance(last.events[-1], Failed)

    def test_nothing_follows_the_end(self) -> None:
        tap = DIALECT.tap(a_scene())
        tap.feed(stream_of([FIRST, STOP]))
        tap.close()
        assert tap.feed(stream_of([FIRST])).raw == b""
        assert tap.close().raw == b""


def test_a_whole_answer_in_place_of_a_stream_becomes_one() -> None:
    tap = DIALECT.tap(a_scene(include_usage=True))
    assert tap.feed(whole({"content": "x"}, usage=USAGE)).raw == b""
    last = tap.close()
    assert deltas_of(last.raw) == [{"role": "assistant", "content": ""}, {"content": "x"}, {}]
    assert frames_of(last.raw)[-1]["usage"]["prompt_tokens"] == 3
    assert any(isinstance(event, Finished) for event in last.events)


def test_content_is_told_for_metering() -> None:
    first, _ = tapped(FIRST, said({"content": "x"}), said({"reasoning": "y"}), STOP)
    assert [event.text for event in first.events if isinstance(event, PartDelta)] == ["x", "y"]
