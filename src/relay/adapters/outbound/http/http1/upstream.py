"""The HTTP interface on the relay's own transport."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from time import monotonic
from typing import Any

from relay.adapters.outbound.http.breaks import (
    broken_in_answer,
    connecting_took_too_long,
    no_answer,
    unreachable,
)
from relay.adapters.outbound.http.http1.answer_head import fields_of
from relay.adapters.outbound.http.http1.connecting import Admit, admit_all, connect
from relay.adapters.outbound.http.http1.connection import Connection
from relay.adapters.outbound.http.http1.pool import Pool
from relay.adapters.outbound.http.interface import HttpRequest, HttpResponse, Phases, Timeouts
from relay.adapters.outbound.http.request_head import Origin, check_request_id
from relay.adapters.outbound.http.trust import system_trust
from relay.domain.errors import Interrupted

JOINED_BYTES = 64 * 1024
"""A body up to this size leaves in one write with its head."""


class Http1Response:
    """An `HttpResponse` on a connection, which is its own until it lets go."""

    __slots__ = ("_connect_s", "_connection", "_head", "_head_s", "_is_complete", "_pool", "_tls_s", "status")

    def __init__(self, connection: Connection, pool: Pool, *, began: float, is_reused: bool) -> None:
        self.status = connection.answer.status
        self._head = connection.answer.head
        self._head_s = connection.head_at - began
        self._connect_s = None if is_reused else connection.connect_s
        self._tls_s = None if is_reused else connection.tls_s
        self._connection: Connection | None = connection
        self._pool = pool
        self._is_complete = False

    @property
    def headers(self) -> Mapping[str, str]:
        """As `HttpResponse.headers`; read from the head each time."""
        return fields_of(self._head)

    @property
    def phases(self) -> Phases:
        """As `HttpResponse.phases`."""
        return Phases(connect_s=self._connect_s, tls_s=self._tls_s, head_s=self._head_s)

    def read(self) -> Coroutine[Any, Any, bytes | None]:
        """As `HttpResponse.read`."""
        return self._nothing() if self._connection is None else self._connection.read()

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """As `HttpResponse.flow`."""
        if self._connection is not None:
            await self._connection.flow(take)

    async def aclose(self) -> None:
        """As `HttpResponse.aclose`; it never waits."""
        connection = self._connection
        if connection is not None:
            self._connection = None
            self._is_complete = connection.is_at_end
            self._pool.give_back(connection)

    async def _nothing(self) -> None:
        if not self._is_complete:
            raise broken_in_answer()


class Http1Upstream:
    """An `UpstreamHttp` over HTTP/1.1 with TLS verified against the system's trust store, or against `tls`.

    `admit` sees every address before it is connected to, and may refuse it.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, admit: Admit = admit_all) -> None:
        self._tls = tls
        self._admit = admit
        self._pools: dict[Origin, Pool] = {}
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """As `UpstreamHttp.send`."""
        origin, start = request.head.encoded()
        start, rest = _message(start, request)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool()
        began = monotonic()
        deadline = began + request.timeouts.first_byte_s
        connection = pool.take()
        is_reused = connection is not None
        if connection is None:
            connection = await self._connected(origin, pool, request.timeouts, deadline)
        while True:
            try:
                connection.begin(start, rest, request.timeouts, deadline)
                await connection.answered()
            except Interrupted:
                sends_again = is_reused and connection.may_send_again()
                pool.discard(connection)
                if not sends_again:
                    raise
            except BaseException:
                pool.discard(connection)
                raise
            else:
                return Http1Response(connection, pool, began=began, is_reused=is_reused)
            is_reused = False
            connection = await self._connected(origin, pool, request.timeouts, deadline)

    async def aclose(self) -> None:
        """As `UpstreamHttp.aclose`; calls under way are broken off, and it does not wait."""
        self._is_closed = True
        for pool in self._pools.values():
            pool.close()

    async def _connected(self, origin: Origin, pool: Pool, timeouts: Timeouts, deadline: float) -> Connection:
        """A new connection. Raises `Unreachable`, and `TimedOut` when that is the nearer limit."""
        left_s = deadline - monotonic()
        connection = pool.new()
        try:
            async with asyncio.timeout(min(timeouts.connect_s, left_s)):
                tls = await self._trust() if origin.is_tls else None
                await connect(origin, connection, tls=tls, admit=self._admit)
            if self._is_closed:
                raise unreachable("the relay is stopping")
        except TimeoutError:
            pool.discard(connection)
            raise (connecting_took_too_long() if timeouts.connect_s <= left_s else no_answer()) from None
        except BaseException:
            pool.discard(connection)
            raise
        return connection

    async def _trust(self) -> ssl.SSLContext:
        """Made in a thread: reading the system's authorities takes tens of milliseconds."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(system_trust)
        return self._tls


def _message(start: bytes, request: HttpRequest) -> tuple[bytes, bytes]:
    """A request as it is written: its head with as much of its body as leaves along with it, and what does not."""
    body = request.body
    if request.request_id:
        check_request_id(request.request_id)
        start = b"%bx-request-id: %b\r\n" % (start, request.request_id.encode())
    if not body and request.head.method != "POST":
        return b"%b\r\n" % start, b""
    if len(body) <= JOINED_BYTES:
        return b"%bcontent-length: %d\r\n\r\n%b" % (start, len(body), body), b""
    return b"%bcontent-length: %d\r\n\r\n" % (start, len(body)), body
