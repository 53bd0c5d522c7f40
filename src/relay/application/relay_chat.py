"""The main use case: one chat call, from its name to its books."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from relay.application.attempts import Attempt, AttemptLimits, Attempts
from relay.application.calls import Caller, ChatCall
from relay.application.plan_call import Plan, PlanCall, Planner, plan_call, refuses_unthinking
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
from relay.application.thinking_memory import ThinkingMemory
from relay.domain.catalog import Catalog, ModelEntry, Target
from relay.domain.errors import NoCandidate
from relay.domain.events import PartStarted
from relay.domain.thoughts import ThoughtsGathered
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
    thinking: ThinkingMemory | None = None
    plan_of: PlanCall = field(default_factory=Planner)
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(ledger=self.ledger, clock=self.clock, ids=self.ids, limits=self.limits)

    async def __call__(self, call: ChatCall, reply: Reply, hangup: Hangup) -> None:
        """Returns when the reply is complete, failed in-band, or its client is gone.

        Raises `RelayError` when nothing was sent yet: the caller still has the status line to say it with.
        """
        catalog = self.catalog.current()
        plan = plan_call(call, catalog, self.plan_of)
        backends = self.backends
        live = [
            (target, backend)
            for target in plan.targets
            if (backend := backends.find(target.provider)) is not None
        ]
        if not live:
            raise NoCandidate(plan.name, tuple(f"{target} has no backend" for target in plan.targets))

        def conversation(target: Target, backend: ChatBackend) -> ChatConversation:
            order, remember, thinking = _order(call, plan, target, catalog), None, self.thinking
            if thinking is not None:
                order = _reminded(order, thinking, call.caller, target)
                remember = partial(thinking.remember, call.caller, target)
            return ChatConversation(
                call=order, backend=backend, reply=reply, hangup=hangup, remember=remember
            )

        conversations = ((target, conversation(target, backend)) for target, backend in live)
        await self.attempts(call, plan, conversations, reply, hangup)


def _reminded(order: UpstreamCall, thinking: ThinkingMemory, caller: Caller, target: Target) -> UpstreamCall:
    """The order with what its target thought in earlier turns, in case its request is read at all."""
    if thinking.is_empty:
        return order
    decode = order.original.decode
    original = replace(order.original, decode=lambda: thinking.restore(caller, target, decode()))
    return replace(order, original=original)


@value
class ChatConversation:
    """A `Conversation`: the answer is passed on piece by piece from its first content on.

    `remember` is given what was thought in an answer that was read, once it is complete.
    """

    call: UpstreamCall
    backend: ChatBackend
    reply: Reply
    hangup: Hangup
    remember: Callable[[ThoughtsGathered], None] | None = None

    @property
    def stops_with_client(self) -> bool:
        """As `Conversation.stops_with_client`: streams only, and not where they are billed to the end anyway."""
        return self.call.stream and self.backend.on_disconnect == "cancel"

    async def hold(self, attempt: Attempt) -> None:
        """As `Conversation.hold`."""
        exchange = await self.backend.open(self.call)
        attempt.accept(exchange)
        see = _Seeing(attempt, gathers=self.remember is not None)
        held: list[Piece] = []

        def pass_on(piece: Piece) -> bool:
            see(piece)
            return self.hangup.happened or self.reply.pass_on(piece)

        while True:
            piece = await exchange.read()
            see(piece)
            if not (attempt.meter.has_content or piece.last):
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
        if self.remember is not None and see.gathered is not None:
            self.remember(see.gathered)
        if attempt.complete():
            await self.reply.finish(piece)

    async def _write(self, pieces: Sequence[Piece]) -> None:
        """What a client that is still there gets."""
        if not self.hangup.happened:
            for piece in pieces:
                await self.reply.write(piece)


class _Seeing:
    """Looks at each piece: what it counts, and, where the answer is read, what was thought and called in it."""

    __slots__ = ("_gathers", "_meter", "_now", "gathered")

    def __init__(self, attempt: Attempt, *, gathers: bool) -> None:
        self.gathered: ThoughtsGathered | None = None
        self._meter = attempt.meter
        self._now = attempt.clock.monotonic
        self._gathers = gathers

    def __call__(self, piece: Piece) -> None:
        self._meter.see(piece.events, self._now())
        if self._gathers and piece.raw is None:
            for event in piece.events:
                if self.gathered is not None:
                    self.gathered.take(event)
                elif isinstance(event, PartStarted) and event.kind in ("thinking", "tool_call"):
                    self.gathered = ThoughtsGathered()
                    self.gathered.take(event)


def _order(call: ChatCall, plan: Plan, target: Target, catalog: Catalog) -> UpstreamCall:
    order = UpstreamCall(
        original=call.original,
        model=target.model,
        echo=call.name,
        stream=call.stream,
        include_usage=call.include_usage,
        request_id=call.request_id,
    )
    if plan.is_limited and not refuses_unthinking(call) and _cannot_think(catalog.model(target)):
        return _unthinking(order)
    return order


def _cannot_think(model: ModelEntry | None) -> bool:
    return model is not None and model.capabilities.lacks("thinking")


def _unthinking(order: UpstreamCall) -> UpstreamCall:
    """The order without what a model that has no thoughts would refuse."""
    request = order.original.decode()
    if request.reasoning is None or request.reasoning.effort == "none":
        return order
    plain = replace(request, reasoning=None)
    original = replace(order.original, decode=lambda: plain)
    return replace(order, original=original, losses=("reasoning",))
