"""The contract of the HTTP interface, for every implementation: requests large, unread, unfit and slow to go."""

import asyncio

import pytest

from relay.adapters.outbound.http.interface import HttpRequest, RequestHead, Timeouts, UpstreamHttp, read_body
from relay.domain.errors import TimedOut, Unreachable
from tests.support.hostile import OK_HELLO, always, hostile_server, raw_server
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_clients import get, post

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def test_a_large_request_to_a_slow_provider_arrives_whole(http: UpstreamHttp) -> None:
    body = bytes(range(256)) * (2 * MIB // 256)
    arrived = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while len(arrived) < len(body):
            arrived.extend(await reader.read(65536))
            await asyncio.sleep(0.001)
        writer.write(OK_HELLO)

    async with raw_server(serve) as url:
        response = await http.send(HttpRequest(RequestHead("POST", url), body, timeouts=Timeouts()))
        assert await read_body(response) == b"hello"
        await response.aclose()
    assert arrived == body


async def test_a_provider_that_does_not_read_is_given_up_after_the_first_byte_time(
    http: UpstreamHttp,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(30)

    async with raw_server(serve) as url:
        request = HttpRequest(RequestHead("POST", url), b"x" * 16 * MIB, timeouts=Timeouts(first_byte_s=0.4))
        with pytest.raises(TimedOut) as raised:
            await http.send(request)
    assert raised.value.phase == "first_byte"


async def test_a_provider_that_answers_before_it_has_read_the_request_is_heard(http: UpstreamHttp) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")
        while await reader.read(65536):
            pass

    async with raw_server(serve) as url:
        request = HttpRequest(RequestHead("POST", url), b"x" * 8 * MIB, timeouts=Timeouts())
        response = await http.send(request)
        assert response.status == 413
        assert await read_body(response) == b"too large"
        await response.aclose()


async def test_a_handshake_nobody_answers_counts_as_connecting(http: UpstreamHttp) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with raw_server(serve) as url:
        with pytest.raises(Unreachable, match="too long"):
            await get(http, url.replace("http:", "https:"), Timeouts(connect_s=0.2, first_byte_s=5.0))


async def test_a_name_is_tried_at_each_of_its_addresses(http: UpstreamHttp) -> None:
    async with hostile_server(always(OK_HELLO)) as server:  # which listens on 127.0.0.1 alone
        assert await get(http, f"http://localhost:{server.port}/", Timeouts()) == (200, b"hello")


INJECTIONS = [
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"x-a": "b\r\nx-c: d"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"x-a\r\nx-c": "d"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"x-a": "b\x00"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"x-a": "ключ"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"content-length": "5"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/", {"Transfer-Encoding": "chunked"})),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/\r\nx-c: d")),
    HttpRequest(RequestHead("GET", "http://user:secret@127.0.0.1:1/")),
    HttpRequest(RequestHead("GET", "http://127.0.0.1:1/"), request_id="a\r\nx-c: d"),
]


@pytest.mark.parametrize("request_", INJECTIONS)
async def test_what_cannot_be_said_in_http_is_not_sent(http: UpstreamHttp, request_: HttpRequest) -> None:
    with pytest.raises(Unreachable, match="not fit for HTTP"):
        await http.send(request_)


async def test_characters_outside_ascii_are_quoted_in_an_address(http: UpstreamHttp) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        assert await get(http, f"{server.url}/modèle/a%20b c?q=ü&r=1+2") == (200, b"hello")
    assert server.requests[0].target == "/mod%C3%A8le/a%20b%20c?q=%C3%BC&r=1+2"


async def test_the_time_until_the_head_is_told(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.pause(0.05)
        await peer.send(OK_HELLO)

    async with hostile_server(answer) as server:
        for _ in range(2):
            response = await post(http, server.url)
            assert 0.04 < response.phases.head_s < 1.0
            assert response.phases.tls_s is None
            await read_body(response)
            await response.aclose()
