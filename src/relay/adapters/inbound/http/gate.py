"""The first layer of the listener: opens a request's access line, and refuses what no route should see."""

import re
from collections import Counter
from dataclasses import dataclass

from relay.adapters.inbound.http.access import STATE_KEY, AccessLine, AccessLog
from relay.adapters.inbound.http.asgi import DIRECT, App, Message, RawHeaders, Receive, Scope, Send
from relay.adapters.inbound.http.dispatch import canonical
from relay.adapters.inbound.http.errors import ErrorShapes, Foreign, error_headers
from relay.adapters.inbound.http.health import PREFIX as HEALTH_PREFIX
from relay.adapters.inbound.http.origins import Admission, BrowserGuard, Fields
from relay.adapters.inbound.http.traffic import Traffic
from relay.application.ports import Clock, Ids
from relay.domain.errors import Draining, InvalidRequest, RelayError, RelayFault

MAX_HEADER_FIELDS = 100

_ONCE = frozenset(
    {b"authorization", b"content-length", b"content-type", b"host", b"origin", b"transfer-encoding"}
)
"""Fields that may not come twice: two readers could each believe another one."""

_CLOSE = (b"connection", b"close")
_VERSIONS = ("1.1", "1.0")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, made without a route."""

    status: int
    headers: RawHeaders
    body: bytes = b""


class Gate:
    """The listener as the server sees it. Health checks pass whatever the load, so that they tell the truth."""

    def __init__(
        self,
        app: App,
        *,
        shapes: ErrorShapes,
        traffic: Traffic,
        clock: Clock,
        ids: Ids,
        access: AccessLog,
        guard: BrowserGuard | None = None,
    ) -> None:
        self._app = app
        self._shapes = shapes
        self._clock = clock
        self._ids = ids
        self._access = access
        self._guard = guard or BrowserGuard()
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
            send = _without_body(scope, send)
        try:
            admission = self._guard.admit(scope, _noted(scope))
        except RelayError as refusal:
            await _put(self._refusal(refusal, line), line, send)
        else:
            await self._admit(admission, scope, receive, send)
        line.duration_ms = (self._clock.monotonic() - line.began_s) * 1000
        self._access(line)

    def turn_down(self, error: RelayError, method: str, path: str) -> Answer:
        """The answer to what came on a connection and never became a request; it has its line, too."""
        line = AccessLine(request_id=self._ids.new(), method=method, path=path, began_s=0.0)
        answer = self._refusal(error, line)
        if _CLOSE not in answer.headers:
            answer.headers.append(_CLOSE)
        self._access(line)
        return answer

    async def _admit(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        line: AccessLine = scope["state"][STATE_KEY]
        if admission.is_preflight:
            headers = [(b"x-request-id", line.request_id.encode()), *admission.headers]
            await _put(Answer(status=204, headers=headers), line, send)
            return
        if admission.headers:
            send = _with_headers(scope, send, admission.headers)
        is_health = scope["path"].startswith(HEALTH_PREFIX)
        if is_health:
            await self._app(scope, receive, send)
        elif (refusal := self._turned_away()) is not None:
            await _put(self._refusal(refusal, line), line, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                self.traffic.leave()

    def _turned_away(self) -> RelayError | None:
        """A reason not to let a sound request in; a place is taken when there is none."""
        if self.traffic.draining:
            return Draining("the relay is shutting down", retry_after_s=1)
        if not self.traffic.enter():
            # The words are Ollama's, which clients look for.
            text = "server busy, please try again.  maximum pending requests exceeded"
            return RelayFault(text, code="overloaded", status=503, retry_after_s=1)
        return None

    def _refusal(self, error: RelayError, line: AccessLine) -> Answer:
        wire = self._shapes.encode(error, canonical(line.path))
        line.status, line.outcome, line.error = wire.status, "error", error.code or type(error).__name__
        headers = error_headers(error, wire, line.request_id)
        if isinstance(error, Foreign):
            headers.append((b"vary", b"Origin"))
        elif isinstance(error, InvalidRequest) and _CLOSE not in headers:
            headers.append(_CLOSE)  # who knows what its sender takes the rest of the connection for
        return Answer(status=wire.status, headers=headers, body=wire.body)


async def _put(answer: Answer, line: AccessLine, send: Send) -> None:
    line.status = answer.status
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
    except OSError:
        line.outcome = "cancelled"


def _without_body(scope: Scope, send: Send) -> Send:
    """For `HEAD`: the head of the answer that `GET` would get, and nothing else."""
    _have_messages_sent(scope)

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _with_headers(scope: Scope, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    _have_messages_sent(scope)

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return send_with


def _have_messages_sent(scope: Scope) -> None:
    """What is written directly would get past whoever changes messages."""
    if (extensions := scope.get("extensions")) is not None:
        extensions.pop(DIRECT, None)


def _noted(scope: Scope) -> Fields:
    """The fields of a request that is sound, the last of each name. Raises `InvalidRequest` for any other."""
    headers, path = scope["headers"], scope["path"]
    if len(headers) > MAX_HEADER_FIELDS:
        raise InvalidRequest(f"more than {MAX_HEADER_FIELDS} header fields", status=431)
    fields = dict(headers)
    if len(fields) != len(headers):
        _check_once(headers)
    coding = fields.get(b"transfer-encoding")
    if coding is not None and (coding.strip().lower() != b"chunked" or scope["http_version"] == "1.0"):
        raise InvalidRequest("no transfer coding but chunked is read, and none before HTTP/1.1")
    if scope["http_version"] not in _VERSIONS:
        raise InvalidRequest("this is a server of HTTP/1.1", status=505)
    if not path.isprintable() and _CONTROL.search(path):
        raise InvalidRequest("a path may not hold control characters")
    return fields


def _check_once(headers: RawHeaders) -> None:
    names = Counter(name for name, _ in headers)
    for name in _ONCE:
        if names[name] > 1:
            raise InvalidRequest(f"the header {name.decode()} may come only once")
