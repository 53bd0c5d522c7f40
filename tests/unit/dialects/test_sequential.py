"""Parts that were open side by side, put in a row: nothing is lost, and nothing overtakes a call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.dialects.sequential import Sequencer, in_a_row
from relay.domain.chat import Citation, Opaque, Text, Thinking, ToolCall
from relay.domain.events import (
    Finished,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    StreamEvent,
)
from relay.domain.folding import fold

SEARCH = Opaque(origin="anthropic.messages", json='{"type":"search"}')
END = Finished(reason="stop")
KINDS: tuple[PartKind, ...] = ("text", "thinking", "tool_call", "refusal")


def start(index: int, kind: PartKind = "text", call_id: str = "") -> PartStarted:
    return PartStarted(index=index, kind=kind, call_id=call_id, name="f" if call_id else "")


def said(index: int, text: str) -> PartDelta:
    return PartDelta(index=index, text=text)


def row(*events: StreamEvent) -> tuple[object, ...]:
    return fold(in_a_row([*events, END])).choices[0].parts


def check_in_a_row(events: list[StreamEvent]) -> None:
    """One part is open at a time, and indexes rise without gaps."""
    open_part: int | None = None
    count = 0
    for event in events:
        match event:
            case PartStarted(index=index):
                assert (open_part, index) == (None, count)
                open_part, count = index, count + 1
            case PartDelta(index=index) | SignatureDelta(index=index):
                assert index == open_part
            case PartEnded(index=index):
                assert index == open_part
                open_part = None
            case OpaqueReported(index=index):
                assert (open_part, index) == (None, count)
                count += 1
            case _:
                pass
    assert open_part is None


def test_a_text_that_thinking_interrupts_goes_on_behind_it() -> None:
    interrupted = (start(1), said(1, "a"), start(0, "thinking"), said(0, "hm"), said(1, "b"))
    parts = row(*interrupted, PartEnded(index=0), PartEnded(index=1))
    assert parts == (Text(text="a"), Thinking(text="hm"), Text(text="b"))


def test_a_call_is_not_taken_apart_by_one_that_runs_beside_it() -> None:
    parts = row(
        start(0, "tool_call", "a"), said(0, '{"x"'), start(1, "tool_call", "b"), said(1, "{}"), said(0, ":1}"),
        PartEnded(index=1), PartEnded(index=0),
    )  # fmt: skip
    assert parts == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="f", arguments="{}"),
    )


def test_what_a_call_holds_up_is_said_once_it_ends() -> None:
    sequencer = Sequencer()
    held: tuple[StreamEvent, ...] = (
        start(0, "tool_call", "a"), start(1), said(1, "after"), OpaqueReported(index=2, part=SEARCH),
    )  # fmt: skip
    assert [type(event) for event in (each for event in held for each in sequencer.push(event))] == [
        PartStarted
    ]
    released = sequencer.push(PartEnded(index=0))
    assert [type(event) for event in released] == [
        PartEnded,
        PartStarted,
        PartDelta,
        PartEnded,
        OpaqueReported,
    ]


def test_a_call_that_never_ends_holds_nothing_up_for_ever() -> None:
    parts = row(start(0, "tool_call", "a"), start(1, "tool_call", "b"), start(2), said(2, "x"))
    assert [type(part) for part in parts] == [ToolCall, ToolCall, Text]


def test_the_end_of_a_part_that_said_nothing_is_a_part() -> None:
    assert row(start(0), PartEnded(index=0)) == (Text(text=""),)
    assert row(start(0, "tool_call", "a"), PartEnded(index=0)) == (ToolCall(id="a", name="f", arguments=""),)


def test_what_the_last_piece_cites_is_kept_and_what_comes_too_late_is_not() -> None:
    source = (Citation(url="https://example.org"),)
    kept = row(start(0), said(0, "a"), PartEnded(index=0, citations=source))
    late = row(
        start(0), said(0, "a"), OpaqueReported(index=1, part=SEARCH), PartEnded(index=0, citations=source)
    )
    assert kept == (Text(text="a", citations=source),)
    assert late == (Text(text="a"), SEARCH)


@st.composite
def interleaved(draw: st.DrawFn) -> list[StreamEvent]:
    """Parts of all kinds, their events in any order that keeps each part's own."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=4))
    lanes: list[list[StreamEvent]] = []
    for index, kind in enumerate(kinds):
        texts = draw(st.lists(st.text("abc", min_size=1, max_size=3), max_size=3))
        begun = start(index, kind, f"c{index}" if kind == "tool_call" else "")
        lanes.append([begun, *(said(index, text) for text in texts), PartEnded(index=index)])
    events: list[StreamEvent] = []
    while any(lanes):
        events.append(draw(st.sampled_from([lane for lane in lanes if lane])).pop(0))
    return [*events, END]


@pytest.mark.law
@given(interleaved())
def test_any_order_comes_in_a_row_with_all_that_was_said(events: list[StreamEvent]) -> None:
    in_row = list(in_a_row(events))
    check_in_a_row(in_row)
    told, original = fold(in_row).choices[0].parts, fold(events).choices[0].parts
    calls = {part for part in original if isinstance(part, ToolCall)}
    assert {part for part in told if isinstance(part, ToolCall)} == calls
    for kind in (Text, Thinking):
        letters = [
            sorted("".join(part.text for part in parts if isinstance(part, kind)))
            for parts in (told, original)
        ]
        assert letters[0] == letters[1]
