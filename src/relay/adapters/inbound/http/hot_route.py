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
from typing import Protocol, TypedDict

from structlog.typing import FilteringBoundLogger

from relay.adapters.dialects.base import WireError
from relay.adapters.inbound.http.access import CLIENT_GONE, line_of
from relay.adapters.inbound.http.asgi import ABORT, LEAVE, Receive, Scope, Send, direct_answer, extension
from relay.adapters.inbound.http.body import GRACE_S, MAX_BODY_BYTES, read_body
from relay.adapters.inbound.http.credentials import Sender, Senders
from relay.adapters.inbound.http.errors import ClientLeft, ErrorShapes, unexpected
from relay.adapters.inbound.http.hangup import Beating, Departure, Pulse, watch
from relay.adapters.inbound.http.heads import Telling
from relay.adapters.inbound.http.outlet import STALL_S, Head, Outlet, no_abort
from relay.adapters.inbound.http.reply import KEEP_ALIVE_S, StreamedReply, refuse
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.ports import Clock
from relay.domain.errors import Draining, Internal, RelayError, WrongMethod

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


class Visit:
    """One request and everything that is made for its answer; who calls and the body once they are read."""

    __slots__ = (
        "body",
        "departure",
        "line",
        "outlet",
        "receive",
        "reply",
        "scope",
        "sender",
        "telling",
    )

    body: bytes
    sender: Sender

    def __init__(self, scope: Scope, receive: Receive, send: Send, route: "HotRoute") -> None:
        self.scope = scope
        self.receive = receive
        self.line = line = line_of(scope["state"])
        self.telling = Telling(line.request_id, route.clock.monotonic, line.began_s)
        self.departure = departure = Departure()
        self.outlet = Outlet(
            send,
            departure,
            stall_s=route.patience.stall_s,
            abort=extension(scope, ABORT) or no_abort,
            direct=direct_answer(scope),
        )
        self.reply: LiveReply | None = None

    @property
    def client(self) -> str:
        """The caller's address, empty when the server does not tell."""
        client = self.scope.get("client")
        return client[0] if client else ""

    async def attend(self, reply: LiveReply, serving: Awaitable[None]) -> None:
        """Await the use case, which pushes into `reply`, and watch for the client's leaving beside it."""
        self.reply = reply
        on_leave = extension(self.scope, LEAVE)
        watcher = beating = None
        if on_leave is None:
            watcher = asyncio.create_task(watch(self.receive, self.departure))
        else:
            on_leave(self.departure.leave)
        if (due_in_s := reply.due_in()) is not None:
            beating = Beating(reply, due_in_s)
        try:
            await serving
        finally:
            if beating is not None:
                beating.stop()
            if watcher is not None:
                watcher.cancel()


class ErrorDialect(Protocol):
    """A dialect as far as it says errors."""

    def encode_error(self, error: RelayError) -> WireError:
        """An error before the first byte."""
        ...


class Surroundings(TypedDict):
    """What all routes of a listener have in common."""

    shapes: ErrorShapes
    senders: Senders
    clock: Clock
    traffic: Traffic
    log: FilteringBoundLogger
    patience: Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRoute(ABC):
    """One hot route; what it serves is `_answer`."""

    dialect: ErrorDialect
    shapes: ErrorShapes
    senders: Senders
    clock: Clock
    traffic: Traffic
    log: FilteringBoundLogger
    patience: Patience = DEFAULT_PATIENCE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers every request it is given, whatever happens."""
        visit = Visit(scope, receive, send, self)
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
        if failure is not None or not visit.outlet.ended:
            await self._say(visit, failure or Internal("no answer was made"))
        _conclude(visit, failure)

    @abstractmethod
    async def _answer(self, visit: Visit) -> None:
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
        visit.sender = sender = self.senders(scope["headers"])
        if (key := sender.caller.key) is not None:
            visit.line.key = key.name
        visit.body = await read_body(scope, visit.receive, self.patience.body_bytes, self.patience.body_s)
        visit.telling.received_s = self.clock.monotonic()
        await self._answer(visit)

    async def _say(self, visit: Visit, failure: RelayError) -> None:
        """Say what went wrong, if anybody still listens."""
        outlet = visit.outlet
        if outlet.ended or visit.departure.happened:
            return
        if visit.reply is not None and outlet.started:
            await visit.reply.fail(failure)
        else:
            wire = self._encode_error(failure, visit.scope["path"])
            await refuse(outlet, visit.telling, failure, wire)


def _conclude(visit: Visit, failure: RelayError | None) -> None:
    """Fill in the access line."""
    line = visit.line
    if isinstance(visit.reply, StreamedReply):
        failure = failure or visit.reply.failure
    line.status = visit.outlet.status or CLIENT_GONE
    if visit.departure.happened:
        line.outcome = "cancelled"
    elif failure is not None:
        line.outcome, line.error = "error", failure.code or type(failure).__name__
    if (head := visit.telling.head) is not None:
        line.provider, line.model = head.provider, head.model
        line.resolved_by, line.attempts = head.resolved_by, head.attempts


async def _answer_method(visit: Visit) -> None:
    """Answer `OPTIONS`; raise `WrongMethod` for what is not served here."""
    if visit.scope["method"] != "OPTIONS":
        raise WrongMethod("this route takes POST only", allowed=ALLOWED)
    lines = b"allow: %b\r\nx-request-id: %b\r\n" % (
        ", ".join(ALLOWED).encode(),
        visit.line.request_id.encode(),
    )
    await visit.outlet.put(lambda: Head(204, lines, None), b"", last=True)
