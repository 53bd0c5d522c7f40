"""The HTTP clients under contract, and short ways to use one."""

import ssl
from collections.abc import Callable

import pytest

from relay.adapters.outbound.http.client import HttpxUpstream
from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.adapters.outbound.http.interface import (
    HttpRequest,
    HttpResponse,
    RequestHead,
    Timeouts,
    UpstreamHttp,
    read_body,
)

type Factory = Callable[[ssl.SSLContext | None], UpstreamHttp]

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SHORT = Timeouts(connect_s=2.0, first_byte_s=1.0, idle_s=1.0)

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def httpx2_upstream(tls: ssl.SSLContext | None) -> UpstreamHttp:
    """The client on httpx2."""
    return HttpxUpstream(tls=tls or _TRUSTS_NOBODY)


def own_upstream(tls: ssl.SSLContext | None) -> UpstreamHttp:
    """The relay's own client."""
    return Http1Upstream(tls=tls or _TRUSTS_NOBODY)


LOOPS = (pytest.param("asyncio"), pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"))
"""The standard library's loop, and the one the relay is served on."""

CLIENTS = (pytest.param(own_upstream, id="relay"), pytest.param(httpx2_upstream, id="httpx2"))


async def get(http: UpstreamHttp, url: str, timeouts: Timeouts = SHORT) -> tuple[int, bytes]:
    """Status and body of a GET, its connection let go of."""
    response = await http.send(HttpRequest(RequestHead("GET", url), timeouts=timeouts))
    try:
        return response.status, await read_body(response)
    finally:
        await response.aclose()


async def post(http: UpstreamHttp, url: str, timeouts: Timeouts = SHORT) -> HttpResponse:
    """The head of the answer to a small POST."""
    return await http.send(HttpRequest(RequestHead("POST", url), b"{}", timeouts=timeouts))
