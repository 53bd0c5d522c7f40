"""What every hot route does around its use case, whatever it serves.

Theory of operation. A hot route is a plain ASGI callable, the same with and without the framework's router in
front. Credential and body are read before anything else happens; then the use case runs in the server's own
task, pushing into a reply, with one task beside it that watches for the client's leaving. Nothing here cancels
the use case but the relay's own stop: what a leaving client means for the provider's call is the use case's to
decide.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from relay.adapters.dialects.base import WireError
from relay.adapters.inbound.http.access import CLIENT_GONE, AccessLine, line_of
from relay.adapters.inbound.http.asgi import ABORT, LEAVE, WRITABLE, Receive, Scope, Send, extension
from relay.adapters.inbound.http.body import GRACE_S, MAX_BODY_BYTES, read_body
from relay.adapters.inbound.http.credentials import read_sender
from relay.adapters.inbound.http.errors import ClientLeft, ErrorShapes, unexpected
from relay.adapters.inbound.http.hangup import Beating, Departure, Pulse, watch
from relay.adapters.inbound.http.heads import Telling
from relay.adapters.inbound.http.outlet import STALL_S, Outlet, never, no_abort, start_message
from relay.adapters.inbound.http.reply import KEEP_ALIVE_S, StreamedReply, refuse
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.authenticate import Authenticate
from relay.application.calls import Caller
from relay.application.ports import Clock
from relay.domain.errors import Draining, Internal, RelayError, WrongMethod
from relay.domain.tags import Tag

ALLOWED = ("POST", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What a client may take: bytes of a body and seconds to send it, seconds of silence and of not reading."""

    body_bytes: int = MAX_BODY_BYTES
    body_s: float = GRACE_S
    keep_alive_s: float = KEEP_ALIVE_S
    stall_s: float = STALL_S


DEFAULT_PATIENCE = Patience()


class LiveReply(Pulse, Protocol):
    """A reply as the route sees it."""

    async def fail(self, error: RelayError) -> None:
        """As `AnyReply.fail`."""
        ...


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request and everything that is made for its answer. `client` is the caller's address."""

    scope: Scope
    receive: Receive
    line: AccessLine
    telling: Telling
    departure: Departure
    outlet: Outlet
    reply: LiveReply | None = None

    @property
    def client(self) -> str:
        """The caller's address, empty when the server does not tell."""
        client = self.scope.get("client")
        return client[0] if client else ""

    async def attend(self, reply: LiveReply, serving: Awaitable[None]) -> None:
        """Await the use case, which pushes into `reply`, and watch for the client's leaving beside it."""
        self.reply = reply
        on_leave = extension(self.scope, LEAVE)
        watcher = None
        if on_leave is None:
            watcher = asyncio.create_task(watch(self.receive, self.departure))
        else:
            on_leave(self.departure.leave)
        beating = Beating(reply)
        beating.start()
        try:
            await serving
        finally:
            beating.stop()
            if watcher is not None:
                watcher.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """A request whose sender is known and whose body is there."""

    caller: Caller
    tags: tuple[Tag, ...]
    body: bytes


class ErrorDialect(Protocol):
    """A dialect as far as it says errors."""

    def encode_error(self, error: RelayError) -> WireError:
        """An error before the first byte."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRoute(ABC):
    """One hot route; what it serves is `_answer`."""

    dialect: ErrorDialect
    shapes: ErrorShapes
    authenticate: Authenticate
    clock: Clock
    traffic: Traffic
    log: FilteringBoundLogger
    patience: Patience = DEFAULT_PATIENCE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers every request it is given, whatever happens."""
        visit = self._visit(scope, receive, send)
        failure: RelayError | None = None
        live = self.traffic.begin()
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
        finally:
            self.traffic.finish(live)
        await self._conclude(visit, failure)

    @abstractmethod
    async def _answer(self, visit: Visit, request: ReadRequest) -> None:
        """Serve it, by `visit.attend`. Raises `RelayError` while nothing was sent."""

    def _encode_error(self, error: RelayError, path: str) -> WireError:
        """The error in this route's own words; a wrong method never reached it."""
        if isinstance(error, WrongMethod):
            return self.shapes.encode(error, path)
        return self.dialect.encode_error(error)

    async def _serve(self, visit: Visit) -> None:
        scope = visit.scope
        if scope["method"] != "POST":
            await _answer_method(visit)
            return
        sender = read_sender(scope["headers"])
        caller = self.authenticate(sender.credential)
        visit.line.key = caller.key.name if caller.key else ""
        body = await read_body(scope, visit.receive, self.patience.body_bytes, self.patience.body_s)
        visit.telling.received_s = self.clock.monotonic()
        await self._answer(visit, ReadRequest(caller=caller, tags=sender.tags, body=body))

    async def _conclude(self, visit: Visit, failure: RelayError | None) -> None:
        """Say what went wrong, if anybody still listens, and fill in the access line."""
        outlet, line = visit.outlet, visit.line
        if not outlet.ended and not visit.departure.happened:
            failure = failure or Internal("no answer was made")
            if visit.reply is not None and outlet.started:
                await visit.reply.fail(failure)
            else:
                wire = self._encode_error(failure, visit.scope["path"])
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

    def _visit(self, scope: Scope, receive: Receive, send: Send) -> Visit:
        line = line_of(scope["state"])
        departure = Departure()
        return Visit(
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
                abort=extension(scope, ABORT) or no_abort,
                is_writable=extension(scope, WRITABLE) or never,
            ),
        )


async def _answer_method(visit: Visit) -> None:
    """Answer `OPTIONS`; raise `WrongMethod` for what is not served here."""
    if visit.scope["method"] != "OPTIONS":
        raise WrongMethod("this route takes POST only", allowed=ALLOWED)
    headers = [(b"allow", ", ".join(ALLOWED).encode()), (b"x-request-id", visit.line.request_id.encode())]
    await visit.outlet.put(lambda: start_message(204, headers), b"", last=True)
