"""Tool calls of providers, however they come in pieces."""

from typing import Any

import pytest

from tests.unit.dialects.openai_chat.talk import (
    Json,
    calling,
    calls_of,
    choice_of,
    said,
)

STOP = said({}, "stop")


def call(**members: Any) -> Json:
    """A tool call delta; `name` and `arguments` go into its function."""
    function = {key: members.pop(key) for key in ("name", "arguments") if key in members}
    return {**members, "function": function}


def test_fragments_are_joined() -> None:
    assert calls_of(
        calling(call(index=0, id="a", type="function", name="f", arguments="")),
        calling(call(index=0, arguments='{"n"')),
        calling(call(index=0, arguments=":1}"), finish="tool_calls"),
    ) == [("a", "f", '{"n":1}')]


def test_a_whole_call_in_one_chunk_loses_nothing() -> None:
    assert calls_of(calling(call(index=0, id="a", name="f", arguments="{}"), finish="stop")) == [
        ("a", "f", "{}")
    ]


def test_parallel_calls_may_interleave() -> None:
    assert calls_of(
        calling(call(index=0, id="a", name="f"), call(index=1, id="b", name="g")),
        calling(call(index=1, arguments="2"), call(index=0, arguments="1")),
        STOP,
    ) == [("a", "f", "1"), ("b", "g", "2")]


def test_an_index_may_be_missing() -> None:
    assert calls_of(
        calling(call(id="a", name="f", arguments="1")),
        calling(call(arguments="2")),
        calling(call(id="b", name="g", arguments="3")),
        calling(call(id="a", arguments="4")),
        calling(call(name="h")),
        STOP,
    ) == [("a", "f", "124"), ("b", "g", "3"), ("", "h", "")]


def test_one_index_for_two_ids_is_two_calls() -> None:
    assert calls_of(
        calling(call(index=0, id="a", name="f", arguments="1")),
        calling(call(index=0, id="b", name="g", arguments="2")),
        calling(call(index=0, arguments="3")),
        calling(call(index=0, id="a", arguments="4")),
        STOP,
    ) == [("a", "f", "14"), ("b", "g", "23")]


def test_id_and_name_may_be_repeated() -> None:
    piece = calling(call(index=0, id="a", name="f", arguments="1"))
    assert calls_of(piece, piece, STOP) == [("a", "f", "11")]


def test_a_delta_without_a_function_adds_nothing() -> None:
    call_delta = calling(call(index=0, id="a", name="f", arguments="1"))
    assert calls_of(call_delta, calling({"index": 0, "function": "x"}), STOP) == [("a", "f", "1")]


def test_a_call_without_any_name_is_still_told() -> None:
    assert calls_of(calling(call(index=0, id="a", arguments="1")), STOP) == [("a", "", "1")]


def test_a_name_may_come_late() -> None:
    assert calls_of(
        calling(call(index=0, id="a", arguments="1")),
        calling(call(index=0, name="f", arguments="2")),
        STOP,
    ) == [("a", "f", "12")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"a": [1, "ü"]}, '{"a":[1,"ü"]}'), ([], "[]"), (None, ""), ("", ""), (5, "5"), (True, "")],
)
def test_arguments_that_are_no_text_are_spelled(arguments: object, text: str) -> None:
    assert calls_of(calling(call(index=0, id="a", name="f", arguments=arguments)), STOP) == [("a", "f", text)]


@pytest.mark.parametrize("index", ["0", 0.0, None])
def test_an_index_of_another_type_is_understood(index: object) -> None:
    assert calls_of(calling(call(index=index, id="a", name="f", arguments="1")), STOP) == [("a", "f", "1")]


def test_a_stop_after_calls_is_tool_calls() -> None:
    assert choice_of(calling(call(index=0, id="a", name="f")), STOP).finish == "tool_calls"


def test_a_truncated_call_stays_truncated() -> None:
    choice = choice_of(calling(call(index=0, id="a", name="f", arguments='{"n')), said({}, "length"))
    assert choice.finish == "length"
