"""The HTTP clients under contract, and short ways to use one."""

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


UVLOOP = ("asyncio", {"use_uvloop": True})
LOOPS = (pytest.param("asyncio"), pytest.param(UVLOOP, id="uvloop"))
"""The standard library's loop, and the one the relay is served on."""


@dataclass(frozen=True)
class Case:
    """A client on a loop, as anyio's plug-in names it."""

    client: Factory
    loop: object


CASES = (
    pytest.param(Case(own_upstream, "asyncio"), id="relay-asyncio"),
    pytest.param(Case(own_upstream, UVLOOP), id="relay-uvloop"),
    pytest.param(Case(httpx2_upstream, UVLOOP), id="httpx2"),
)


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


def self_signed(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
    """A certificate that signs itself, in one file with its key."""
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=provider"
        f" -addext subjectAltName={names} -keyout {folder / 'key'} -out {folder / 'cert'}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return both


def contexts(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the server that has the certificate, and for a client that trusts it."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    return serving, ssl.create_default_context(cafile=str(certificate))
