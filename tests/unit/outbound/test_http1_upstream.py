"""What the relay's own client does beyond the contract: what it sends again, hears early, keeps, and refuses."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest

from relay.adapters.outbound.http.http1 import connection
from relay.adapters.outbound.http.http1.connecting import Address
from relay.adapters.outbound.http.http1.upstream import Http1Upstream
from relay.adapters.outbound.http.interface import HttpRequest, RequestHead, Timeouts, read_body
from relay.domain.errors import Interrupted, Malformed, Unreachable
from tests.support.hostile import OK_HELLO, always, hostile_server, raw_server
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_clients import LOOPS, contexts, get, post, self_signed

pytestmark = pytest.mark.anyio

BODY = b"x" * (16 * 1024 * 1024)


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture
async def http(anyio_backend: object) -> AsyncIterator[Http1Upstream]:
    client = Http1Upstream(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    yield client
    await client.aclose()


def large(url: str) -> HttpRequest:
    return HttpRequest(RequestHead("POST", url), BODY, timeouts=Timeouts())


async def answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK_HELLO)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


async def test_a_request_cut_off_by_the_end_of_an_idle_connection_is_sent_again_once(
    http: Http1Upstream,
) -> None:
    complete = connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal complete, connections
        connections += 1
        if connections == 1:
            await answer_one(reader, writer)
            await reader.readexactly(70_000)
            reset(writer)
        else:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
            complete += 1
            writer.write(OK_HELLO)

    async with raw_server(serve) as url:
        assert await get(http, url) == (200, b"hello")
        response = await http.send(large(url))
        assert await read_body(response) == b"hello"
        await response.aclose()
    assert (complete, connections) == (1, 2)


async def test_a_request_cut_off_on_a_new_connection_is_not_sent_again(http: Http1Upstream) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readexactly(70_000)
        reset(writer)

    async with raw_server(serve) as url:
        with pytest.raises(Interrupted):
            await http.send(large(url))
    assert connections == 1


async def test_a_request_cut_off_after_an_answer_began_is_not_sent_again(http: Http1Upstream) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer_one(reader, writer)
        await reader.readexactly(70_000)
        writer.write(b"HTTP/1.1 2")
        await writer.drain()
        await asyncio.sleep(0.02)
        reset(writer)

    async with raw_server(serve) as url:
        assert await get(http, url) == (200, b"hello")
        with pytest.raises(Interrupted):
            await http.send(large(url))
    assert connections == 1


async def test_an_early_answer_is_heard_though_its_provider_reads_no_further(http: Http1Upstream) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")
        await asyncio.sleep(30)

    async with raw_server(serve) as url:
        async with asyncio.timeout(5):
            response = await http.send(large(url))
            assert response.status == 413
            assert await read_body(response) == b"too large"
            await response.aclose()


async def test_a_connection_with_an_unfinished_request_is_not_used_again(http: Http1Upstream) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer_one(reader, writer)
        await asyncio.sleep(30)

    async with raw_server(serve) as url:
        for _ in range(2):
            response = await http.send(large(url))
            assert await read_body(response) == b"hello"
            await response.aclose()
    assert connections == 2


async def test_interim_answers_without_end_are_malformed(http: Http1Upstream) -> None:
    async with hostile_server(always(b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK_HELLO)) as server:
        with pytest.raises(Malformed):
            await get(http, server.url)
        await server.until_all_left()


async def test_what_came_at_once_is_given_out_at_once(http: Http1Upstream) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in b"abcdefgh")
    reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    async with hostile_server(always(reply)) as server:
        response = await post(http, server.url)
        assert await response.read() == b"abcdefgh"
        assert await response.read() is None
        await response.aclose()


async def test_a_read_that_was_cancelled_can_be_gone_on_with(http: Http1Upstream) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await peer.pause(0.1)
        await peer.send(b"hello")

    async with hostile_server(answer) as server:
        response = await post(http, server.url)
        reading = asyncio.ensure_future(response.read())
        await asyncio.sleep(0.02)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await response.read() == b"hello"
        await response.aclose()


async def test_a_response_let_go_of_does_not_read_the_next_one(http: Http1Upstream) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        first = await post(http, server.url)
        assert await read_body(first) == b"hello"
        await first.aclose()
        second = await post(http, server.url)
        assert await first.read() is None
        await first.aclose()
        assert first.headers == {"content-length": "5"}
        assert await read_body(second) == b"hello"
        await second.aclose()
    assert server.connections == 1


async def test_the_connection_used_last_is_used_first(http: Http1Upstream) -> None:
    ports: dict[str, int] = {}

    async def answer(peer: Peer, request: Request, number: int) -> None:
        ports[request.path] = id(peer)
        await peer.pause(0.02)
        await peer.send(OK_HELLO)

    async with hostile_server(answer) as server:
        one, other = await asyncio.gather(post(http, f"{server.url}/1"), post(http, f"{server.url}/2"))
        for response in (one, other):
            await read_body(response)
            await response.aclose()
        await get(http, f"{server.url}/3")
    assert ports["/3"] == ports["/2"] != ports["/1"]


async def test_an_idle_connection_is_closed_by_the_relay(
    http: Http1Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.1)
    async with hostile_server(always(OK_HELLO)) as server:
        await get(http, server.url)
        assert server.open_connections == 1
        await server.until_all_left()
        assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 2


async def test_only_connecting_anew_takes_time_to_connect(http: Http1Upstream) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        phases = []
        for _ in range(2):
            response = await post(http, server.url)
            phases.append(response.phases)
            await read_body(response)
            await response.aclose()
    assert phases[0].connect_s is not None
    assert 0 < phases[0].connect_s <= phases[0].head_s
    assert phases[1].connect_s is None


async def test_a_refused_address_is_not_connected_to() -> None:
    seen: list[tuple[str, Address, int]] = []

    def refuse(host: str, address: Address, port: int) -> None:
        seen.append((host, address, port))
        raise Unreachable("the provider's address is a private one")

    async with hostile_server(always(OK_HELLO)) as server:
        http = Http1Upstream(admit=refuse)
        with pytest.raises(Unreachable, match="private"):
            await get(http, f"http://localhost:{server.port}/")
        await http.aclose()
    assert ("localhost", IPv4Address("127.0.0.1"), server.port) in seen
    assert server.connections == 0


async def test_an_address_is_admitted_by_what_its_name_stands_for() -> None:
    def no_ipv6(host: str, address: Address, port: int) -> None:
        if address.version == 6:
            raise Unreachable("no IPv6")

    async with hostile_server(always(OK_HELLO)) as server:
        http = Http1Upstream(admit=no_ipv6)
        assert await get(http, f"http://localhost:{server.port}/") == (200, b"hello")
        await http.aclose()


async def test_nothing_is_sent_once_the_client_is_closed(http: Http1Upstream) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        await get(http, server.url)
        await http.aclose()
        with pytest.raises(Unreachable, match="stopping"):
            await get(http, server.url)


async def test_the_handshake_is_timed_apart(tmp_path: Path) -> None:
    serving, trusting = contexts(self_signed(tmp_path))
    http = Http1Upstream(tls=trusting)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        response = await post(http, server.url)
        phases = response.phases
        await read_body(response)
        await response.aclose()
        await http.aclose()
        await server.until_all_left()
    assert phases.tls_s is not None
    assert phases.connect_s is not None
    assert phases.connect_s + phases.tls_s <= phases.head_s


async def test_a_large_request_and_answer_pass_through_tls(tmp_path: Path) -> None:
    serving, trusting = contexts(self_signed(tmp_path))
    http = Http1Upstream(tls=trusting)

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(request.body), request.body)
        )

    async with hostile_server(answer, tls=serving) as server:
        body = BODY[: 2 * 1024 * 1024]
        for _ in range(2):
            response = await http.send(HttpRequest(RequestHead("POST", server.url), body))
            assert await read_body(response) == body
            await response.aclose()
        await http.aclose()
    assert server.connections == 1


async def test_a_call_cancelled_while_it_connects_leaves_nothing_open(tmp_path: Path) -> None:
    serving, trusting = contexts(self_signed(tmp_path))
    http = Http1Upstream(tls=trusting)
    async with hostile_server(always(OK_HELLO), tls=serving) as server:
        for delay_ms in range(12):
            task = asyncio.create_task(post(http, server.url, Timeouts()))
            await asyncio.sleep(delay_ms / 2000)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await (await task).aclose()
        await http.aclose()
        await server.until_all_left()


async def test_one_timer_serves_all_requests_and_chunks_of_a_connection(http: Http1Upstream) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(5):
            await peer.send(b"1\r\nx\r\n")
            await peer.pause(0.001)
        await peer.send(b"0\r\n\r\n")

    made: list[float] = []
    loop = asyncio.get_running_loop()

    class Counting:
        """The loop, but for noting the timers that are asked of it."""

        create_future = staticmethod(loop.create_future)

        def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
            made.append(delay)
            return loop.call_later(delay, callback)

    async with hostile_server(answer) as server:
        assert await get(http, server.url, Timeouts()) == (200, b"x" * 5)
        [pool] = http._pools.values()
        [kept] = pool._open
        kept._loop = cast(asyncio.AbstractEventLoop, Counting())  # as much of it as a connection uses
        for _ in range(3):
            assert await get(http, server.url, Timeouts()) == (200, b"x" * 5)
    assert made == []
