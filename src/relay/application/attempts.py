"""One try of one target, and its two lines in the ledger.

Theory of operation. The start is written before the provider is called, the end before the last byte leaves,
and the end is written on every way out: an answer, a failure, the client's leaving, the deadline, the relay's
own cancellation. Nothing reaches the client before the first content, so that a failure up to there still has
the status line, or another target, to answer with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from relay.application.metering import Meter
from relay.application.ports import (
    ChatBackend,
    Clock,
    Exchange,
    Hangup,
    Ledger,
    Piece,
    Reply,
    ReplyHead,
    UpstreamCall,
)
from relay.domain.errors import Internal, RelayError, TimedOut, UpstreamError
from relay.domain.ledger import AttemptEnded, AttemptStarted, Outcome
from relay.domain.usage import Usage, UsageSource

CLOSE_S = 2.0
"""How long letting go of a connection may take before it is abandoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """At most `attempts` tries and `total_s` seconds per call; a drained call is read for `drain_s` more."""

    attempts: int = 3
    total_s: float = 900.0
    drain_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try. `run` once."""

    started: AttemptStarted
    call: UpstreamCall
    backend: ChatBackend
    ledger: Ledger
    clock: Clock
    drain_s: float
    deadline: float
    _meter: Meter = field(init=False)
    _exchange: Exchange | None = field(init=False, default=None)
    _is_complete: bool = field(init=False, default=False)
    _is_ended: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._meter = Meter(self.clock.monotonic(), self.started.input_tokens_estimate)

    async def run(self, reply: Reply, hangup: Hangup) -> UpstreamError | None:
        """Try. `None` when the reply is complete, failed in-band or has no client any more; else the failure.

        Raises `AccountingUnavailable` before anything was sent.
        """
        self.ledger.begin(self.started)
        try:
            return await self._run(reply, hangup)
        except BaseException as error:
            self._end(
                "error" if isinstance(error, Exception) else "interrupted", error=_as_relay_error(error)
            )
            raise
        finally:
            hangup.listen(_ignore)
            if self._exchange is not None:
                with anyio.move_on_after(CLOSE_S, shield=True):
                    await self._exchange.aclose()

    async def _run(self, reply: Reply, hangup: Hangup) -> UpstreamError | None:
        reply.prepare(self._head())
        failure: UpstreamError | None = None
        with anyio.CancelScope(deadline=anyio.current_time() + self._seconds_left()) as scope:
            hangup.listen(lambda: self._client_left(scope))
            try:
                await self._converse(reply, hangup)
            except UpstreamError as error:
                failure = error
        hangup.listen(_ignore)
        if scope.cancelled_caught:
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

    async def _converse(self, reply: Reply, hangup: Hangup) -> None:
        """Call, read to the end, and pass on what is read from the first content on."""
        self._exchange = exchange = await self.backend.open(self.call)
        reply.prepare(self._head(exchange.losses))
        held: list[Piece] = []
        while True:
            piece = await exchange.read()
            self._meter.see(piece.events, self.clock.monotonic())
            if not (self._meter.has_content or piece.last):
                held.append(piece)
                continue
            if not hangup.happened:
                await _write_all(reply, held)
            held.clear()
            if piece.last:
                self._is_complete = True
                break
            if not hangup.happened:
                await reply.write(piece)
        if not hangup.happened:
            self._end("ok")
            await reply.finish(piece)

    def _client_left(self, scope: anyio.CancelScope) -> None:
        """Stop the provider, or read on for the true usage where it bills to the end anyway."""
        if self.call.stream and self.backend.on_disconnect == "cancel":
            scope.cancel()
        else:
            scope.deadline = min(scope.deadline, anyio.current_time() + self.drain_s)

    def _end(self, outcome: Outcome, *, error: RelayError | None = None) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        usage, source = self._usage(outcome)
        self.ledger.end(
            AttemptEnded(
                id=self.started.id,
                outcome=outcome,
                status=self._provider_status(error),
                duration_ms=self._meter.duration_ms(self.clock.monotonic()),
                first_ms=self._meter.first_ms(),
                usage=usage,
                usage_source=source,
                error_code=(error.code or "") if error is not None else "",
                losses=self._exchange.losses if self._exchange is not None else (),
            )
        )

    def _usage(self, outcome: Outcome) -> tuple[Usage, UsageSource]:
        """A provider that refused the call, or was never reached, has used nothing."""
        may_have_begun = self._meter.has_content or self._exchange is not None
        if outcome == "error" and not may_have_begun:
            return Usage(), "none"
        return self._meter.settled(complete=self._is_complete)

    def _provider_status(self, error: RelayError | None) -> int:
        if isinstance(error, UpstreamError) and error.provider_status:
            return error.provider_status
        return self._exchange.status if self._exchange is not None else 0

    def _head(self, losses: Sequence[str] = ()) -> ReplyHead:
        return ReplyHead(
            provider=self.started.provider,
            model=self.started.model,
            resolved_by=self.started.resolved_by,
            attempts=self.started.attempt,
            losses=tuple(losses),
        )

    def _seconds_left(self) -> float:
        return max(0.0, self.deadline - self.clock.monotonic())


async def _write_all(reply: Reply, pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        await reply.write(piece)


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
