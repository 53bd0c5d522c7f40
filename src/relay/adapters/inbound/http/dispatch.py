"""In front of the framework: puts paths into one form, serves the hot routes, and frames the rest."""

import re
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from relay.adapters.inbound.http.access import line_of
from relay.adapters.inbound.http.asgi import App, Message, Receive, Scope, Send, one_of
from relay.adapters.inbound.http.body import GRACE_S, MAX_BODY_BYTES, PacedReceive
from relay.adapters.inbound.http.errors import ErrorShapes, error_headers, unexpected

_SLASHES = re.compile("/{2,}")


def canonical(path: str) -> str:
    """The path without doubled and trailing slashes, which clients make when they join addresses."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    return path.rstrip("/") or "/"


class Dispatch:
    """Routes by exact path to the hot callables, and everything else to the framework.

    The framework has the hot callables too: serving them from here saves its cost per request, no more.
    """

    def __init__(
        self,
        hot: Mapping[str, App],
        framework: App,
        *,
        shapes: ErrorShapes,
        log: FilteringBoundLogger,
        body_bytes: int = MAX_BODY_BYTES,
        body_s: float = GRACE_S,
    ) -> None:
        self._hot = hot
        self._framework = framework
        self._shapes = shapes
        self._log = log
        self._body_bytes = body_bytes
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Anything else that ASGI knows is passed on."""
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        path = scope["path"]
        if (route := self._hot.get(path)) is None:
            if (plain := canonical(path)) != path:
                scope = {**scope, "path": plain}
            route = self._hot.get(plain, self._framed)
        await route(scope, receive, send)

    async def _framed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The framework's answer with the request's id on it, noted in the access line.

        An error that gets through the framework's own handlers is answered here.
        """
        line = line_of(scope["state"])

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                line.status = message["status"]
                headers = list(message.get("headers", ()))
                if one_of(headers, b"x-request-id") is None:
                    headers.append((b"x-request-id", line.request_id.encode()))
                message = {**message, "headers": headers}
            try:
                await send(message)
            except OSError:
                line.outcome = "cancelled"

        paced = PacedReceive(scope, receive, self._body_bytes, self._body_s)
        try:
            await self._framework(scope, paced, note)
        except Exception as error:
            failure = unexpected(self._log, line.request_id, error)
            line.outcome, line.error = "error", failure.code or ""
            if not line.status:
                wire = self._shapes.encode(failure, scope["path"])
                headers = error_headers(failure, wire, line.request_id)
                await note({"type": "http.response.start", "status": wire.status, "headers": headers})
                await note({"type": "http.response.body", "body": wire.body, "more_body": False})
