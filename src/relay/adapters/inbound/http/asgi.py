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
"""The scope extension of our own server: a function that drops the connection with whatever is unsent."""


def one_of(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """The value of the first header of this lower-case name."""
    return next((value for name, value in headers if name == wanted), None)
