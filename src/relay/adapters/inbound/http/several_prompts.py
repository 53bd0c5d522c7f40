"""Serves a completion of several prompts as one call for each, in their order, answered as one.

No provider that is called by its chat takes several. Each prompt is a call with rows of its own in the ledger; its
choices are numbered on from those of the prompt before, and the usage that is told is the sum.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from relay.adapters.dialects.openai_completions.request import decode_request, peek, split_prompts
from relay.adapters.inbound.http.chat import ServeChat
from relay.application.calls import ChatCall
from relay.application.ports import Hangup, OriginalRequest, Piece, Reply, ReplyHead
from relay.domain.errors import RelayError
from relay.domain.events import Failed, Started, StreamEvent, UsageReported
from relay.domain.usage import Usage


def each_prompt(serve: ServeChat) -> ServeChat:
    """Serves as `serve`, and several prompts one after the other. Raises as `serve` and `split_prompts`."""

    async def served(call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        bodies = split_prompts(call.original.body)
        if len(bodies) < 2:
            await serve(call, reply, hangup)
            return
        answer = _Answer()
        for number, body in enumerate(bodies):
            is_last = number + 1 == len(bodies)
            one = _OfPrompt(reply, answer, holds=not call.stream, is_first=not number, is_last=is_last)
            await serve(_call_of(call, body), one, hangup)
            if one.failed or hangup.happened:
                return

    return served


def _call_of(call: ChatCall, body: bytes) -> ChatCall:
    original = OriginalRequest(dialect=call.original.dialect, body=body, decode=partial(decode_request, body))
    return replace(call, original=original, message_bytes=peek(body).message_bytes)


@dataclass(slots=True)
class _Answer:
    """What was told of the answer so far: how many choices, and what all of them used."""

    choices: int = 0
    usage: Usage | None = None

    def add(self, usage: Usage) -> None:
        """Counts of one more prompt."""
        before = self.usage.counts() if self.usage else {}
        counts = usage.counts()
        self.usage = Usage.from_counts(
            {name: before.get(name, 0) + counts.get(name, 0) for name in before | counts}
        )


@dataclass(slots=True)
class _OfPrompt:
    """The reply to one prompt, a part of the whole `reply`. With `holds` nothing is passed on before its end."""

    reply: Reply
    answer: _Answer
    holds: bool
    is_first: bool
    is_last: bool
    failed: bool = field(init=False, default=False)
    _held: list[StreamEvent] = field(init=False, default_factory=list)
    _usage: Usage | None = field(init=False, default=None)
    _last_choice: int = field(init=False, default=-1)

    @property
    def begun(self) -> bool:
        """As `Reply.begun`."""
        return self.reply.begun

    def prepare(self, head: ReplyHead) -> None:
        """As `Reply.prepare`; the first prompt's attempt is the one that the head tells of."""
        self._held.clear()
        self._usage = None
        if self.is_first:
            self.reply.prepare(head)

    async def write(self, piece: Piece) -> None:
        """As `Reply.write`."""
        events = tuple(self._numbered(piece.events))
        if self.holds:
            self._held.extend(events)
        elif events:
            await self.reply.write(Piece(events=events))

    def pass_on(self, piece: Piece) -> bool:
        """As `Reply.pass_on`."""
        events = tuple(self._numbered(piece.events))
        if self.holds:
            self._held.extend(events)
            return True
        return not events or self.reply.pass_on(Piece(events=events))

    async def catch_up(self) -> None:
        """As `Reply.catch_up`."""
        await self.reply.catch_up()

    async def finish(self, piece: Piece) -> None:
        """As `Reply.finish`, of the last prompt; of the others it is no end."""
        events = (*self._held, *self._numbered(piece.events))
        self.answer.choices += self._last_choice + 1
        if self._usage is not None:
            self.answer.add(self._usage)
        if not self.is_last:
            await self.reply.write(Piece(events=events))
            return
        total = (UsageReported(usage=self.answer.usage),) if self.answer.usage else ()
        await self.reply.finish(Piece(events=(*events, *total), last=True))

    async def fail(self, error: RelayError) -> None:
        """As `Reply.fail`; no further prompt is served."""
        self.failed = True
        await self.reply.fail(error)

    def _numbered(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """The events with their choices numbered on, without what the answer says once."""
        for event in events:
            match event:
                case Started():
                    if self.is_first:
                        yield event
                case UsageReported(usage=usage):
                    self._usage = usage if self._usage is None else self._usage.merged(usage)
                case Failed():
                    yield event
                case _:
                    self._last_choice = max(self._last_choice, event.choice)
                    yield replace(event, choice=self.answer.choices + event.choice)
