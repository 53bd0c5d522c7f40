"""The contract of the HTTP interface, for every implementation: answers cut, padded, poisoned and endless."""

import asyncio
import socket

import anyio
import pytest

from relay.adapters.outbound.http.bulkhead import Bulkhead
from relay.adapters.outbound.http.interface import Timeouts, UpstreamHttp
from relay.domain.errors import Interrupted, Malformed, TimedOut, UpstreamError
from tests.support.hostile import OK_HELLO, always, hostile_server, wait_until_left
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_clients import CHUNKED, get, post

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


SHAPES = {
    "length": b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "trailers": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_an_answer_cut_at_any_byte_is_interrupted(http: UpstreamHttp, shape: str, ending: str) -> None:
    whole = SHAPES[shape]

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(whole[: int(request.path[1:])])
        if ending == "close":
            peer.close()
        else:
            await peer.reset()

    async with hostile_server(answer) as server:
        for cut in range(len(whole)):
            with pytest.raises(Interrupted):
                await get(http, f"{server.url}/{cut}", Timeouts())
        await server.until_all_left()
    assert len(server.requests) == len(whole)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_is_the_same_wherever_it_is_parted(http: UpstreamHttp, shape: str) -> None:
    whole = SHAPES[shape]

    async def answer(peer: Peer, request: Request, number: int) -> None:
        cut = int(request.path[1:])
        await peer.send(whole[:cut])
        await asyncio.sleep(0.001)
        await peer.send(whole[cut:])

    async with hostile_server(answer) as server:
        for cut in range(1, len(whole)):
            assert await get(http, f"{server.url}/{cut}", Timeouts()) == (200, b"hello")
    assert server.connections == 1


async def test_an_answer_that_comes_byte_by_byte_is_read(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        peer.begin()
        peer.write_size = 1
        await peer.send(SHAPES["interim"])

    async with hostile_server(answer) as server:
        assert await get(http, server.url, Timeouts()) == (200, b"hello")


async def test_a_length_that_is_too_short_ends_the_answer_and_its_connection(http: UpstreamHttp) -> None:
    lying = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more than was said"
    async with hostile_server(always(lying)) as server:
        for _ in range(3):
            assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nhello",
        b"RTSP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_an_answer_that_can_be_read_in_two_ways_is_malformed(http: UpstreamHttp, raw: bytes) -> None:
    async with hostile_server(always(raw)) as server:
        with pytest.raises(Malformed):
            await get(http, server.url, Timeouts())
        await server.until_all_left()


async def test_more_fields_than_anybody_needs_are_malformed(http: UpstreamHttp) -> None:
    fields = b"".join(b"x-%d: a\r\n" % number for number in range(300))
    async with hostile_server(
        always(b"HTTP/1.1 200 OK\r\n" + fields + b"content-length: 0\r\n\r\n")
    ) as server:
        with pytest.raises(Malformed):
            await get(http, server.url)
        await server.until_all_left()


ENDLESS = {
    "status line": b"HTTP/1.1 200 ",
    "field": b"HTTP/1.1 200 OK\r\nx-a: ",
    "chunk size": CHUNKED + b"2\r\nok\r\n",
    "chunk extension": CHUNKED + b"2\r\nok\r\n2;",
    "trailer": CHUNKED + b"2\r\nok\r\n0\r\nx-t: ",
}


@pytest.mark.parametrize("place", ENDLESS)
async def test_a_line_of_100_mib_is_given_up_early(http: UpstreamHttp, place: str) -> None:
    sent = 0

    async def answer(peer: Peer, request: Request, number: int) -> None:
        nonlocal sent
        await peer.send(ENDLESS[place])
        while sent < 100 * MIB:
            await peer.send(b"0" * 65536)
            sent += 65536

    async with hostile_server(answer) as server:
        with pytest.raises(Malformed):
            await get(http, server.url, Timeouts())
        await server.until_all_left()
    assert sent < 16 * MIB


async def test_a_trickle_between_chunks_does_not_win_time(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + b"5\r\nhello\r\n5;")
        for _ in range(200):
            await peer.pause(0.02)
            await peer.send(b"x")

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts(first_byte_s=5.0, idle_s=0.2))
        assert await response.read() == b"hello"
        with pytest.raises(TimedOut) as raised:
            await response.read()
        assert raised.value.phase == "idle"
        await response.aclose()
        await server.until_all_left()


async def test_a_compressed_body_is_refused_before_it_is_read(http: UpstreamHttp) -> None:
    """200 MiB of zeros are 200 KiB of gzip: nothing here may unpack them."""
    sent = 0

    async def answer(peer: Peer, request: Request, number: int) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n")
        while sent < 100 * MIB:
            await peer.send(b"10000\r\n" + b"\x00" * 65536 + b"\r\n")
            sent += 65536

    async with hostile_server(answer) as server:
        with pytest.raises(Malformed, match="compressed"):
            await get(http, server.url, Timeouts())
        await server.until_all_left()
    assert sent < 16 * MIB


async def test_what_nobody_reads_is_not_fetched(http: UpstreamHttp) -> None:
    sent = 0

    async def answer(peer: Peer, request: Request, number: int) -> None:
        nonlocal sent
        await peer.send(CHUNKED)
        while sent < 100 * MIB:
            await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        before = -1
        while before != sent:  # until the provider is held up
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 20 * MIB
        assert await response.read()
        await response.aclose()
        await server.until_all_left()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 50\r\n\r\n",
    ],
)
async def test_an_answer_that_has_no_body_by_its_status_is_complete(http: UpstreamHttp, reply: bytes) -> None:
    async with hostile_server(always(reply)) as server:
        for _ in range(2):
            assert (await get(http, server.url))[1] == b""
    assert server.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
)
async def test_a_connection_the_provider_will_close_is_not_used_again(
    http: UpstreamHttp, reply: bytes
) -> None:
    async with hostile_server(always(reply)) as server:
        for _ in range(2):
            assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 2


async def test_bytes_that_come_while_nothing_was_asked_are_not_the_next_answer(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(OK_HELLO)
        if number == 1:
            await asyncio.sleep(0.03)
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON")

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"hello")
        await asyncio.sleep(0.1)
        assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 2


async def test_an_idle_connection_closed_at_this_very_moment_is_not_used(http: UpstreamHttp) -> None:
    """The loop has not come round to see it, so that only the socket can tell."""
    sockets: list[socket.socket] = []

    async def answer(peer: Peer, request: Request, number: int) -> None:
        sockets.append(peer.raw_socket())
        await peer.send(OK_HELLO)

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"hello")
        sockets[0].shutdown(socket.SHUT_RDWR)
        assert await get(http, server.url) == (200, b"hello")
    assert len(server.requests) == 2
    for each in sockets:
        each.close()


async def _slow(peer: Peer, request: Request, number: int) -> None:
    await peer.pause(0.005)
    await peer.send(CHUNKED)
    for _ in range(3):
        await peer.pause(0.005)
        await peer.send(b"5\r\nhello\r\n")
    await peer.send(b"0\r\n\r\n")


async def test_after_a_storm_of_cancelled_calls_every_call_is_served(http: UpstreamHttp) -> None:
    """30 times 30 calls within a bulkhead of 10, cancelled after 0 to 28 ms; then 20 of 20 get their answer."""
    bulkhead = Bulkhead(10, wait_s=5.0)

    async def call(url: str, cancelled_after_s: float) -> bool:
        with anyio.move_on_after(cancelled_after_s):
            await bulkhead.enter()
            try:
                return await get(http, url, Timeouts()) == (200, b"hello" * 3)
            finally:
                bulkhead.leave()
        return False

    served: list[bool] = []

    async def counted(url: str) -> None:
        served.append(await call(url, 10.0))

    async with hostile_server(_slow) as server:
        for _ in range(30):
            async with anyio.create_task_group() as tasks:
                for index in range(30):
                    tasks.start_soon(call, server.url, index * 0.001)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(counted, server.url)
        assert served == [True] * 20
        await http.aclose()
        await server.until_all_left()


async def test_closing_the_client_breaks_off_what_is_being_read(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await wait_until_left(peer)

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        assert await response.read() == b"hello"
        await http.aclose()
        await server.until_all_left()
        with pytest.raises(UpstreamError):
            await response.read()
        await response.aclose()
