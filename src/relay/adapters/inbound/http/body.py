"""Reads a request's body within a size, a pace, and the client's patience."""

import asyncio

from relay.adapters.inbound.http.asgi import BODY, Message, Receive, Scope, extension, one_of
from relay.adapters.inbound.http.errors import ClientLeft
from relay.domain.errors import InvalidRequest, TooLarge

MAX_BODY_BYTES = 32 * 1024 * 1024

GRACE_S = 10.0
"""A body may take this long; beyond it, it has to come at `FLOOR_BYTES_PER_S` on the average."""

FLOOR_BYTES_PER_S = 1024


class PacedReceive:
    """A request's `receive` that holds its body to a size and a pace; what comes after the body is passed on.

    Raises `TooLarge` as soon as the declared or the received size is over the limit, and `InvalidRequest` for a
    compressed body (415) and for one that trickles (408).
    """

    def __init__(
        self, scope: Scope, receive: Receive, limit_bytes: int = MAX_BODY_BYTES, grace_s: float = GRACE_S
    ) -> None:
        self._headers = scope["headers"]
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._grace_s = grace_s
        self._deadline = 0.0
        self._size = 0
        self._is_over = False

    async def __call__(self) -> Message:
        """The next message."""
        if self._is_over:
            return await self._receive()
        if not self._deadline:
            self._begin()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise InvalidRequest("the request's body did not arrive in time", status=408) from None
        size = len(message.get("body", b""))
        self._size += size
        self._deadline += size / FLOOR_BYTES_PER_S
        self._is_over = not message.get("more_body", False)
        if self._size > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        return message

    def _begin(self) -> None:
        encoding = one_of(self._headers, b"content-encoding")
        if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
            raise InvalidRequest("compressed request bodies are not accepted", status=415)
        declared = one_of(self._headers, b"content-length")
        if declared is not None and declared.isdigit() and int(declared[:20]) > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        self._deadline = asyncio.get_running_loop().time() + self._grace_s


def _is_plain(scope: Scope) -> bool:
    return one_of(scope["headers"], b"content-encoding") is None


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"the request's body is over the limit of {limit_bytes} bytes")


async def read_body(
    scope: Scope, receive: Receive, limit_bytes: int = MAX_BODY_BYTES, grace_s: float = GRACE_S
) -> bytes:
    """The whole body. Raises as `PacedReceive`, and `ClientLeft`."""
    ready = extension(scope, BODY)
    if ready is not None and _is_plain(scope) and (body := ready()) is not None:
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        whole: bytes = body
        return whole
    paced = PacedReceive(scope, receive, limit_bytes, grace_s)
    parts: list[bytes] = []
    while True:
        message = await paced()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else part
        parts.append(part)
