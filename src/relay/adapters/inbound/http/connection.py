"""One connection to the listener: uvicorn's protocol with the limits and the strictness it lacks.

Theory of operation. A connection may keep silent, or be in the middle of a request's head, for `head_s` only, and
a head has at most `head_bytes`; how long a body takes is the routes' to say. What never becomes a request is
answered here, by the gate's words, and the connection ends, unless an earlier request is still being served:
then it ends after that one. Only so many connections are held at once; a new one takes the place of an idle one.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from httptools import parse_url
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from relay.adapters.inbound.http.asgi import ABORT, BODY, DIRECT, LEAVE
from relay.adapters.inbound.http.cycle import RequestCycle
from relay.adapters.inbound.http.gate import Gate
from relay.domain.errors import InvalidRequest, RelayError, RelayFault

HEAD_S = 10.0
HEAD_BYTES = 32 * 1024
LINGER_S = 2.0
MAX_CONNECTIONS = 4096

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection may take, and how many there may be."""

    head_s: float = HEAD_S
    head_bytes: int = HEAD_BYTES
    linger_s: float = LINGER_S
    connections: int = MAX_CONNECTIONS


class _Trailers(list[tuple[bytes, bytes]]):
    """Where the fields behind a chunked body go: they are no headers, however late they come."""

    def append(self, field: tuple[bytes, bytes], /) -> None:
        """Forget it."""


_TRAILERS = _Trailers()


def _without_upgrade(data: bytes) -> bytes:
    """A head without the wish for another protocol: the parser would take the body for that protocol's.

    Java's client wishes for `h2c` with every request, and is content without.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + rest


class GuardedConnection(HttpToolsProtocol):
    """See the module."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        gate: Gate,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._gate = gate
        self._limits = limits
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in_head = False
        self._is_deaf = False
        self._head_bytes = 0
        self._packet_bytes = 0
        self._fault: RelayError | None = None
        self.url = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """As the protocol; silence is limited from here on."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections and not self._make_room():
            self._refuse(RelayFault("too many connections", code="overloaded", status=503, retry_after_s=1))
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """As the protocol."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As the protocol, within the limits of a head."""
        if self._is_deaf:
            return
        if self._served is None and data.find(b"pgrade:", 0, self._limits.head_bytes) > 0:
            data = _without_upgrade(data)
        self._packet_bytes = len(data)
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_ending:
            return
        if self._is_in_head and self._head_bytes > self._limits.head_bytes:
            self._refuse(self._too_large())
        elif self._deadline is None and self._is_owed_a_head:
            self._arm()

    def on_message_begin(self) -> None:
        """As the protocol; the head's size is counted from here."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = self._packet_bytes

    def on_headers_complete(self) -> None:
        """A head is there: answer it, if it is within the limits and means this server."""
        self._fault = self._fault_of_head()
        if self._fault is not None:
            raise self._fault  # the parser stops at it, and has the protocol refuse
        self._is_in_head = False
        self._disarm()
        before, cycle = self._served, self._cycle_of_head()
        self.cycle: Any = cycle  # in place of uvicorn's own
        if before is None:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            waiting: Any = (cycle, self.app)
            self.pipeline.appendleft(waiting)

    def _cycle_of_head(self) -> RequestCycle:
        """The request whose head is complete."""
        scope: Any = self.scope
        version = self.parser.get_http_version()
        scope["http_version"] = version
        scope["method"] = self.parser.get_method().decode("ascii")
        raw_path, scope["query_string"] = self._split_target()
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        cycle = RequestCycle(
            scope,
            self.transport,
            self.flow,
            close=self._end,
            on_response=self.on_response_complete,
            expects_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
        )
        scope["extensions"] = {
            ABORT: self.transport.abort,
            LEAVE: cycle.on_leave,
            BODY: cycle.whole_body,
            DIRECT: cycle,
        }
        self.headers = _TRAILERS
        return cycle

    def _split_target(self) -> tuple[bytes, bytes]:
        """Path and query of the target as they were sent."""
        if self.url.startswith(b"/"):
            path, _, query = self.url.partition(b"?")
            return path, query
        target = parse_url(self.url)
        return target.path or b"/", target.query or b""

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """As the protocol, for requests of our own, which take themselves off the list."""
        self.tasks.add(self.loop.create_task(cycle.run(app, self.tasks)))

    def on_response_complete(self) -> None:
        """As the protocol, unless the connection is to end."""
        if self._is_deaf:
            self.server_state.total_requests += 1
        else:
            super().on_response_complete()

    def on_message_complete(self) -> None:
        """As the protocol; behind a body that was not wanted any more the connection is idle again."""
        super().on_message_complete()
        if self.cycle.response_complete and not self._is_ending:
            self._disarm()
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped: at a head with a fault, or at bytes that are no HTTP."""
        self._refuse(self._fault or InvalidRequest("the request is not valid HTTP"))

    @property
    def _is_ending(self) -> bool:
        return self._is_deaf or self.transport.is_closing()

    @property
    def _is_owed_a_head(self) -> bool:
        """True while a head has begun, or nothing is being served and nothing ended properly before."""
        return self._is_in_head or (self._served is None and self.timeout_keep_alive_task is None)

    @property
    def _served(self) -> RequestCycle | None:
        """The latest request, until its answer is complete."""
        cycle: RequestCycle | None = self.cycle
        return None if cycle is None or cycle.response_complete else cycle

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._limits.head_s, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self._served is not None:
            self._arm()  # half a head behind a request that is being served: nothing is held for it alone
        elif self._is_in_head:
            self._refuse(InvalidRequest("the request's head did not arrive in time", status=408))
        else:
            self.transport.close()

    def _make_room(self) -> bool:
        for connection in self.connections:
            if isinstance(connection, GuardedConnection) and connection.timeout_keep_alive_task is not None:
                connection.transport.close()
                return True
        return False

    def _fault_of_head(self) -> RelayError | None:
        if self._head_bytes > self._limits.head_bytes and self._size_of_head() > self._limits.head_bytes:
            return self._too_large()
        if self.parser.should_upgrade():
            return InvalidRequest("connections are not upgraded here")
        if b"#" in self.url:
            return InvalidRequest("a request's target has no fragment")
        if not self.url.startswith(b"/") and not self._is_for_this_server():
            return InvalidRequest("this is no proxy: the request is for another server")
        return None

    def _is_for_this_server(self) -> bool:
        """Whether a target in absolute form names the same server as the Host field, which is looked at later."""
        form = _ABSOLUTE.match(self.url)
        return form is not None and [form[1].lower()] == [
            value.lower() for name, value in self.headers if name == b"host"
        ]

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _too_large(self) -> RelayError:
        return InvalidRequest(
            f"the request's head is over the limit of {self._limits.head_bytes} bytes", status=431
        )

    def _refuse(self, error: RelayError) -> None:
        """Answer what is no request and end the connection, or end it after the request being served."""
        self._disarm()
        self._is_deaf = True
        served = self._served
        if served is not None and (self.pipeline or served.response_started or not served.more_body):
            served.keep_alive = False
            return
        method = self.parser.get_method().decode() if self.url else ""
        answer = self._gate.turn_down(error, method, served.scope["path"] if served else self._path())
        lines = [b"%b: %b\r\n" % field for field in answer.headers]
        body = b"" if method == "HEAD" else answer.body
        self.transport.write(b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", body)))
        if served is not None:  # its body went wrong: to whoever reads it, the client is gone
            served.disconnected = True
            served.message_event.set()
        self._linger()

    def _end(self) -> None:
        """What a request that asks to close the connection does instead of closing it."""
        if self.cycle.more_body:
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Say that no more comes, and let the client send on for a while, into nothing.

        Closed at once, a connection with unread bytes is reset, and the client may never see its answer.
        """
        self._disarm()
        self._is_deaf = True
        if not self.transport.is_closing():
            self.transport.write_eof()
            self.flow.resume_reading()
            self._deadline = self.loop.call_later(self._limits.linger_s, self.transport.close)

    def _path(self) -> str:
        target = _ABSOLUTE.sub(b"", self.url if self._is_in_head else b"")
        return unquote(target.partition(b"?")[0].decode("latin-1"))
