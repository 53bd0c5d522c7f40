"""The use case of the services that pass: moderations, images, speech, transcripts, rankings, each with its books.

A request goes to a provider that has the service, in the provider's own words for the model; its answer goes back
as it is, piece by piece, and is watched for what it counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from relay.application.attempts import Attempt, AttemptLimits, Attempts
from relay.application.calls import Caller
from relay.application.plan_call import Plan, PlanCall, Planner
from relay.application.ports import AcceptedCall, AnyReply, CatalogSource, Clock, Hangup, Ids, Ledger
from relay.domain.catalog import Target
from relay.domain.errors import UnknownModel, Unsupported
from relay.domain.names import split_tags
from relay.domain.services import ServiceName
from relay.domain.tags import Tag
from relay.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCall:
    """One request for a service, authenticated and read as far as it has to be; a `Call`.

    `aimed` gives the body for a provider's model. `characters` counts what shall be spoken.
    """

    request_id: str
    service: ServiceName
    name: str
    aimed: Callable[[str], bytes]
    content_type: str
    input_tokens_estimate: int
    caller: Caller
    characters: int = 0
    tags: tuple[Tag, ...] = ()
    client: str = ""
    stream: bool = False

    @property
    def dialect(self) -> str:
        """As `Call.dialect`."""
        return "rerank" if self.service == "rerank" else f"openai.{self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamServiceCall:
    """One attempt's orders to a backend: `echo` is the name the client used."""

    service: ServiceName
    body: bytes
    content_type: str
    echo: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePiece:
    """More of an answer; `last` marks its end, where `usage` is what it counted, if anything."""

    data: bytes
    last: bool = False
    usage: Usage | None = None


class ServiceExchange(AcceptedCall, Protocol):
    """An accepted call whose answer is being read."""

    @property
    def content_type(self) -> str:
        """What the answer is."""
        ...

    async def read(self) -> ServicePiece:
        """The next piece. After the last one it may not be called. Raises `UpstreamError`."""
        ...


class ServiceBackend(Protocol):
    """A live provider of some services."""

    def has(self, service: ServiceName, model: str = "") -> bool:
        """Whether it has the service; with `model`, whether it is known to have it of this model."""
        ...

    async def open(self, call: UpstreamServiceCall) -> ServiceExchange:
        """Send the request and read the answer's head. Raises `UpstreamError`."""
        ...


class ServiceBackends(Protocol):
    """The live providers of services by name."""

    def find_service(self, provider: str) -> ServiceBackend | None:
        """The backend of a configured provider; `None` when it has no service."""
        ...


class ServiceReply(AnyReply, Protocol):
    """The client's end."""

    async def write(self, data: bytes, content_type: str, *, last: bool) -> None:
        """More of the answer; the first call sends the head."""
        ...


@dataclass(slots=True, kw_only=True)
class RelayServices:
    """Serves a call as `RelayChat` serves a chat.

    Providers list few models of their services, so a name that leads nowhere is also looked for among the models
    that a provider's row says a service has: the first provider that is configured counts, as in any search.
    """

    catalog: CatalogSource
    backends: ServiceBackends
    ledger: Ledger
    clock: Clock
    ids: Ids
    limits: AttemptLimits = AttemptLimits()
    plan_of: PlanCall = field(default_factory=Planner)
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(ledger=self.ledger, clock=self.clock, ids=self.ids, limits=self.limits)

    async def __call__(self, call: ServiceCall, reply: ServiceReply, hangup: Hangup) -> None:
        """Returns when the reply is complete, broken off, or its client is gone.

        Raises `RelayError` when nothing was sent, `Unsupported` among them where no provider has the service.
        """
        plan, live = self._planned(call)
        conversations = [
            (target, ServiceConversation(call=call, target=target, backend=backend, reply=reply))
            for target, backend in live
        ]
        await self.attempts(call, plan, conversations, reply, hangup)

    def _planned(self, call: ServiceCall) -> tuple[Plan, list[tuple[Target, ServiceBackend]]]:
        catalog = self.catalog.current()
        try:
            plan = self.plan_of(call, catalog)
        except UnknownModel:
            if not (named := self._named(call)):
                raise
            plan = replace(self.plan_of(named, catalog), name=split_tags(call.name)[0])
        live = list(self._live(plan, call.service))
        if not live:
            raise Unsupported(f"no provider of {plan.name!r} has {call.service}", param="model")
        return plan, live

    def _named(self, call: ServiceCall) -> ServiceCall | None:
        """The call under the name by which a provider has the model."""
        model = split_tags(call.name)[0]
        for provider in self.catalog.current().providers:
            backend = self.backends.find_service(provider.name)
            if backend is not None and backend.has(call.service, model):
                return replace(call, name=f"{provider.name}/{call.name}")
        return None

    def _live(self, plan: Plan, service: ServiceName) -> Iterator[tuple[Target, ServiceBackend]]:
        for target in plan.targets:
            backend = self.backends.find_service(target.provider)
            if backend is not None and backend.has(service):
                yield target, backend


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConversation:
    """A `Conversation`: an answer passed on as it comes, and read to its end when the client has left."""

    call: ServiceCall
    target: Target
    backend: ServiceBackend
    reply: ServiceReply

    @property
    def stops_with_client(self) -> bool:
        """As `Conversation.stops_with_client`: what was asked for is billed anyway."""
        return False

    async def hold(self, attempt: Attempt) -> None:
        """As `Conversation.hold`."""
        exchange = await self.backend.open(self._upstream())
        attempt.accept(exchange)
        while True:
            piece = await exchange.read()
            attempt.meter.answered(self._usage(piece), attempt.clock.monotonic())
            if piece.last:
                break
            await self.reply.write(piece.data, exchange.content_type, last=False)
        if attempt.complete():
            await self.reply.write(piece.data, exchange.content_type, last=True)

    def _usage(self, piece: ServicePiece) -> Usage | None:
        """What was counted, and the characters, which nobody counts but the relay."""
        if not self.call.characters:
            return piece.usage
        return (piece.usage or Usage()).merged(Usage(characters=self.call.characters))

    def _upstream(self) -> UpstreamServiceCall:
        return UpstreamServiceCall(
            service=self.call.service,
            body=self.call.aimed(self.target.model),
            content_type=self.call.content_type,
            echo=self.call.name,
            request_id=self.call.request_id,
        )
