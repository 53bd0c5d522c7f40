"""The ASGI types this listener is written against: loose ones, as every server and framework has its own."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

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

WRITABLE = "llm_relay.writable"
"""Another: `() -> bool`, false while the client has much to read already, so that sending would wait."""


def extension(scope: Scope, name: str) -> Callable[..., Any] | None:
    """One of the extensions above, if the server has it."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    found: Callable[..., Any] | None = extensions.get(name)
    return found


def one_of(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """The value of the first header of this lower-case name."""
    return next((value for name, value in headers if name == wanted), None)
