"""Watches an attempt's events and says, when it is over, what it used and how long it took."""

from collections.abc import Iterable
from typing import assert_never

from relay.domain.embeddings import EmbedRequest
from relay.domain.events import (
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
from relay.domain.usage import Usage, UsageSource

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text; only for what a provider never counted."""


def estimated_tokens(size_bytes: int) -> int:
    """Tokens in a text of this size, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def estimated_input_tokens(request: EmbedRequest) -> int:
    """Tokens of all inputs; what the caller has tokenised is counted, not estimated."""
    if request.token_lists:
        return sum(map(len, request.token_lists))
    return estimated_tokens(sum(len(text.encode()) for text in request.texts))


class Meter:
    """The counts of one attempt. Time is given in by the caller, in seconds of a monotonic clock."""

    def __init__(self, started: float, input_tokens_estimate: int) -> None:
        self._started = started
        self._input_tokens_estimate = input_tokens_estimate
        self._first: float | None = None
        self._usage: Usage | None = None
        self._delta_count = 0
        self._delta_bytes = 0

    @property
    def has_content(self) -> bool:
        """True once anything of an answer was seen."""
        return self._first is not None

    def see(self, events: Iterable[StreamEvent], now: float) -> None:
        """Take the events of one piece, read at `now`."""
        for event in events:
            match event:
                case PartDelta(text=text):  # first, as nearly all are
                    self._delta_count += 1
                    self._delta_bytes += len(text) if text.isascii() else len(text.encode())
                    self._mark(now)
                case UsageReported(usage=usage):
                    self._usage = usage if self._usage is None else self._usage.merged(usage)
                case (
                    PartStarted()
                    | PartEnded()
                    | SignatureDelta()
                    | OpaqueReported()
                    | LogprobsReported()
                    | Finished()
                ):
                    self._mark(now)
                case Started() | Failed():
                    pass
                case _:
                    assert_never(event)

    def answered(self, usage: Usage | None, now: float) -> None:
        """Take an answer that is no sequence of events: its counts, if any, and that it came at `now`."""
        self._usage = usage
        self._mark(now)

    def first_ms(self) -> int | None:
        """Milliseconds until the first content, `None` when there was none."""
        return None if self._first is None else round((self._first - self._started) * 1000)

    def duration_ms(self, now: float) -> int:
        """Milliseconds since the attempt began."""
        return round((now - self._started) * 1000)

    def settled(self, *, complete: bool) -> tuple[Usage, UsageSource]:
        """The counts and whose they are.

        A complete answer's report stands as it is: what a provider left out of it is unknown, not guessed. An
        answer that broke off keeps what was reported and is estimated for the rest: at least one token per
        delta, as providers stream token by token.
        """
        if complete and self._usage is not None:
            return self._usage, "reported"
        guess = Usage(input_tokens=self._input_tokens_estimate, output_tokens=self._output_tokens_estimate())
        return guess if self._usage is None else guess.merged(self._usage), "estimated"

    def _output_tokens_estimate(self) -> int:
        return max(self._delta_count, estimated_tokens(self._delta_bytes))

    def _mark(self, now: float) -> None:
        if self._first is None:
            self._first = now
