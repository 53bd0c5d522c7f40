"""Embeddings of a live provider over HTTP, as the port `EmbeddingBackend`.

Theory of operation. A provider may speak several dialects of embeddings; a client's own is taken where it is among
them, for what only it can say, and else the first. An answer is large and comes whole: it is read off the event
loop when it is more than a few vectors, checked, and fitted to what was asked. Its own bytes go on to a client of
the same dialect when they are what that client may get.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from anyio import to_thread

from relay.adapters.dialects.base import WireRequest
from relay.adapters.dialects.embeddings import EmbeddingDialect
from relay.adapters.outbound.http.endpoint import Edit, Endpoint, edited, unchanged
from relay.adapters.outbound.http.held_response import HeldResponse
from relay.adapters.outbound.http.interface import HttpResponse, Phases, read_body
from relay.application.ports import EmbedAnswer, EmbedExchange, UpstreamEmbedCall
from relay.domain.embeddings import fitted

MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_VECTOR_BYTES = 128 * 1024
"""More than 5,000 numbers of 20 characters each, or what stands around the vectors."""

OFF_LOOP_BYTES = 256 * 1024
"""About 10 ms of work: what takes longer may not hold up everybody's streams."""


@dataclass(slots=True, kw_only=True)
class HttpEmbeddingBackend:
    """An `EmbeddingBackend` over HTTP. Where `passes_through`, bytes may pass in a dialect both sides speak."""

    endpoint: Endpoint
    dialects: tuple[EmbeddingDialect, ...]
    passes_through: bool = False
    edit: Edit = unchanged

    @property
    def takes_tokens(self) -> bool:
        """As `EmbeddingBackend.takes_tokens`."""
        return any(dialect.takes_tokens for dialect in self.dialects)

    async def open(self, call: UpstreamEmbedCall) -> EmbedExchange:
        """As `EmbeddingBackend.open`; also raises `Unsupported` for inputs that its dialect cannot carry."""
        own = (dialect for dialect in self.dialects if dialect.name == call.original.dialect)
        dialect = next(own, self.dialects[0])
        passes = self.passes_through and dialect.name == call.original.dialect
        wire = self._encoded(dialect, call, passes=passes)
        response = await self.endpoint.post(wire, call.request_id, dialect.decode_error)
        reading = EmbedAnswerReading(dialect=dialect, call=call, passes=passes)
        return HttpEmbedExchange(response, reading, wire.losses, self.endpoint.bulkhead.leave)

    def _encoded(self, dialect: EmbeddingDialect, call: UpstreamEmbedCall, *, passes: bool) -> WireRequest:
        if passes:
            wire = dialect.retarget(call.original.body, call.model)
        else:
            wire = dialect.encode_request(replace(call.original.request, model=call.model))
        return edited(wire, self.edit, call.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedAnswerReading:
    """How an answer shall be read: in which dialect, to what, and whether its bytes may pass."""

    dialect: EmbeddingDialect
    call: UpstreamEmbedCall
    passes: bool

    @property
    def limit_bytes(self) -> int:
        """How large an answer to so many inputs may be."""
        return min(MAX_VECTOR_BYTES * (self.call.original.request.count + 1), MAX_ANSWER_BYTES)

    def __call__(self, body: bytes) -> EmbedAnswer:
        """The answer in a body. Raises `UpstreamError`."""
        request = self.call.original.request
        reading = self.dialect.decode_response(body, request)
        response = fitted(reading.response, request)
        may_pass = self.passes and reading.is_as_asked and response is reading.response
        raw = self.dialect.rename_response(body, self.call.echo) if may_pass else None
        return EmbedAnswer(response=response, raw=raw)


class HttpEmbedExchange(HeldResponse):
    """An `EmbedExchange` over HTTP; `leave` is called once, when the connection is let go of."""

    def __init__(
        self,
        response: HttpResponse,
        reading: EmbedAnswerReading,
        losses: tuple[str, ...],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(response, leave)
        self.status = response.status
        self.losses = losses
        self._reading = reading

    @property
    def phases(self) -> Phases:
        """How long it took until the provider's head was there."""
        return self._response.phases

    async def read(self) -> EmbedAnswer:
        """As `EmbedExchange.read`. The connection is let go of before the answer is decoded."""
        body = await read_body(self._response, self._reading.limit_bytes)
        await self.aclose()
        if len(body) <= OFF_LOOP_BYTES:
            return self._reading(body)
        return await to_thread.run_sync(self._reading, body)
