"""Reads a request's body within a size, a pace, and the client's patience."""

import asyncio

from relay.adapters.inbound.http.asgi import Receive, Scope, one_of
from relay.adapters.inbound.http.errors import ClientLeft
from relay.domain.errors import InvalidRequest, TooLarge

MAX_BODY_BYTES = 32 * 1024 * 1024

GRACE_S = 10.0
"""A body may take this long; beyond it, it has to come at `FLOOR_BYTES_PER_S` on the average."""

FLOOR_BYTES_PER_S = 1024


async def read_body(
    scope: Scope, receive: Receive, limit_bytes: int = MAX_BODY_BYTES, grace_s: float = GRACE_S
) -> bytes:
    """The whole body.

    Raises `TooLarge` as soon as the declared or the received size is over the limit, `InvalidRequest` for a
    compressed body (415) and for one that trickles (408), and `ClientLeft`.
    """
    headers = scope["headers"]
    encoding = one_of(headers, b"content-encoding")
    if encoding not in (None, b"", b"identity"):
        raise InvalidRequest("compressed request bodies are not accepted", status=415)
    declared = one_of(headers, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(grace_s) as patience:
            return await _collect(receive, limit_bytes, patience)
    except TimeoutError:
        raise InvalidRequest("the request's body did not arrive in time", status=408) from None


async def _collect(receive: Receive, limit_bytes: int, patience: asyncio.Timeout) -> bytes:
    parts: list[bytes] = []
    size = 0
    deadline = patience.when() or 0.0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else part
        parts.append(part)
        patience.reschedule(deadline + size / FLOOR_BYTES_PER_S)


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"the request's body is over the limit of {limit_bytes} bytes")
