"""Ways to cut bytes and event streams without changing what they say."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from hypothesis import strategies as st

from relay.domain.events import (
    ChatResponse,
    Choice,
    LogprobsReported,
    PartDelta,
    SignatureDelta,
    Started,
    StreamEvent,
    UsageReported,
)
from relay.domain.folding import unfold
from relay.domain.usage import Usage

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)
"""Chunk sizes, used in turn."""


def chunked[S: (str, bytes)](data: S, lengths: Iterable[int]) -> Iterator[S]:
    """`data` in chunks of these lengths, taken in turn as long as there is data."""
    start = 0
    for length in cycle(lengths):
        if start >= len(data):
            return
        yield data[start : start + length]
        start += length


def _cut(event: StreamEvent, lengths: Sequence[int]) -> Iterator[StreamEvent]:
    match event:
        case PartDelta(index=index, choice=choice):
            for text in chunked(event.text, lengths):
                yield PartDelta(index=index, text=text, choice=choice)
        case SignatureDelta(index=index, choice=choice):
            for text in chunked(event.text, lengths):
                yield SignatureDelta(index=index, text=text, choice=choice, kind=event.kind)
        case LogprobsReported(tokens=tokens, choice=choice):
            for token in tokens:
                yield LogprobsReported(tokens=(token,), choice=choice)
        case _:
            yield event


@st.composite
def streams_of(draw: st.DrawFn, response: ChatResponse) -> list[StreamEvent]:
    """The events of a whole answer as a provider might send them.

    Deltas are cut at random, choices interleave, usage is reported once or twice, before or after the finish.
    """
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    lanes: list[list[StreamEvent]] = [
        [cut for event in _choice_events(choice) for cut in _cut(event, lengths)]
        for choice in response.choices
    ]
    merged: list[StreamEvent] = []
    while any(lanes):
        lane = draw(st.sampled_from([lane for lane in lanes if lane])) if len(lanes) > 1 else lanes[0]
        merged.append(lane.pop(0))
    if response.usage is not None:
        if draw(st.booleans()):
            merged.insert(draw(st.integers(0, len(merged))), UsageReported(usage=_earlier(response.usage)))
        last = max(
            (place for place, event in enumerate(merged) if isinstance(event, UsageReported)), default=-1
        )
        merged.insert(draw(st.integers(last + 1, len(merged))), UsageReported(usage=response.usage))
    return [Started(id=response.id, model=response.model, created=response.created), *merged]


def _choice_events(choice: Choice) -> Iterator[StreamEvent]:
    alone = ChatResponse(choices=(choice,))
    return (event for event in unfold(alone) if not isinstance(event, Started))


def _earlier(usage: Usage) -> Usage:
    """What a cumulative report may have said before: some of the counts, none larger."""
    return Usage.from_counts({name: count // 2 for name, count in list(usage.counts().items())[:2]})
