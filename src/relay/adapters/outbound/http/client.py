"""The HTTP interface on httpx2: the only module that imports it, loaded when a provider asks for it.

It drives httpx2's transport, not its `AsyncClient`: the layer left out is the one with redirects, cookies,
`.netrc` and proxy variables, none of which a relay may use. How many calls run at once is for the bulkhead to
say, so the pool has no limit of its own.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from time import monotonic

import anyio
import httpx2

from relay.adapters.outbound.http.breaks import (
    ambiguous_length,
    body_not_http,
    broken_before_answer,
    broken_in_answer,
    compressed,
    connecting_took_too_long,
    head_too_large,
    no_answer,
    not_http,
    stalled,
    too_many_fields,
    unreachable,
    why_not_connected,
    wrong_status,
)
from relay.adapters.outbound.http.interface import (
    MAX_HEAD_BYTES,
    MAX_HEAD_FIELDS,
    HttpRequest,
    HttpResponse,
    Phases,
    Timeouts,
)
from relay.adapters.outbound.http.request_head import check_request_id
from relay.adapters.outbound.http.trust import system_trust
from relay.domain.errors import Malformed, TimedOut, UpstreamError

KEEPALIVE_S = 20.0
"""Shorter than most servers keep an idle connection, so that the one who closes it is the relay."""

MAX_IDLE_CONNECTIONS = 256

_BROKEN_OFF = ("disconnected", "closed connection")
"""How httpcore2 and h11 word a connection that ended too early; every other protocol error is garbage."""


class HttpxUpstream:
    """An `UpstreamHttp` over HTTP/1.1 with TLS verified against the system's trust store, or against `tls`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._transport = httpx2.AsyncHTTPTransport(
            verify=tls or system_trust(),
            trust_env=False,
            limits=httpx2.Limits(
                max_connections=None,
                max_keepalive_connections=MAX_IDLE_CONNECTIONS,
                keepalive_expiry=KEEPALIVE_S,
            ),
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """As `UpstreamHttp.send`."""
        request.head.encoded()  # refuses what HTTP cannot carry
        check_request_id(request.request_id)
        began = monotonic()
        try:
            with anyio.fail_after(request.timeouts.first_byte_s):
                response = await self._transport.handle_async_request(_outgoing(request))
        except TimeoutError:
            raise no_answer() from None
        except httpx2.TransportError as error:
            raise _failed_to_send(error) from None
        answer = HttpxResponse(response, request.timeouts, began)
        if (flaw := _flaw(answer)) is not None:
            await answer.aclose()
            raise flaw
        return answer

    async def aclose(self) -> None:
        """As `UpstreamHttp.aclose`."""
        with anyio.CancelScope(shield=True):
            await self._transport.aclose()


class HttpxResponse:
    """An `HttpResponse` around httpx2's, to a request that was sent at `began`."""

    def __init__(self, response: httpx2.Response, timeouts: Timeouts, began: float) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self.phases = Phases(connect_s=None, tls_s=None, head_s=monotonic() - began)
        self._response = response
        self._chunks = _chunks_of(response)
        self._idle_s = timeouts.idle_s
        self._first_byte_deadline: float | None = began + timeouts.first_byte_s
        self._is_complete = False
        self._is_broken = False
        self._is_closed = False

    async def read(self) -> bytes | None:
        """As `HttpResponse.read`."""
        if self._is_complete:
            return None
        if self._is_broken or self._is_closed:
            raise broken_in_answer()
        self._is_broken = True  # until this read has succeeded: one that was cancelled cannot be gone on with
        try:
            with anyio.fail_after(self._seconds_left()):
                chunk = await _next_chunk(self._chunks)
        except TimeoutError:
            raise self._too_slow() from None
        except httpx2.TransportError as error:
            raise _broken(error) from None
        self._is_broken = False
        self._first_byte_deadline = None
        self._is_complete = chunk is None
        return chunk

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """As `HttpResponse.flow`, which the library cannot do."""

    async def aclose(self) -> None:
        """As `HttpResponse.aclose`."""
        if self._is_closed:
            return
        self._is_closed = True
        with anyio.CancelScope(shield=True):
            if self._is_complete and _has_bytes_behind(self._response):
                await self._response.extensions["network_stream"].aclose()
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()
            await self._response.aclose()

    def _seconds_left(self) -> float:
        if self._first_byte_deadline is None:
            return self._idle_s
        return self._first_byte_deadline - monotonic()

    def _too_slow(self) -> TimedOut:
        return stalled() if self._first_byte_deadline is None else no_answer()


def _outgoing(request: HttpRequest) -> httpx2.Request:
    """httpx2 times each single read and write; here those are bounded as a whole, so only connecting is left."""
    waits = {"connect": request.timeouts.connect_s, "read": None, "write": None, "pool": None}
    return httpx2.Request(
        request.method,
        request.url,
        headers={**request.headers, "accept-encoding": "identity"},
        content=request.body,
        extensions={"timeout": waits},
    )


def _flaw(answer: HttpxResponse) -> Malformed | None:
    headers = answer.headers
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEAD_BYTES:
        return head_too_large(MAX_HEAD_BYTES)
    if len(headers) > MAX_HEAD_FIELDS:
        return too_many_fields(MAX_HEAD_FIELDS)
    if answer.status < 200:
        return wrong_status(answer.status)
    if headers.get("content-encoding", "identity") != "identity":
        return compressed()
    if "transfer-encoding" in headers and "content-length" in headers:
        return ambiguous_length()
    return None


def _chunks_of(response: httpx2.Response) -> AsyncIterator[bytes]:
    # The response's own iterators decode or re-chunk, and need a client around them.
    stream = response.stream
    if not isinstance(stream, AsyncIterable):
        raise TypeError("an asynchronous transport gave a synchronous stream")
    return aiter(stream)


async def _next_chunk(chunks: AsyncIterator[bytes]) -> bytes | None:
    async for chunk in chunks:
        if chunk:
            return chunk
    return None


def _has_bytes_behind(response: httpx2.Response) -> bool:
    """True when bytes behind a complete answer are waiting, or when that cannot be told.

    h11 keeps such bytes, httpcore2 returns the connection to its pool all the same, and the next caller would
    be given them as the answer to its own request. There is no public way to see them.
    """
    inner: object = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state", "trailing_data"):
        inner = getattr(inner, name, None)
    return not (isinstance(inner, tuple) and inner[0] == b"")


def _failed_to_send(error: httpx2.TransportError) -> UpstreamError:
    match error:
        case httpx2.ConnectTimeout():
            return connecting_took_too_long()
        case httpx2.ConnectError():
            return unreachable(why_not_connected(error))
        case httpx2.RemoteProtocolError() if not _is_broken_off(error):
            return not_http()
        case _:
            return broken_before_answer()


def _broken(error: httpx2.TransportError) -> UpstreamError:
    if isinstance(error, httpx2.RemoteProtocolError) and not _is_broken_off(error):
        return body_not_http()
    return broken_in_answer()


def _is_broken_off(error: httpx2.RemoteProtocolError) -> bool:
    return any(words in str(error) for words in _BROKEN_OFF)
