"""What the relay needs of an HTTP client: one request out, its answer pulled in as raw chunks.

Every implementation passes the tests of `tests/contract/upstream_http`, whose rules are:

* A redirect is an answer like any other, no cookie is kept, no proxy or credential is taken from the
  environment, and nothing is decompressed: `accept-encoding: identity` is sent, and an answer that is
  compressed all the same is `Malformed`.
* `first_byte_s` is one clock from the call of `send` to the first byte of the body; `idle_s` runs between chunks.
* A connection is used again only after a complete answer with nothing behind it: bytes that follow an answer
  are never taken for the next one. A request that may have reached the provider is never sent twice.
* A provider that answers before it has read the whole request is heard.
* Cancellation at any instant leaves nothing behind, and a closed half-read answer closes its connection.
* Errors name neither the provider's address nor anything that was sent.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec

from relay.adapters.outbound.http.request_head import EncodedHead, encode_head
from relay.domain.errors import Malformed, UpstreamError

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_FIELDS = 256
MAX_INTERIM_ANSWERS = 8
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024

type Method = Literal["GET", "POST", "DELETE"]

type ClientName = Literal["relay", "httpx2"]
"""The relay's own transport, or the library."""

type Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each wait may last, in seconds."""

    connect_s: Seconds = 5.0
    first_byte_s: Seconds = 120.0
    idle_s: Seconds = 60.0


DEFAULT_TIMEOUTS = Timeouts()


class RequestHead:
    """What all requests of one kind to one place have in common: made once, and written as bytes once.

    Its headers hold the key and stay out of its text form. `client` says who shall carry the requests, where there
    is a choice.
    """

    __slots__ = ("_encoded", "client", "headers", "method", "url")

    def __init__(
        self,
        method: Method,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        client: ClientName = "relay",
    ) -> None:
        self.method = method
        self.url = url
        self.headers: Mapping[str, str] = headers or {}
        self.client = client
        self._encoded: EncodedHead | None = None

    def __repr__(self) -> str:
        return f"RequestHead({self.method!r}, {self.url!r})"

    def encoded(self) -> EncodedHead:
        """As bytes. Raises `Unreachable` when the address is none or a header cannot be sent."""
        if self._encoded is None:
            self._encoded = encode_head(self.method, self.url, self.headers)
        return self._encoded


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """A request; its text form shows neither headers nor body, as they hold the key and the prompt.

    `request_id`, where there is one, is sent as `x-request-id`.
    """

    head: RequestHead
    body: bytes = b""
    request_id: str = ""
    timeouts: Timeouts = DEFAULT_TIMEOUTS

    def __repr__(self) -> str:
        return f"HttpRequest({self.head!r}, request_id={self.request_id!r})"

    @property
    def method(self) -> Method:
        """The head's."""
        return self.head.method

    @property
    def url(self) -> str:
        """The head's."""
        return self.head.url

    @property
    def headers(self) -> Mapping[str, str]:
        """The head's and the request's own."""
        own = {"x-request-id": self.request_id} if self.request_id else {}
        return {**self.head.headers, **own}


class Phases(NamedTuple):
    """Where the time until an answer's head went, in seconds; `None` for what did not happen or cannot be told.

    `connect_s` is resolving and connecting, `tls_s` the handshake behind it: on a connection used again neither
    happened. `head_s` is everything from `send` to the head, both included.
    """

    connect_s: float | None
    tls_s: float | None
    head_s: float


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

    @property
    def phases(self) -> Phases:
        """How long it took to get here."""
        ...

    async def read(self) -> bytes | None:
        """The next bytes of the body, never empty; `None` at its end, and ever after.

        Raises `TimedOut`, `Interrupted` when the connection breaks, `Malformed` when the bytes are not HTTP.
        """
        ...

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """Hand over the bytes as they come, without waking a task for each, while `take` returns true.

        Returns when it has not, and when the next `read` would not wait or a client cannot do this. What `take`
        raises is raised here.
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
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_error_body(response: HttpResponse) -> bytes:
    """The start of an error's body: what is over the limit or does not arrive is left out."""
    body = bytearray()
    try:
        while len(body) < MAX_ERROR_BYTES and (chunk := await response.read()) is not None:
            body += chunk
    except UpstreamError:
        pass
    return bytes(body[:MAX_ERROR_BYTES])
