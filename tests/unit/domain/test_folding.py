"""A whole answer is the fold of its events, however they were cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Interrupted, Overloaded
from relay.domain.events import (
    ChatResponse,
    Choice,
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
    TokenLogprob,
    UsageReported,
)
from relay.domain.folding import Folding, fold, unfold
from relay.domain.usage import Usage
from tests.support.strategies.answers import responses
from tests.support.strategies.cuts import streams_of


@given(responses(max_choices=3))
def test_folding_what_was_unfolded_gives_the_answer_back(response: ChatResponse) -> None:
    assert fold(unfold(response)) == response


@given(st.data())
def test_any_cut_of_the_deltas_folds_to_the_same_answer(data: st.DataObject) -> None:
    response = data.draw(responses(max_choices=3))
    assert fold(data.draw(streams_of(response))) == response


@given(responses(max_choices=2))
def test_the_events_of_an_answer_keep_their_order(response: ChatResponse) -> None:
    events = list(unfold(response))
    assert isinstance(events[0], Started)
    for choice in response.choices:
        own = [event for event in events if getattr(event, "choice", None) == choice.index]
        places = [event.index for event in own if isinstance(event, PartStarted | OpaqueReported)]
        assert places == list(range(len(choice.parts))), "indexes are dense"
        starts = [event.index for event in own if isinstance(event, PartStarted)]
        assert starts == [event.index for event in own if isinstance(event, PartEnded)]
        assert isinstance(own[-1], Finished)
        assert sum(isinstance(event, Finished) for event in own) == 1


def test_every_kind_of_part_is_collected() -> None:
    events: list[StreamEvent] = [
        Started(id="i", model="m", created=7),
        PartStarted(index=0, kind="thinking"),
        PartDelta(index=0, text="hm"),
        SignatureDelta(index=0, text="se"),
        SignatureDelta(index=0, text="al"),
        PartEnded(index=0),
        PartStarted(index=1, kind="text"),
        PartDelta(index=1, text="a"),
        PartDelta(index=1, text="b"),
        PartStarted(index=2, kind="tool_call", call_id="c", name="n"),
        PartStarted(index=3, kind="refusal"),
        PartDelta(index=3, text="no"),
        LogprobsReported(tokens=(TokenLogprob(token="a", logprob=-1.0),)),
        LogprobsReported(tokens=(TokenLogprob(token="b", logprob=-2.0),)),
        Finished(reason="length", raw_reason="max_tokens"),
        UsageReported(usage=Usage(input_tokens=1, output_tokens=1)),
        UsageReported(usage=Usage(output_tokens=2)),
    ]
    assert fold(events) == ChatResponse(
        id="i",
        model="m",
        created=7,
        choices=(
            Choice(
                parts=(
                    Thinking(text="hm", signature="seal"),
                    Text(text="ab"),
                    ToolCall(id="c", name="n", arguments=""),
                    Refusal(text="no"),
                ),
                finish="length",
                raw_finish="max_tokens",
                logprobs=(TokenLogprob(token="a", logprob=-1.0), TokenLogprob(token="b", logprob=-2.0)),
            ),
        ),
        usage=Usage(input_tokens=1, output_tokens=2),
    )


def test_an_answer_may_be_empty_but_must_finish() -> None:
    assert fold([Finished(reason="stop")]).choices == (Choice(parts=(), finish="stop"),)
    with pytest.raises(Interrupted, match="before an answer began"):
        fold([])
    with pytest.raises(Interrupted, match="before an answer began"):
        fold([Started(), UsageReported(usage=Usage(input_tokens=1))])


def test_one_unfinished_choice_spoils_the_answer() -> None:
    events: list[StreamEvent] = [
        PartStarted(index=0, kind="text"),
        Finished(reason="stop"),
        PartStarted(index=0, kind="text", choice=1),
    ]
    with pytest.raises(Interrupted, match="before its finish marker"):
        fold(events)


def test_a_failure_is_raised_as_itself_even_after_the_finish() -> None:
    failure = Overloaded("gone")
    with pytest.raises(Overloaded) as caught:
        fold([PartStarted(index=0, kind="text"), Finished(reason="stop"), Failed(error=failure)])
    assert caught.value is failure


def test_choices_are_ordered_by_index_whichever_began_first() -> None:
    events = [Finished(reason="stop", choice=1), Finished(reason="length", choice=0)]
    assert [choice.finish for choice in fold(events).choices] == ["length", "stop"]


def test_a_folding_can_be_read_while_it_grows() -> None:
    folding = Folding()
    folding.add(Finished(reason="stop"))
    assert folding.response().usage is None
    folding.add(UsageReported(usage=Usage(input_tokens=3)))
    assert folding.response().usage == Usage(input_tokens=3)
