"""The chat routes: plain ASGI callables, the same with and without the framework's router in front.

Theory of operation. Credential, body and envelope are read before anything else happens; then the use case
runs in the server's own task, pushing into a reply, with one task beside it that watches for the client's
leaving. Nothing here cancels the use case but the relay's own stop: what a leaving client means for the
provider's call is the use case's to decide.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from relay.adapters.dialects.base import Dialect, Envelope, Scene
from relay.adapters.inbound.http.access import CLIENT_GONE, AccessLine, line_of
from relay.adapters.inbound.http.asgi import ABORT, Receive, Scope, Send
from relay.adapters.inbound.http.body import MAX_BODY_BYTES, read_body
from relay.adapters.inbound.http.credentials import read_sender
from relay.adapters.inbound.http.errors import ClientLeft, ErrorShapes, unexpected
from relay.adapters.inbound.http.hangup import Departure, watch
from relay.adapters.inbound.http.heads import Telling
from relay.adapters.inbound.http.outlet import STALL_S, Outlet, no_abort, start_message
from relay.adapters.inbound.http.reply import KEEP_ALIVE_S, StreamedReply, WholeReply, refuse
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.authenticate import Authenticate
from relay.application.calls import Caller, ChatCall
from relay.application.ports import Clock, Hangup, OriginalRequest, Reply
from relay.domain.chat import ChatRequest
from relay.domain.errors import Draining, Internal, RelayError, WrongMethod
from relay.domain.tags import Tag

type ServeChat = Callable[[ChatCall, Reply, Hangup], Awaitable[None]]
"""The use case `RelayChat`, or one that answers in its place."""

ALLOWED = ("POST", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What a client may take: bytes of a body, and seconds of silence and of not reading."""

    body_bytes: int = MAX_BODY_BYTES
    keep_alive_s: float = KEEP_ALIVE_S
    stall_s: float = STALL_S


DEFAULT_PATIENCE = Patience()


class _Decoded:
    """The canonical form of a body, computed once when first asked for."""

    __slots__ = ("_body", "_dialect", "_request")

    def __init__(self, dialect: Dialect, body: bytes) -> None:
        self._dialect = dialect
        self._body = body
        self._request: ChatRequest | None = None

    def __call__(self) -> ChatRequest:
        if self._request is None:
            self._request = self._dialect.decode_request(self._body)
        return self._request


@dataclass(slots=True, kw_only=True)
class _Visit:
    """One request and everything that is made for its answer."""

    scope: Scope
    receive: Receive
    line: AccessLine
    telling: Telling
    departure: Departure
    outlet: Outlet
    reply: StreamedReply | WholeReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRoute:
    """One dialect's chat route. `preload`, where the dialect has it, serves calls without a conversation."""

    dialect: Dialect
    shapes: ErrorShapes
    serve: ServeChat
    authenticate: Authenticate
    clock: Clock
    traffic: Traffic
    log: FilteringBoundLogger
    preload: ServeChat | None = None
    patience: Patience = DEFAULT_PATIENCE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers every request it is given, whatever happens."""
        visit = self._visit(scope, receive, send)
        failure: RelayError | None = None
        with self.traffic.live() as live:
            try:
                await self._serve(visit)
            except RelayError as error:
                failure = error
            except ClientLeft:
                visit.departure.leave()
            except asyncio.CancelledError:
                if not live.was_interrupted():
                    raise
                failure = Draining("the relay is shutting down", retry_after_s=1)
            except Exception as error:
                failure = unexpected(self.log, visit.line.request_id, error)
        await self._conclude(visit, failure)

    async def _serve(self, visit: _Visit) -> None:
        scope = visit.scope
        if scope["method"] != "POST":
            await _answer_method(visit)
            return
        sender = read_sender(scope["headers"])
        caller = self.authenticate(sender.credential)
        visit.line.key = caller.key.name if caller.key else ""
        body = await read_body(scope, visit.receive, self.patience.body_bytes)
        visit.telling.received_s = self.clock.monotonic()
        envelope = self.dialect.peek(body)
        call = self._call(visit, caller, sender.tags, body, envelope)
        serve, is_streamed = self.serve, call.stream
        if self.preload is not None and not call.message_bytes:
            serve, is_streamed = self.preload, False
        reply = visit.reply = self._reply(visit, call, is_streamed=is_streamed)
        watcher = asyncio.create_task(watch(visit.receive, visit.departure, reply))
        try:
            await serve(call, reply, visit.departure)
        finally:
            watcher.cancel()

    async def _conclude(self, visit: _Visit, failure: RelayError | None) -> None:
        """Say what went wrong, if anybody still listens, and fill in the access line."""
        outlet, line = visit.outlet, visit.line
        if not outlet.ended and not visit.departure.happened:
            failure = failure or Internal("no answer was made")
            if visit.reply is not None and outlet.started:
                await visit.reply.fail(failure)
            else:
                wire = self.shapes.encode(failure, visit.scope["path"])
                await refuse(outlet, visit.telling, failure, wire)
        if isinstance(visit.reply, StreamedReply):
            failure = failure or visit.reply.failure
        line.status = outlet.status or CLIENT_GONE
        if visit.departure.happened:
            line.outcome = "cancelled"
        elif failure is not None:
            line.outcome, line.error = "error", failure.code or type(failure).__name__
        if (head := visit.telling.head) is not None:
            line.provider, line.model = head.provider, head.model
            line.resolved_by, line.attempts = head.resolved_by, head.attempts

    def _visit(self, scope: Scope, receive: Receive, send: Send) -> _Visit:
        line = line_of(scope["state"])
        departure = Departure()
        return _Visit(
            scope=scope,
            receive=receive,
            line=line,
            telling=Telling(
                request_id=line.request_id,
                now=self.clock.monotonic,
                began_s=line.began_s,
                received_s=line.began_s,
            ),
            departure=departure,
            outlet=Outlet(
                send,
                departure,
                stall_s=self.patience.stall_s,
                abort=(scope.get("extensions") or {}).get(ABORT, no_abort),
            ),
        )

    def _call(
        self, visit: _Visit, caller: Caller, tags: tuple[Tag, ...], body: bytes, envelope: Envelope
    ) -> ChatCall:
        client = visit.scope.get("client")
        return ChatCall(
            request_id=visit.line.request_id,
            original=OriginalRequest(
                dialect=self.dialect.name, body=body, decode=_Decoded(self.dialect, body)
            ),
            name=envelope.model,
            stream=envelope.stream,
            include_usage=envelope.include_usage,
            message_bytes=envelope.message_bytes,
            caller=caller,
            tags=tags,
            client=client[0] if client else "",
            received_ns=self.clock.unix_ns(),
        )

    def _reply(self, visit: _Visit, call: ChatCall, *, is_streamed: bool) -> StreamedReply | WholeReply:
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


async def _answer_method(visit: _Visit) -> None:
    """Answer `OPTIONS`; raise `WrongMethod` for what is not served here."""
    if visit.scope["method"] != "OPTIONS":
        raise WrongMethod("this route takes POST only", allowed=ALLOWED)
    headers = [(b"allow", ", ".join(ALLOWED).encode()), (b"x-request-id", visit.line.request_id.encode())]
    await visit.outlet.put(lambda: start_message(204, headers), b"", last=True)
