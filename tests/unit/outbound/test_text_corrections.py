"""Thoughts and fences taken out of a text while it streams, whatever the pieces."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.outbound.providers.text_corrections import (
    MAX_HELD,
    Correction,
    FenceScanner,
    ScannedText,
    TagScanner,
)
from relay.domain.chat import Citation, Refusal, Text, Thinking, ToolCall
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    Finished,
    PartDelta,
    PartEnded,
    PartStarted,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import fold, unfold
from relay.domain.usage import Usage

type Scanner = type[TagScanner] | type[FenceScanner]

THOUGHTS: list[tuple[str, tuple[str, str]]] = [
    ("<think>why</think>because", ("why", "because")),
    ("<think>\nwhy\n</think>\n\nbecause\n", ("why\n", "because\n")),
    (" \n<think>why</think>because", ("why", "because")),
    ("<think></think>because", ("", "because")),
    ("<think>\n\n</think>\n\n", ("", "")),
    ("<think>why", ("why", "")),
    ("<think>1 </ 2 </thin 3</think>4", ("1 </ 2 </thin 3", "4")),
    ("<think>why</thi", ("why</thi", "")),
    ("<think>a</think>b<think>c</think>d", ("a", "b<think>c</think>d")),
    ("<think>a<think>b</think>c", ("a<think>b", "c")),
    ("because <think>why</think>", ("", "because <think>why</think>")),
    ("<thinker>", ("", "<thinker>")),
    ("<thi", ("", "<thi")),
    (" ", ("", " ")),
    ("</think>x", ("", "</think>x")),
    ("<think>ä\u2028\U0001f600</think>漢字", ("ä\u2028\U0001f600", "漢字")),
]
FENCED: list[tuple[str, str]] = [
    ('```json\n{"a": 1}\n```', '{"a": 1}'),
    ('```\n{"a": 1}\n```', '{"a": 1}'),
    ('\n ```JSON \n\n{"a": 1}\n``` \n', '{"a": 1}'),
    ('```json5\n{"a": 1}\n```', '{"a": 1}'),
    ('```json{"a":1}```', '{"a":1}'),
    ("```json\n[1, 2]\n```", "[1, 2]"),
    ('```json\n"a"\n```', '"a"'),
    ("```json\n-5\n```", "-5"),
    ('```json\n{"a": "```"}\n```', '{"a": "```"}'),
    ('```json\n{\n\n "a": "x ``` y"\n}\n```', '{\n\n "a": "x ``` y"\n}'),
    ('```json\n{"a": 1', '{"a": 1'),
    ('```json\n{"a": 1}\n``', '{"a": 1}\n``'),
    ('```json\n{"a": 1}\n```\nIs that it?', '{"a": 1}\n```\nIs that it?'),
]
UNTOUCHED = [
    '{"a": 1}',
    '{"a": "```json"}\n',
    'Here you are:\n```json\n{"a": 1}\n```',
    "```python\n{1: 2}\n```",
    "```js\n{}\n```",
    "```json\nnothing\n```",
    "```text\n",
    "```",
    "``",
    " \n",
    "",
]


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def corrected(scanner: Scanner, pieces: Sequence[str]) -> tuple[AnswerPart, ...]:
    """The parts of an answer whose text came in these pieces."""
    said: list[StreamEvent] = [PartDelta(index=1, text=piece) for piece in pieces]
    events = [PartStarted(index=1, kind="text"), *said, PartEnded(index=1), Finished(reason="stop")]
    correction: Correction = ScannedText(scanner)
    [choice] = fold([out for event in events for out in correction.correct([event])]).choices
    return choice.parts


def parts_of(thought: str, text: str) -> tuple[AnswerPart, ...]:
    parts: list[AnswerPart] = []
    if thought:
        parts.append(Thinking(text=thought))
    if text or not thought:
        parts.append(Text(text=text))
    return tuple(parts)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 1000])
@pytest.mark.parametrize(("text", "expected"), THOUGHTS)
def test_a_thought_at_the_beginning_is_taken_out(text: str, expected: tuple[str, str], size: int) -> None:
    assert corrected(TagScanner, pieces_of(text, size)) == parts_of(*expected)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 1000])
@pytest.mark.parametrize(("text", "expected"), [*FENCED, *((text, text) for text in UNTOUCHED)])
def test_a_fence_is_taken_off_json_and_off_nothing_else(text: str, expected: str, size: int) -> None:
    assert corrected(FenceScanner, pieces_of(text, size)) == (Text(text=expected),)


FRAGMENTS = st.sampled_from(
    ["<think>", "</think>", "<th", "ink>", "</", "```", "`", "json", "\n", " ", "{", "}", '"', "a", "1", "ß"]
)


@given(st.lists(FRAGMENTS, max_size=12).map("".join), st.sampled_from([TagScanner, FenceScanner]), st.data())
def test_the_pieces_make_no_difference(text: str, scanner: Scanner, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert corrected(scanner, pieces) == corrected(scanner, [text])


@given(st.lists(FRAGMENTS, max_size=12).map("".join))
def test_nothing_is_lost_but_tags_fences_and_white_space(text: str) -> None:
    def letters(parts: Sequence[AnswerPart]) -> str:
        said = "".join(part.text for part in parts if isinstance(part, Text | Thinking))
        return "".join(letter for letter in said if letter in '{}"a1ß')

    expected = letters([Text(text=text)])
    assert letters(corrected(TagScanner, [text])) == expected
    assert letters(corrected(FenceScanner, [text])) == expected


@pytest.mark.parametrize("scanner", [TagScanner, FenceScanner])
def test_what_may_be_shown_is_shown_at_once(scanner: Scanner) -> None:
    correction = ScannedText(scanner)
    correction.correct([PartStarted(index=1, kind="text")])
    for piece in ("a", "b", "```", " <think>"):
        events = correction.correct([PartDelta(index=1, text=piece)])
        assert [event.text for event in events if isinstance(event, PartDelta)] == [piece]


@pytest.mark.parametrize(
    ("scanner", "beginning"), [(TagScanner, ""), (TagScanner, "<think>why"), (FenceScanner, '```json\n{"a":')]
)
def test_white_space_without_end_is_not_piled_up(scanner: Scanner, beginning: str) -> None:
    correction = ScannedText(scanner)
    correction.correct([PartStarted(index=1, kind="text"), PartDelta(index=1, text=beginning)])
    blanks = 4 * MAX_HELD
    shown = [correction.correct([PartDelta(index=1, text=" ")]) for _ in range(blanks)]
    said = sum(len(event.text) for events in shown for event in events if isinstance(event, PartDelta))
    assert said >= blanks - MAX_HELD - 1


def test_other_parts_and_choices_stay_what_they_are() -> None:
    call = ToolCall(id="c", name="f", arguments='{"a":1}')
    tagged = Text(text="<think>why</think>because")
    response = ChatResponse(
        choices=(
            Choice(parts=(Thinking(text="seen", signature="s"), tagged, call), finish="tool_calls"),
            Choice(parts=(Refusal(text="<think>no</think>"), tagged, tagged), finish="stop", index=1),
            Choice(parts=(call,), finish="tool_calls", index=2),
        ),
        id="x",
        model="m",
        usage=Usage(input_tokens=1),
    )
    events = ScannedText(TagScanner).correct(unfold(response))
    assert UsageReported(usage=Usage(input_tokens=1)) in events
    folded = fold(events)
    thought, text = Thinking(text="why"), Text(text="because")
    first, second, third = folded.choices
    assert first.parts == (Thinking(text="seen", signature="s"), thought, text, call)
    assert second.parts == (Refusal(text="<think>no</think>"), thought, text, tagged)
    assert third.parts == (call,)
    assert (folded.id, folded.model, folded.usage) == (response.id, response.model, response.usage)


def test_thoughts_go_first_and_then_the_fence() -> None:
    text = '<think>JSON?</think>\n```json\n{"a": 1}\n```'
    response = ChatResponse(choices=(Choice(parts=(Text(text=text),), finish="stop"),))
    events = ScannedText(FenceScanner).correct(ScannedText(TagScanner).correct(unfold(response)))
    assert fold(events).choices[0].parts == (Thinking(text="JSON?"), Text(text='{"a": 1}'))


@pytest.mark.parametrize(
    ("scanner", "text"), [(TagScanner, "<think>why</think>\nBecause"), (FenceScanner, "```json\n[12345]")]
)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_citation_keeps_its_place_in_what_is_left(scanner: Scanner, text: str, size: int) -> None:
    start = len(text) - 7
    citations = (Citation(url="u", start=start, end=start + 3), Citation(url="v"), Citation(url="w", end=1))
    correction = ScannedText(scanner)
    deltas: list[StreamEvent] = [PartDelta(index=1, text=piece) for piece in pieces_of(text, size)]
    events = [PartStarted(index=1, kind="text"), *deltas, PartEnded(index=1, citations=citations)]
    last = [out for event in events for out in correction.correct([event])][-1]
    assert isinstance(last, PartEnded)
    assert last.citations == (Citation(url="u", end=3), Citation(url="v"), Citation(url="w"))
