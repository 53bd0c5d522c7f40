"""Laws of answers within one dialect: cut, round trip, whole and stream, and the tap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from hypothesis import strategies as st

from relay.domain.events import (
    ChatResponse,
    Failed,
    Finished,
    LogprobsReported,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import fold, unfold
from relay.domain.usage import Usage
from tests.support.laws.language import (
    Language,
    a_scene,
    comparable,
    failure_of,
    has_content,
)
from tests.support.laws.law import Law
from tests.support.strategies.answers import responses
from tests.support.strategies.cuts import chunked, sizes, streams_of
from tests.support.strategies.mutations import damaged


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, the events it came as, and how its bytes are cut."""

    response: ChatResponse
    events: Sequence[StreamEvent]
    lengths: Sequence[int]


@dataclass(frozen=True, slots=True)
class Stream:
    """A provider's bytes, valid or not, and how they are cut."""

    data: bytes
    lengths: Sequence[int]


@st.composite
def _answers(draw: st.DrawFn) -> Answer:
    response = draw(_responses)
    return Answer(response, draw(streams_of(response)), draw(sizes))


_responses = st.one_of(responses(), responses(), responses(max_choices=2))
_every_answer = _answers()


def answers(_: object = None) -> st.SearchStrategy[Answer]:
    """Answers of one choice mostly, the same for every dialect."""
    return _every_answer


@st.composite
def streams(draw: st.DrawFn, language: Language) -> Stream:
    """A provider's stream: whole, broken off, or damaged."""
    answer = draw(_every_answer)
    valid = language.written(answer.events, a_scene())
    shape = draw(st.sampled_from(("whole", "broken off", "damaged")))
    if shape == "broken off":
        return Stream(valid[: draw(st.integers(0, len(valid)))], answer.lengths)
    if shape == "damaged":
        return Stream(draw(damaged(st.just(valid))), answer.lengths)
    return Stream(valid, answer.lengths)


def _cut(language: Language, stream: Stream) -> None:
    at_once = comparable(language.read([stream.data]))
    assert comparable(language.read(chunked(stream.data, stream.lengths))) == at_once
    assert comparable(language.read(chunked(stream.data, [1]))) == at_once


def _round_trip(language: Language, answer: Answer) -> None:
    data = language.written(answer.events, a_scene())
    read = fold(language.read(chunked(data, answer.lengths)))
    assert read == language.expected(answer.response, a_scene())


def _usage_on_request(language: Language, answer: Answer) -> None:
    scene = a_scene(include_usage=False)
    events = language.read([language.written(answer.events, scene)])
    expected = language.expected(answer.response, scene)
    if not language.always_tells_usage:
        expected = replace(expected, usage=None)
    assert fold(events) == expected


def _whole_is_stream(language: Language, answer: Answer) -> None:
    read = language.dialect.decode_response(language.dialect.encode_response(answer.response, a_scene()))
    assert read == fold(language.read([language.written(unfold(answer.response), a_scene())]))
    assert read == language.expected(answer.response, a_scene())


def _glance_agrees(language: Language, answer: Answer) -> None:
    """Also where the body is cut: what the decoder refuses is not glanced at."""
    body = language.dialect.encode_response(answer.response, a_scene())
    for part in (body, body[: sum(answer.lengths) % len(body)]):
        if (glanced := language.dialect.glance(part)) is None:
            continue
        read = language.dialect.decode_response(part)
        assert [event.usage for event in glanced if isinstance(event, UsageReported)] == [read.usage]
        assert any(isinstance(event, Finished) for event in glanced)


def _norm_settles(language: Language, answer: Answer) -> None:
    once = language.expected(answer.response, a_scene())
    assert language.norm(once) == once


def _order(language: Language, stream: Stream) -> None:
    """Events keep the order that `relay.domain.events` promises, whatever the bytes."""
    events = language.read([stream.data])
    failure_of(events)
    opened: set[tuple[int, int]] = set()
    closed: set[tuple[int, int]] = set()
    finished: set[int] = set()
    for event in events:
        match event:
            case PartStarted(choice=choice, index=index):
                assert (choice, index) not in opened
                opened.add((choice, index))
            case PartDelta(choice=choice, index=index) | SignatureDelta(choice=choice, index=index):
                assert (choice, index) in opened - closed
            case PartEnded(choice=choice, index=index):
                assert (choice, index) in opened - closed
                closed.add((choice, index))
            case OpaqueReported(choice=choice, index=index):
                assert (choice, index) not in opened
                opened.add((choice, index))
                closed.add((choice, index))
            case Finished(choice=choice):
                assert choice not in finished
                assert not {place for place in opened - closed if place[0] == choice}
                finished.add(choice)
            case Started() | LogprobsReported() | UsageReported() | Failed():
                pass
            case _:
                assert_never(event)
    if failure_of(events) is None:
        assert {choice for choice, _ in opened} <= finished != set()


def _tap_agrees(language: Language, stream: Stream) -> None:
    full = language.read(chunked(stream.data, stream.lengths))
    for include_usage in (True, False):
        scene = a_scene(model="renamed", include_usage=include_usage)
        seen, raw = language.tapped(chunked(stream.data, stream.lengths), scene)
        assert usage_of(seen) == usage_of(full)
        assert _finishes(seen) == _finishes(full)
        assert _failures(seen) == _failures(full)
        assert has_content(seen) == has_content(full)
        passed = language.read([raw])
        if failure_of(full) is not None:
            assert failure_of(passed) is not None, "what failed must not end as if it had not"
            continue
        told = include_usage or language.always_tells_usage
        expected = fold(full)
        model = "renamed" if language.names_model else expected.model
        assert fold(passed) == replace(expected, model=model, usage=expected.usage if told else None)


def _tap_cut(language: Language, stream: Stream) -> None:
    def passed(lengths: Sequence[int]) -> tuple[list[object], bytes]:
        scene = a_scene(model="renamed")
        events, raw = language.tapped(chunked(stream.data, lengths), scene)
        return comparable(event for event in events if isinstance(event, (UsageReported, Finished))), raw

    at_once = passed([max(1, len(stream.data))])
    assert passed(stream.lengths) == at_once
    assert passed([1]) == at_once


def usage_of(events: Sequence[StreamEvent]) -> Usage | None:
    """What the reports among the events come to."""
    usage: Usage | None = None
    for event in events:
        if isinstance(event, UsageReported):
            usage = event.usage if usage is None else usage.merged(event.usage)
    return usage


def _finishes(events: Sequence[StreamEvent]) -> list[Finished]:
    return sorted((event for event in events if isinstance(event, Finished)), key=lambda event: event.choice)


def _failures(events: Sequence[StreamEvent]) -> list[object]:
    return comparable(event for event in events if isinstance(event, Failed))


CUT = Law("any cut of the bytes gives the same events", streams, _cut)
ORDER = Law("events keep their order whatever the bytes", streams, _order)
ROUND_TRIP = Law("what is written as a stream is read back as its norm", answers, _round_trip)
USAGE_ON_REQUEST = Law("a client that did not ask for usage gets everything else", answers, _usage_on_request)
WHOLE_IS_STREAM = Law("a whole answer is the fold of its stream", answers, _whole_is_stream)
GLANCE_AGREES = Law("a glance at a whole answer counts what its decoder counts", answers, _glance_agrees)
NORM_SETTLES = Law("norm has a fixed point", answers, _norm_settles)
TAP_AGREES = Law("the tap sees and passes on what the decoder reads", streams, _tap_agrees)
TAP_CUT = Law("the tap passes on the same bytes for any cut", streams, _tap_cut)

STREAM_LAWS = (CUT, ORDER, TAP_AGREES, TAP_CUT)
ANSWER_LAWS = (ROUND_TRIP, USAGE_ON_REQUEST, WHOLE_IS_STREAM, GLANCE_AGREES, NORM_SETTLES)
