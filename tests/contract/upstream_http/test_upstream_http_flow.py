"""The contract of `HttpResponse.flow`: what is handed over, when it stops, and what is left for `read`.

A client may leave all of it to `read`; then nothing flows, and the same bytes come all the same.
"""

import asyncio
from contextlib import suppress

import pytest

from relay.adapters.outbound.http.interface import HttpResponse, Timeouts, UpstreamHttp
from relay.domain.errors import Interrupted, Malformed, TimedOut
from tests.support.hostile import hostile_server, wait_until_left
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream_clients import CHUNKED, post

pytestmark = pytest.mark.anyio

WORDS = [b"word %d " % number for number in range(20)]


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def slowly(peer: Peer, request: Request, number: int) -> None:
    await peer.send(CHUNKED)
    for word in WORDS:
        await peer.send(framed(word))
        await asyncio.sleep(0.001)
    await peer.send(b"0\r\n\r\n")


async def read_by_both(response: HttpResponse, taken: list[bytes], *, stop_after: int = 10**6) -> None:
    """All of the body: what flows as long as `stop_after` allows, and the rest as it is read."""

    def take(data: bytes) -> bool:
        taken.append(data)
        return len(taken) % stop_after != 0

    while (chunk := await response.read()) is not None:
        taken.append(chunk)
        await response.flow(take)


@pytest.mark.parametrize("stop_after", [1, 3, 10**6])
async def test_every_byte_comes_once_and_in_order_however_often_the_flow_stops(
    http: UpstreamHttp, stop_after: int
) -> None:
    async with hostile_server(slowly) as server:
        response = await post(http, server.url, Timeouts())
        taken: list[bytes] = []
        await read_by_both(response, taken, stop_after=stop_after)
        await response.aclose()
        assert b"".join(taken) == b"".join(WORDS)
        assert await (await post(http, server.url, Timeouts())).read() == WORDS[0]


async def test_a_connection_that_breaks_in_the_flow_is_told_to_the_reader(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + framed(b"one"))
        await asyncio.sleep(0.01)
        await peer.send(framed(b"two"))
        await asyncio.sleep(0.01)
        peer.close()

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        taken: list[bytes] = []
        with pytest.raises(Interrupted):
            await read_by_both(response, taken)
        assert b"".join(taken) == b"onetwo"
        await response.aclose()


async def test_bytes_that_are_no_http_end_the_flow_with_an_error(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + framed(b"one"))
        await asyncio.sleep(0.01)
        await peer.send(b"no chunk at all\r\n")
        await asyncio.sleep(0.1)

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        with pytest.raises(Malformed):
            await read_by_both(response, [])
        await response.aclose()


async def test_silence_in_the_flow_is_timed(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + framed(b"one"))
        await asyncio.sleep(5)

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts(idle_s=0.05))
        with pytest.raises(TimedOut):
            await read_by_both(response, [])
        await response.aclose()


async def test_what_goes_wrong_in_whoever_takes_is_raised_to_whoever_awaits(http: UpstreamHttp) -> None:
    def take(data: bytes) -> bool:
        raise ZeroDivisionError

    async with hostile_server(slowly) as server:
        response = await post(http, server.url, Timeouts())
        assert await response.read()
        with suppress(ZeroDivisionError):
            await response.flow(take)
        await response.aclose()


async def test_a_flow_that_is_cancelled_leaves_nothing_behind(http: UpstreamHttp) -> None:
    left: list[bool] = []

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + framed(b"one"))
        left.append(await wait_until_left(peer))

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        flowing = asyncio.create_task(read_by_both(response, []))
        await asyncio.sleep(0.01)
        flowing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flowing
        await response.aclose()
        await asyncio.sleep(0.05)
    assert left == [True]
