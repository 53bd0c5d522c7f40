"""From a `RelayError` to an HTTP answer: the body in the caller's dialect and the headers that go with it."""

import math
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from relay.adapters.dialects.base import ClientDialect, WireError
from relay.adapters.inbound.http.asgi import RawHeaders
from relay.domain.errors import (
    Draining,
    Forbidden,
    Internal,
    RelayError,
    TooLarge,
    Unauthenticated,
    UnknownRoute,
    WrongMethod,
)

_PLAIN = "text/plain"

_OPENAI_PATHS = frozenset(
    {
        "/v1",
        "/chat/completions",
        "/api/chat/completions",
        "/completions",
        "/embeddings",
        "/models",
        "/responses",
    }
)
_BELOW_OPENAI_PATHS = ("/v1/", "/models/", "/responses/")

_ANTHROPIC_PATHS = frozenset(
    {"/v1/messages", "/messages", "/v1/messages/count_tokens", "/messages/count_tokens"}
)
_BELOW_ANTHROPIC_PATHS = ("/v1/messages/", "/messages/")

_CLOSING_STATUSES = frozenset({408, 431})


class ClientLeft(Exception):
    """The client hung up before its request was complete: there is nobody to answer."""


class Foreign(Forbidden):
    """A browser brought the request here from a page, or by a name, that is not to be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShapes:
    """The error languages of this listener, told apart by path.

    OpenAI's is spoken under `/v1`, and where clients are served that leave `/v1` out; Anthropic's where its clients
    look for messages; Ollama's everywhere else.
    """

    openai: ClientDialect
    anthropic: ClientDialect
    ollama: ClientDialect

    def encode(self, error: RelayError, path: str) -> WireError:
        """The error as a client of `path` expects it.

        In Ollama's language, unknown routes and methods are plain text, and a page that is not to be served learns
        nothing at all: that is what Ollama's router answers.
        """
        if path in _ANTHROPIC_PATHS or path.startswith(_BELOW_ANTHROPIC_PATHS):
            return self.anthropic.encode_error(error)
        if path.startswith(_BELOW_OPENAI_PATHS) or path in _OPENAI_PATHS:
            return self.openai.encode_error(error)
        match error:
            case UnknownRoute():
                return WireError(status=404, body=b"404 page not found", content_type=_PLAIN)
            case WrongMethod():
                return WireError(status=405, body=b"405 method not allowed", content_type=_PLAIN)
            case Foreign():
                return WireError(status=403, body=b"", content_type=_PLAIN)
            case _:
                return self.ollama.encode_error(error)


def error_headers(error: RelayError, wire: WireError, request_id: str) -> RawHeaders:
    """Everything but the attempt's own headers.

    The connection is closed where the request's body is left unread on purpose, and while draining.
    """
    headers: RawHeaders = [
        (b"content-type", wire.content_type.encode()),
        (b"content-length", b"%d" % len(wire.body)),
        (b"x-request-id", request_id.encode()),
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, WrongMethod):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, (TooLarge, Draining)) or wire.status in _CLOSING_STATUSES:
        headers.append((b"connection", b"close"))
    return headers


def unexpected(log: FilteringBoundLogger, request_id: str, error: Exception) -> Internal:
    """What a caller is told of a bug of ours. The log gets its type and place, not its text, which may quote."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}"
    log.error("unexpected failure", request_id=request_id, exception=type(error).__name__, where=where)
    return Internal("the relay failed to serve this request")
