"""A provider that wants conversations put in its own way: a `ChatBackend` around one.

A client's own body passes as it is where bytes pass, unless there is something in it that its model would refuse:
turns, a schema, or thoughts that the relay gave to the client, which are not always what this provider takes. What
a model turns out to refuse is left out of what is translated, as its caller cannot know better.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

from relay.adapters.outbound.providers.conversations import fitted
from relay.adapters.outbound.providers.quirks import Quirks
from relay.adapters.outbound.providers.refused_fields import RefusedFields, refused_field, without
from relay.application.ports import ChatBackend, Exchange, OnDisconnect, Piece, UpstreamCall
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.errors import Rejected

_ROLES = (b'"system"', b'"developer"')
_CALLS = (b'"tool_calls"', b'"tool_call_id"')
_THOUGHTS = (b'"reasoning_content"', b'"reasoning_details"')
_SCHEMA = (b'"json_schema"',)
"""What stands in a body of OpenAI's chat that has roles, calls, thoughts of the past or a schema in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittingBackend:
    """A `ChatBackend`. `translating` is the same provider as `backend`, but for never passing bytes.

    `passes_for` are the dialects whose clients' bytes pass, `quirks_of` tells what a model wants, and `refused`
    what it turned out not to take.
    """

    backend: ChatBackend
    translating: ChatBackend
    passes_for: frozenset[DialectName]
    quirks_of: Callable[[str], Quirks]
    refused: RefusedFields

    @property
    def on_disconnect(self) -> OnDisconnect:
        """As `ChatBackend.on_disconnect`."""
        return self.backend.on_disconnect

    def open(self, call: UpstreamCall) -> Awaitable[Exchange]:
        """As `ChatBackend.open`; also raises what the client's body gives cause for."""
        quirks = self.quirks_of(call.model)
        if call.original.dialect in self.passes_for and _may_pass(call.original.body, quirks):
            return self.backend.open(call)
        return self._fitted(call, quirks)

    async def _fitted(self, call: UpstreamCall, quirks: Quirks) -> Exchange:
        found = fitted(call.original.decode(), quirks)
        request, lost = without(found.request, self.refused.of(call.model))
        try:
            exchange = await self._translated(call, request)
        except Rejected as error:
            name = refused_field(error)
            request, more = without(request, (name,) if name else ())
            if not more:
                raise
            self.refused.remember(call.model, more[0])
            exchange, lost = await self._translated(call, request), (*lost, *more)
        losses = (*found.losses, *lost)
        return LosingExchange(exchange, losses) if losses else exchange

    def _translated(self, call: UpstreamCall, request: ChatRequest) -> Awaitable[Exchange]:
        original = replace(call.original, decode=lambda: request)
        return self.translating.open(replace(call, original=original))


def _may_pass(body: bytes, quirks: Quirks) -> bool:
    """Whether the body has nothing in it that the quirks would put otherwise."""
    return not any(word in body for words in _refused(quirks) for word in words)


def _refused(quirks: Quirks) -> Iterator[tuple[bytes, ...]]:
    if quirks.instructions:
        yield _ROLES
    if quirks.call_ids or quirks.after_results or quirks.past_thinking == "with_calls":
        yield _CALLS  # of the last because its thoughts may have to come back, which the client dropped
    if quirks.past_thinking in ("dropped", "with_calls"):
        yield _THOUGHTS
    if quirks.schema_in_prompt:
        yield _SCHEMA


class LosingExchange:
    """An `Exchange` that has lost more than it knows."""

    def __init__(self, exchange: Exchange, losses: tuple[str, ...]) -> None:
        self.passes = exchange.passes
        self.status = exchange.status
        self._exchange = exchange
        self._losses = losses

    @property
    def losses(self) -> tuple[str, ...]:
        """As `AcceptedCall.losses`; an answer may come to more while it is read."""
        return (*self._losses, *self._exchange.losses)

    async def read(self) -> Piece:
        """As `Exchange.read`."""
        return await self._exchange.read()

    async def flow(self, take: Callable[[Piece], bool]) -> None:
        """As `Exchange.flow`."""
        await self._exchange.flow(take)

    async def aclose(self) -> None:
        """As `Exchange.aclose`."""
        await self._exchange.aclose()
