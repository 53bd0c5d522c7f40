"""The attempts of a call: its targets tried in order, and each attempt's two lines in the ledger.

Theory of operation. There is one loop, one counter and one deadline per call. The start of an attempt is
written before the provider is called, the end before the last byte leaves, and the end is written on every way
out: an answer, a failure, the client's leaving, the deadline, the relay's own cancellation. Nothing reaches the
client before the first content, so that a failure up to there still has the status line, or another target, to
answer with. What is said to the provider, and passed on of its answer, is a `Conversation`: chat and embeddings
each have theirs.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from relay.application.attempt_scope import AttemptScope, Deadlines
from relay.application.calls import Call
from relay.application.metering import Meter
from relay.application.plan_call import MAX_REMEMBERED, Plan
from relay.application.ports import AcceptedCall, AnyReply, Clock, Hangup, Ids, Ledger, ReplyHead
from relay.domain.catalog import Target
from relay.domain.errors import Internal, RelayError, TimedOut, UpstreamError
from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted, Outcome
from relay.domain.usage import Usage, UsageSource

CLOSE_S = 2.0
"""How long letting go of a connection may take before it is abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """At most `attempts` tries and `total_s` seconds per call; a drained call is read for `drain_s` more."""

    attempts: int = 3
    total_s: float = 900.0
    drain_s: float = 60.0


class Conversation(Protocol):
    """What one attempt says to its provider, and what reaches the client of the answer."""

    @property
    def stops_with_client(self) -> bool:
        """Whether the provider is stopped as soon as the client leaves, or read on for the true usage."""
        ...

    async def hold(self, attempt: "Attempt") -> None:
        """Call the provider, `accept` the exchange, meter its answer, `complete` the attempt, finish the reply.

        Raises `UpstreamError`, and what the request gives cause for.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """The one loop. Once the reply's head has left, nothing is tried again."""

    ledger: Ledger
    clock: Clock
    ids: Ids
    limits: AttemptLimits
    deadlines: Deadlines = field(init=False, default_factory=Deadlines)
    _contexts: dict[tuple[int, int, str, bool, str], tuple[Plan, Target, AttemptContext]] = field(
        init=False, default_factory=dict
    )

    async def __call__(
        self,
        call: Call,
        plan: Plan,
        live: Iterable[tuple[Target, Conversation]],
        reply: AnyReply,
        hangup: Hangup,
    ) -> None:
        """Returns when the reply is complete, failed in-band, or its client is gone.

        Raises the last failure when nothing was sent yet.
        """
        deadline = self.clock.monotonic() + self.limits.total_s
        failure: UpstreamError | None = None
        for number, (target, conversation) in enumerate(live, start=1):
            attempt = Attempt(self._started(call, plan, target, number), conversation, self, deadline)
            failure = await attempt.run(reply, hangup)
            if failure is None:
                return
            is_over = number >= self.limits.attempts or self.clock.monotonic() >= deadline
            if is_over or failure.retry == "never" or hangup.happened:
                break
        if failure is not None:
            raise failure

    def _started(self, call: Call, plan: Plan, target: Target, number: int) -> AttemptStarted:
        return AttemptStarted(
            id=self.ids.new(),
            request_id=call.request_id,
            at_ms=self.clock.unix_ms(),
            context=self._context(call, plan, target, number),
            input_tokens_estimate=call.input_tokens_estimate,
        )

    def _context(self, call: Call, plan: Plan, target: Target, number: int) -> AttemptContext:
        """Remembered, as plans are."""
        asked = (id(plan), number, call.dialect, call.stream, call.client)
        known = self._contexts.get(asked)
        if known is None or known[0] is not plan or known[1] is not target:
            if len(self._contexts) >= MAX_REMEMBERED:
                self._contexts.clear()
            known = self._contexts[asked] = (plan, target, _context_of(call, plan, target, number))
        return known[2]


def _context_of(call: Call, plan: Plan, target: Target, number: int) -> AttemptContext:
    key = call.caller.key
    return AttemptContext(
        attempt=number,
        provider=target.provider,
        model=target.model,
        name_asked=plan.name,
        resolved_by=plan.resolved_by,
        dialect=call.dialect,
        stream=call.stream,
        virtual=plan.virtual,
        trace=plan.trace,
        key_id=key.public_id if key else "",
        key_name=key.name if key else "",
        tags=plan.tags,
        client=call.client,
    )


class Attempt:
    """One try of one target. `run` once; the conversation calls `accept` and `complete`."""

    __slots__ = (
        "_conversation",
        "_deadline",
        "_exchange",
        "_hangup",
        "_is_complete",
        "_is_ended",
        "_of",
        "_reply",
        "clock",
        "meter",
        "started",
    )

    _reply: AnyReply
    _hangup: Hangup

    def __init__(
        self, started: AttemptStarted, conversation: Conversation, of: Attempts, deadline: float
    ) -> None:
        self.started = started
        self.clock = of.clock
        self.meter = Meter(of.clock.monotonic(), started.input_tokens_estimate)
        self._conversation = conversation
        self._of = of
        self._deadline = deadline
        self._exchange: AcceptedCall | None = None
        self._is_complete = False
        self._is_ended = False

    async def run(self, reply: AnyReply, hangup: Hangup) -> UpstreamError | None:
        """Try. `None` when the reply is complete, failed in-band or has no client any more; else the failure.

        Raises `AccountingUnavailable` before anything was sent.
        """
        self._reply, self._hangup = reply, hangup
        self._of.ledger.begin(self.started)
        try:
            return await self._run()
        except BaseException as error:
            self._end(
                "error" if isinstance(error, Exception) else "interrupted", error=_as_relay_error(error)
            )
            raise
        finally:
            hangup.listen(_ignore)
            if self._exchange is not None and not self._is_complete:
                with anyio.move_on_after(CLOSE_S, shield=True):
                    await self._exchange.aclose()

    def accept(self, exchange: AcceptedCall) -> None:
        """The provider has accepted the call; the attempt lets go of it at its end."""
        self._exchange = exchange
        if exchange.losses:
            self._reply.prepare(self._head(exchange.losses))

    def complete(self) -> bool:
        """The answer is complete and metered: book it. False when its client is gone."""
        self._is_complete = True
        if self._hangup.happened:
            return False
        self._end("ok")
        return True

    async def _run(self) -> UpstreamError | None:
        reply, hangup = self._reply, self._hangup
        reply.prepare(self._head())
        failure: UpstreamError | None = None
        left_s = self._deadline - self.clock.monotonic()
        scope = AttemptScope(self._of.deadlines, asyncio.get_running_loop().time() + left_s)
        with scope:
            hangup.listen(lambda: self._client_left(scope))
            try:
                await self._conversation.hold(self)
            except UpstreamError as error:
                failure = error
        if scope.was_cut_short:
            failure = TimedOut("the call took longer than it may", phase="total")
        if hangup.happened:
            self._end("cancelled", error=failure)
            return None
        if failure is not None:
            self._end(_outcome(failure), error=failure)
            if not reply.begun:
                return failure
            await reply.fail(failure)
        return None

    def _client_left(self, scope: AttemptScope) -> None:
        """Stop the provider, or read on for the true usage where it bills to the end anyway.

        Called from anywhere, also from outside of any task.
        """
        if self._conversation.stops_with_client:
            scope.cut()
        else:
            scope.cut_within(self._of.limits.drain_s)

    def _end(self, outcome: Outcome, *, error: RelayError | None = None) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        usage, source = self._usage(outcome)
        self._of.ledger.end(
            AttemptEnded(
                id=self.started.id,
                outcome=outcome,
                status=self._provider_status(error),
                duration_ms=self.meter.duration_ms(self.clock.monotonic()),
                first_ms=self.meter.first_ms(),
                usage=usage,
                usage_source=source,
                error_code=(error.code or "") if error is not None else "",
                losses=self._exchange.losses if self._exchange is not None else (),
            )
        )

    def _usage(self, outcome: Outcome) -> tuple[Usage, UsageSource]:
        """A provider that refused the call, or was never reached, has used nothing."""
        may_have_begun = self.meter.has_content or self._exchange is not None
        if outcome == "error" and not may_have_begun:
            return Usage(), "none"
        return self.meter.settled(complete=self._is_complete)

    def _provider_status(self, error: RelayError | None) -> int:
        if isinstance(error, UpstreamError) and error.provider_status:
            return error.provider_status
        return self._exchange.status if self._exchange is not None else 0

    def _head(self, losses: Sequence[str] = ()) -> ReplyHead:
        context = self.started.context
        return ReplyHead(
            provider=context.provider,
            model=context.model,
            resolved_by=context.resolved_by,
            attempts=context.attempt,
            losses=tuple(losses),
        )


def _outcome(failure: UpstreamError) -> Outcome:
    """A call that was sent and never answered may have been billed: nobody here can know."""
    is_unanswered = isinstance(failure, TimedOut) and failure.phase == "first_byte"
    return "ambiguous" if is_unanswered else "error"


def _as_relay_error(error: BaseException) -> RelayError:
    if isinstance(error, RelayError):
        return error
    return Internal("the relay stopped" if not isinstance(error, Exception) else "unexpected failure")


def _ignore() -> None:
    """What a settled attempt does when its client leaves."""
