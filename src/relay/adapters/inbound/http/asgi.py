"""The ASGI types this listener is written against: loose ones, as every server and framework has its own."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

type Message = MutableMapping[str, Any]
type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Any, Any, Any], Awaitable[None]]
type RawHeaders = list[tuple[bytes, bytes]]

ABORT = "llm_relay.abort"
"""An extension of our own server: `() -> None` drops the connection with whatever is unsent."""

LEAVE = "llm_relay.leave"
"""Another: `(react) -> None` has `react` called when the client leaves, in place of a `receive` that waits."""

BODY = "llm_relay.body"
"""Another: `() -> bytes | None`, the request's whole body if it is there already."""

DIRECT = "llm_relay.direct"
"""Another: a `DirectAnswer`, which is written to without messages and without waiting."""


class DirectAnswer(Protocol):
    """The connection as the answer sees it. What was written so and what is sent are one answer."""

    def is_writable(self) -> bool:
        """False while the client has much to read already: then one has to `send`, and to wait."""
        ...

    def begin(self, status: int, lines: bytes, length: int | None) -> None:
        """The head, for the first `put`: its fields as lines, and the length of the body, if that is known."""
        ...

    def put(self, body: bytes, *, is_last: bool) -> None:
        """More of the body."""
        ...


def extension(scope: Scope, name: str) -> Callable[..., Any] | None:
    """One of the extensions above, if the server has it."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    found: Callable[..., Any] | None = extensions.get(name)
    return found


def direct_answer(scope: Scope) -> DirectAnswer | None:
    """The extension `DIRECT`, if the server has it and nothing between it and the route changes answers."""
    found: DirectAnswer | None = (scope.get("extensions") or {}).get(DIRECT)
    return found


def fields_of(lines: bytes) -> RawHeaders:
    """Header lines, each ended by CR LF, as ASGI has them."""
    pairs = (line.partition(b": ") for line in lines.split(b"\r\n") if line)
    return [(name, value) for name, _, value in pairs]


def lines_of(headers: RawHeaders) -> bytes:
    """The other way round."""
    return b"".join([b"%b: %b\r\n" % field for field in headers])


def one_of(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """The value of the first header of this lower-case name."""
    return next((value for name, value in headers if name == wanted), None)
