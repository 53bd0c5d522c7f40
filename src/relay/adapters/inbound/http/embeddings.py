"""The embeddings routes: what is read of a request, and the reply it gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from anyio import to_thread

from relay.adapters.dialects.embeddings import EmbeddingDialect, EmbedScene
from relay.adapters.inbound.http.hot_route import HotRoute, Visit
from relay.adapters.inbound.http.reply import WholeAnswer
from relay.application.calls import EmbedCall
from relay.application.metering import estimated_input_tokens
from relay.application.ports import EmbedAnswer, EmbedReply, Hangup, OriginalEmbedding

type ServeEmbeddings = Callable[[EmbedCall, EmbedReply, Hangup], Awaitable[None]]
"""The use case `RelayEmbeddings`."""

OFF_LOOP_NUMBERS = 20_000
"""Some milliseconds of writing: what takes longer may not hold up everybody's streams."""


class EmbeddingsReply(WholeAnswer):
    """An `EmbedReply`, which is also a pulse that never beats."""

    def __init__(self, visit: Visit, dialect: EmbeddingDialect, scene: EmbedScene) -> None:
        super().__init__(visit.outlet, visit.telling, dialect.content_type)
        self._dialect = dialect
        self._scene = scene

    async def finish(self, answer: EmbedAnswer) -> None:
        """As `EmbedReply.finish`: the provider's bytes where they may pass."""
        if answer.raw is not None:
            await self.put(answer.raw)
        elif sum(map(len, answer.response.vectors)) <= OFF_LOOP_NUMBERS:
            await self.put(self._encoded(answer))
        else:
            await self.put(await to_thread.run_sync(self._encoded, answer))

    def _encoded(self, answer: EmbedAnswer) -> bytes:
        return self._dialect.encode_response(answer.response, self._scene)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRoute(HotRoute):
    """One dialect's embeddings route."""

    dialect: EmbeddingDialect
    serve: ServeEmbeddings

    async def _answer(self, visit: Visit) -> None:
        call = self._call(visit)
        scene = EmbedScene(
            model=call.name,
            encoding=call.original.request.encoding,
            started_ns=call.received_ns,
            clock_ns=self.clock.unix_ns,
            input_tokens_estimate=call.input_tokens_estimate,
        )
        reply = EmbeddingsReply(visit, self.dialect, scene)
        await visit.attend(reply, self.serve(call, reply, visit.departure))

    def _call(self, visit: Visit) -> EmbedCall:
        """The call, decoded. Raises `InvalidRequest`."""
        asked = self.dialect.decode_request(visit.body)
        return EmbedCall(
            request_id=visit.line.request_id,
            original=OriginalEmbedding(dialect=self.dialect.name, body=visit.body, request=asked),
            input_tokens_estimate=estimated_input_tokens(asked),
            caller=visit.sender.caller,
            tags=visit.sender.tags,
            client=visit.client,
            received_ns=self.clock.unix_ns(),
        )
