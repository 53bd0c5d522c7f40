"""The main use case: one chat call, from its name to its books."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.application.attempts import Attempt, AttemptLimits, Attempts
from relay.application.calls import ChatCall
from relay.application.plan_call import PlanCall, Planner, plan_call
from relay.application.ports import (
    Backends,
    CatalogSource,
    ChatBackend,
    Clock,
    Hangup,
    Ids,
    Ledger,
    Piece,
    Reply,
    UpstreamCall,
)
from relay.domain.catalog import Target
from relay.domain.errors import NoCandidate
from relay.domain.values import value


@dataclass(slots=True, kw_only=True)
class RelayChat:
    """Serves a chat call: resolve, plan, try the targets in order, and write every attempt into the ledger."""

    catalog: CatalogSource
    backends: Backends
    ledger: Ledger
    clock: Clock
    ids: Ids
    limits: AttemptLimits = AttemptLimits()
    plan_of: PlanCall = field(default_factory=Planner)
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(ledger=self.ledger, clock=self.clock, ids=self.ids, limits=self.limits)

    async def __call__(self, call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        """Returns when the reply is complete, failed in-band, or its client is gone.

        Raises `RelayError` when nothing was sent yet: the caller still has the status line to say it with.
        """
        plan = plan_call(call, self.catalog.current(), self.plan_of)
        backends = self.backends
        live = [
            (target, backend)
            for target in plan.targets
            if (backend := backends.find(target.provider)) is not None
        ]
        if not live:
            raise NoCandidate(plan.name, tuple(f"{target} has no backend" for target in plan.targets))
        conversations = (
            (target, _conversation(call, target, backend, reply, hangup)) for target, backend in live
        )
        await self.attempts(call, plan, conversations, reply, hangup)


@value
class ChatConversation:
    """A `Conversation`: the answer is passed on piece by piece from its first content on."""

    call: UpstreamCall
    backend: ChatBackend
    reply: Reply
    hangup: Hangup

    @property
    def stops_with_client(self) -> bool:
        """As `Conversation.stops_with_client`: streams only, and not where they are billed to the end anyway."""
        return self.call.stream and self.backend.on_disconnect == "cancel"

    async def hold(self, attempt: Attempt) -> None:
        """As `Conversation.hold`."""
        exchange = await self.backend.open(self.call)
        attempt.accept(exchange)
        meter, now = attempt.meter, attempt.clock.monotonic
        held: list[Piece] = []

        def pass_on(piece: Piece) -> bool:
            meter.see(piece.events, now())
            return self.hangup.happened or self.reply.pass_on(piece)

        while True:
            piece = await exchange.read()
            meter.see(piece.events, now())
            if not (meter.has_content or piece.last):
                held.append(piece)
                continue
            if held:
                await self._write(held)
                held.clear()
            if piece.last:
                break
            if not self.hangup.happened:
                await self.reply.write(piece)
            await exchange.flow(pass_on)
            await self.reply.catch_up()
        if attempt.complete():
            await self.reply.finish(piece)

    async def _write(self, pieces: Sequence[Piece]) -> None:
        """What a client that is still there gets."""
        if not self.hangup.happened:
            for piece in pieces:
                await self.reply.write(piece)


def _conversation(
    call: ChatCall, target: Target, backend: ChatBackend, reply: Reply, hangup: Hangup
) -> ChatConversation:
    upstream = UpstreamCall(
        original=call.original,
        model=target.model,
        echo=call.name,
        stream=call.stream,
        include_usage=call.include_usage,
        request_id=call.request_id,
    )
    return ChatConversation(call=upstream, backend=backend, reply=reply, hangup=hangup)
