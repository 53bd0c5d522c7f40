"""What the relay needs of an HTTP client: one request out, its answer pulled in as raw chunks.

Every implementation passes `tests/contract/test_upstream_http.py` and `…_faults.py`, whose rules are:

* A redirect is an answer like any other, no cookie is kept, no proxy or credential is taken from the
  environment, and nothing is decompressed: `accept-encoding: identity` is sent, and an answer that is
  compressed all the same is `Malformed`.
* `first_byte_s` is one clock from the call of `send` to the first byte of the body; `idle_s` runs between chunks.
* A connection is used again only after a complete answer with nothing behind it: bytes that follow an answer
  are never taken for the next one. A request that may have reached the provider is never sent twice.
* Cancellation at any instant leaves nothing behind, and a closed half-read answer closes its connection.
* Errors name neither the provider's address nor anything that was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

import msgspec

from relay.domain.errors import Malformed, UpstreamError

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024

type Method = Literal["GET", "POST", "DELETE"]

type Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each wait may last, in seconds."""

    connect_s: Seconds = 5.0
    first_byte_s: Seconds = 120.0
    idle_s: Seconds = 60.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request; headers and body stay out of its text form, as they hold the key and the prompt."""

    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS


class HttpResponse(Protocol):
    """An answer whose head has been read. Must be closed, also after an error."""

    @property
    def status(self) -> int:
        """The final status; 1xx answers are skipped."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name; of a repeated one the values joined by commas."""
        ...

    async def read(self) -> bytes | None:
        """The next bytes of the body, never empty; `None` at its end, and ever after.

        Raises `TimedOut`, `Interrupted` when the connection breaks, `Malformed` when the bytes are not HTTP.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection. Idempotent, and not undone by cancellation."""
        ...


class UpstreamHttp(Protocol):
    """An HTTP client."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send and read the answer's head.

        Raises `Unreachable` when nothing was sent, `TimedOut` when no answer came in time, `Interrupted` when
        the connection broke before one, `Malformed` when it was not HTTP or its head too large.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


async def read_body(response: HttpResponse, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The rest of the body. Raises `Malformed` beyond the limit, and as `HttpResponse.read`."""
    chunks: list[bytes] = []
    size = 0
    while (chunk := await response.read()) is not None:
        size += len(chunk)
        if size > limit_bytes:
            raise Malformed(f"the provider's answer exceeds {limit_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def read_error_body(response: HttpResponse) -> bytes:
    """The start of an error's body: what is over the limit or does not arrive is left out."""
    body = bytearray()
    try:
        while len(body) < MAX_ERROR_BYTES and (chunk := await response.read()) is not None:
            body += chunk
    except UpstreamError:
        pass
    return bytes(body[:MAX_ERROR_BYTES])
