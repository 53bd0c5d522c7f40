"""The chat routes: what is read of a request, and the reply it gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relay.adapters.dialects.base import ClientDialect, Scene
from relay.adapters.inbound.http.hot_route import DEFAULT_PATIENCE, HotRoute, Patience, Visit
from relay.adapters.inbound.http.reply import StreamedReply, WholeReply
from relay.application.calls import ChatCall
from relay.application.ports import Hangup, OriginalRequest, Reply
from relay.domain.chat import ChatRequest

__all__ = ["DEFAULT_PATIENCE", "ChatRoute", "Patience", "ServeChat"]

type ServeChat = Callable[[ChatCall, Reply, Hangup], Awaitable[None]]
"""The use case `RelayChat`, or one that answers in its place."""


class _Decoded:
    """The canonical form of a body, computed once when first asked for."""

    __slots__ = ("_body", "_dialect", "_request")

    def __init__(self, dialect: ClientDialect, body: bytes) -> None:
        self._dialect = dialect
        self._body = body
        self._request: ChatRequest | None = None

    def __call__(self) -> ChatRequest:
        if self._request is None:
            self._request = self._dialect.decode_request(self._body)
        return self._request


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRoute(HotRoute):
    """One dialect's chat route. `preload`, where the dialect has it, serves calls without a conversation."""

    dialect: ClientDialect
    serve: ServeChat
    preload: ServeChat | None = None

    async def _answer(self, visit: Visit) -> None:
        call = self._call(visit)
        serve, is_streamed = self.serve, call.stream
        if self.preload is not None and not call.message_bytes:
            serve, is_streamed = self.preload, False
        reply = self._reply(visit, call, is_streamed=is_streamed)
        await visit.attend(reply, serve(call, reply, visit.departure))

    def _call(self, visit: Visit) -> ChatCall:
        """The call, peeked at. Raises `InvalidRequest`."""
        body = visit.body
        envelope = self.dialect.peek(body)
        decode = _Decoded(self.dialect, body)
        return ChatCall(
            request_id=visit.line.request_id,
            original=OriginalRequest(
                dialect=self.dialect.name, body=body, decode=decode, headers=self._own_headers(visit)
            ),
            name=envelope.model,
            stream=envelope.stream,
            include_usage=envelope.include_usage,
            message_bytes=envelope.message_bytes,
            caller=visit.sender.caller,
            tags=visit.sender.tags,
            client=visit.client,
            received_ns=self.clock.unix_ns(),
        )

    def _own_headers(self, visit: Visit) -> tuple[tuple[str, str], ...]:
        """The headers that are part of the dialect: none, of most."""
        return ()

    def _reply(self, visit: Visit, call: ChatCall, *, is_streamed: bool) -> StreamedReply | WholeReply:
        scene = Scene(
            id=call.request_id,
            model=call.name,
            created=call.received_ns // 1_000_000_000,
            started_ns=call.received_ns,
            clock_ns=self.clock.unix_ns,
            include_usage=call.include_usage,
        )
        if not is_streamed:
            return WholeReply(visit.outlet, visit.telling, self.dialect, scene)
        return StreamedReply(
            visit.outlet, visit.telling, self.dialect, scene, keep_alive_s=self.patience.keep_alive_s
        )
