"""The first layer of the listener: opens a request's access line, and refuses what no route should see."""

from collections.abc import Sequence

from relay.adapters.inbound.http.access import STATE_KEY, AccessLine, AccessLog
from relay.adapters.inbound.http.asgi import App, Message, Receive, Scope, Send
from relay.adapters.inbound.http.dispatch import canonical
from relay.adapters.inbound.http.errors import ErrorShapes, error_headers
from relay.adapters.inbound.http.health import PREFIX as HEALTH_PREFIX
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.ports import Clock, Ids
from relay.domain.errors import Draining, InvalidRequest, RelayError, RelayFault

MAX_HEADER_FIELDS = 100

_ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host"})
"""Fields that may not come twice: two readers could each believe another one."""


class Gate:
    """The listener as the server sees it. Health checks pass whatever the load, so that they tell the truth."""

    def __init__(
        self, app: App, *, shapes: ErrorShapes, traffic: Traffic, clock: Clock, ids: Ids, access: AccessLog
    ) -> None:
        self._app = app
        self._shapes = shapes
        self._clock = clock
        self._ids = ids
        self._access = access
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Anything else that ASGI knows is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        line = AccessLine(
            request_id=self._ids.new(),
            method=scope["method"],
            path=scope["path"],
            began_s=self._clock.monotonic(),
        )
        scope.setdefault("state", {})[STATE_KEY] = line
        if line.method == "HEAD":
            send = _without_body(send)
        is_health = scope["path"].startswith(HEALTH_PREFIX)
        refusal = _malformed(scope["headers"]) or (None if is_health else self._turned_away())
        if refusal is not None:
            await self._refuse(refusal, line, send)
        elif is_health:
            await self._app(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                self.traffic.leave()
        line.duration_ms = (self._clock.monotonic() - line.began_s) * 1000
        self._access(line)

    def _turned_away(self) -> RelayError | None:
        """A reason not to let a sound request in; a place is taken when there is none."""
        if self.traffic.draining:
            return Draining("the relay is shutting down", retry_after_s=1)
        if not self.traffic.enter():
            # The words are Ollama's, which clients look for.
            text = "server busy, please try again.  maximum pending requests exceeded"
            return RelayFault(text, code="overloaded", status=503, retry_after_s=1)
        return None

    async def _refuse(self, error: RelayError, line: AccessLine, send: Send) -> None:
        wire = self._shapes.encode(error, canonical(line.path))
        line.status, line.outcome, line.error = wire.status, "error", error.code or type(error).__name__
        headers = error_headers(error, wire, line.request_id)
        try:
            await send({"type": "http.response.start", "status": wire.status, "headers": headers})
            await send({"type": "http.response.body", "body": wire.body, "more_body": False})
        except OSError:
            line.outcome = "cancelled"


def _without_body(send: Send) -> Send:
    """For `HEAD`: the head of the answer that `GET` would get, and nothing else."""

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _malformed(headers: Sequence[tuple[bytes, bytes]]) -> RelayError | None:
    if len(headers) > MAX_HEADER_FIELDS:
        return InvalidRequest(f"more than {MAX_HEADER_FIELDS} header fields", status=431)
    once = [name for name, _ in headers if name in _ONCE]
    if len(once) != len(set(once)):
        twice = next(name for name in once if once.count(name) > 1)
        return InvalidRequest(f"the header {twice.decode()} may come only once")
    return None
