"""The use case of embeddings: one call, from its name to its books."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from relay.application.attempts import Attempt, AttemptLimits, Attempts
from relay.application.calls import EmbedCall
from relay.application.plan_call import Plan, PlanCall, Planner
from relay.application.ports import (
    CatalogSource,
    Clock,
    EmbedAnswer,
    EmbeddingBackend,
    EmbeddingBackends,
    EmbedReply,
    Hangup,
    Ids,
    Ledger,
    ReplyHead,
    UpstreamEmbedCall,
)
from relay.domain.catalog import Target
from relay.domain.embeddings import EmbedResponse
from relay.domain.errors import LacksCapability, Unsupported

_SEND_TEXT = (
    "no provider of this model takes token ids: send the input as text "
    "(in LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False)"
)


@dataclass(slots=True, kw_only=True)
class RelayEmbeddings:
    """Serves an embeddings call as `RelayChat` serves a chat.

    That a model is listed without the capability refuses nothing, as at Ollama, where any model may be asked. A
    provider without embeddings is passed over, and for token ids one that takes text alone.
    """

    catalog: CatalogSource
    backends: EmbeddingBackends
    ledger: Ledger
    clock: Clock
    ids: Ids
    limits: AttemptLimits = AttemptLimits()
    plan_of: PlanCall = field(default_factory=Planner)
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(ledger=self.ledger, clock=self.clock, ids=self.ids, limits=self.limits)

    async def __call__(self, call: EmbedCall, reply: EmbedReply, hangup: Hangup) -> None:
        """Returns when the reply is complete or its client is gone.

        Raises `RelayError` when nothing was sent, `LacksCapability` and `Unsupported` among them. A call without
        inputs is answered without an attempt: there is nothing to ask a provider.
        """
        plan = self.plan_of(call, self.catalog.current())
        live = list(self._live(plan))
        if not live:
            raise LacksCapability(plan.name, "embedding")
        if not call.original.request.count:
            await _finish_empty(plan, live[0][0], reply)
            return
        if call.original.request.token_lists:
            live = [(target, backend) for target, backend in live if backend.takes_tokens]
        if not live:
            raise Unsupported(_SEND_TEXT, param="input")
        conversations = [
            (target, EmbedConversation(call=_upstream(call, target), backend=backend, reply=reply))
            for target, backend in live
        ]
        await self.attempts(call, plan, conversations, reply, hangup)

    def _live(self, plan: Plan) -> Iterator[tuple[Target, EmbeddingBackend]]:
        for target in plan.targets:
            if (backend := self.backends.find_embedding(target.provider)) is not None:
                yield target, backend


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConversation:
    """A `Conversation`: one whole answer, which is read to its end for its usage when the client has left."""

    call: UpstreamEmbedCall
    backend: EmbeddingBackend
    reply: EmbedReply

    @property
    def stops_with_client(self) -> bool:
        """As `Conversation.stops_with_client`."""
        return False

    async def hold(self, attempt: Attempt) -> None:
        """As `Conversation.hold`."""
        exchange = await self.backend.open(self.call)
        attempt.accept(exchange)
        answer = await exchange.read()
        attempt.meter.answered(answer.response.usage, attempt.clock.monotonic())
        if attempt.complete():
            await self.reply.finish(answer)


def _upstream(call: EmbedCall, target: Target) -> UpstreamEmbedCall:
    return UpstreamEmbedCall(
        original=call.original, model=target.model, echo=call.name, request_id=call.request_id
    )


async def _finish_empty(plan: Plan, target: Target, reply: EmbedReply) -> None:
    head = ReplyHead(provider=target.provider, model=target.model, resolved_by=plan.resolved_by, attempts=0)
    reply.prepare(head)
    await reply.finish(EmbedAnswer(response=EmbedResponse(vectors=())))
