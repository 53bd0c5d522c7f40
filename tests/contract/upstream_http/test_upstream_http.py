"""The contract of the HTTP interface, for every implementation: what passes through, and what is left behind."""

import asyncio

import anyio
import pytest

from relay.adapters.outbound.http.interface import (
    HttpRequest,
    RequestHead,
    Timeouts,
    UpstreamHttp,
    read_body,
)
from relay.domain.errors import Interrupted, UpstreamError
from tests.support.hostile import (
    OK_HELLO,
    HostileServer,
    always,
    closed_port,
    hostile_server,
    wait_until_left,
)
from tests.support.upstream.http1 import Peer, PeerClosed, Request
from tests.support.upstream_clients import CHUNKED, Factory, get, post

pytestmark = pytest.mark.anyio


async def test_a_request_arrives_as_it_was_given(http: UpstreamHttp) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        headers = {"authorization": "Bearer k", "content-type": "application/json"}
        head = RequestHead("POST", f"{server.url}/v1/chat?x=1", headers)
        request = HttpRequest(head, b'{"a":1}', "r-1")
        response = await http.send(request)
        assert response.status == 200
        assert response.headers["content-length"] == "5"
        assert await read_body(response) == b"hello"
        assert await response.read() is None
        await response.aclose()
    [seen] = server.requests
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/chat?x=1", b'{"a":1}')
    assert seen.headers["authorization"] == "Bearer k"
    assert seen.headers["x-request-id"] == "r-1"
    assert seen.headers["content-length"] == "7"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in seen.headers


def test_a_request_does_not_show_its_key_or_body() -> None:
    request = HttpRequest(RequestHead("POST", "http://x", {"authorization": "Bearer k1"}), b"hush")
    assert "k1" not in repr(request)
    assert "hush" not in repr(request)


async def test_chunks_are_given_out_as_they_come_and_not_collected(http: UpstreamHttp) -> None:
    read_on = asyncio.Event()

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + b"5\r\nfirst\r\n")
        await asyncio.wait_for(read_on.wait(), 2)
        await peer.send(b"6\r\nsecond\r\n0\r\n\r\n")

    async with hostile_server(answer) as server:
        response = await post(http, server.url, Timeouts())
        assert await response.read() == b"first"
        read_on.set()
        assert await response.read() == b"second"
        assert await response.read() is None
        await response.aclose()


async def test_line_separators_and_bytes_that_are_no_text_come_through_untouched(http: UpstreamHttp) -> None:
    body = "a\u2028b\u0085c".encode() + b"\xff\xfe\r\r\n"
    async with hostile_server(always(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))) as server:
        assert await get(http, server.url) == (200, body)


async def test_a_body_without_length_ends_with_its_connection(http: UpstreamHttp) -> None:
    async with hostile_server(always(b"HTTP/1.1 200 OK\r\n\r\nall of it", then_close=True)) as server:
        assert await get(http, server.url) == (200, b"all of it")


async def test_a_connection_is_used_again_after_a_complete_answer(http: UpstreamHttp) -> None:
    async with hostile_server(always(OK_HELLO)) as server:
        for _ in range(5):
            assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 1


async def test_bytes_behind_an_answer_are_never_the_next_answer(http: UpstreamHttp) -> None:
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON"

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(OK_HELLO + (poison if number == 1 else b""))

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"hello")
        assert await get(http, server.url) == (200, b"hello")
    assert server.connections == 2


async def test_bytes_behind_a_chunked_answer_are_never_the_next_answer(http: UpstreamHttp) -> None:
    whole = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(whole + (CHUNKED + b"6\r\nPOISON\r\n0\r\n\r\n" if number == 1 else b""))

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"hello")
        assert await get(http, server.url) == (200, b"hello")


async def test_an_idle_connection_that_was_closed_meanwhile_is_not_used(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(OK_HELLO)
        peer.close()

    async with hostile_server(answer) as server:
        for _ in range(3):
            assert await get(http, server.url) == (200, b"hello")
            await server.until_all_left()
            await asyncio.sleep(0.02)
    assert len(server.requests) == 3


async def test_a_request_that_was_read_is_not_sent_again_when_its_connection_dies(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        if number == 1:
            await peer.send(OK_HELLO)
        else:
            await peer.reset()

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"hello")
        with pytest.raises(Interrupted):
            await post(http, server.url)
    assert len(server.requests) == 2


async def test_a_half_read_answer_closes_its_connection(http: UpstreamHttp) -> None:
    left: list[bool] = []

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED + b"5\r\nfirst\r\n")
        left.append(await wait_until_left(peer))

    async with hostile_server(answer) as server:
        response = await post(http, server.url)
        assert await response.read() == b"first"
        await response.aclose()
        await response.aclose()
        await server.until_all_left()
        with pytest.raises(UpstreamError):
            await response.read()
    assert left == [True]


@pytest.mark.parametrize("behind", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON"])
async def test_closing_is_not_undone_by_cancellation(http: UpstreamHttp, behind: bytes) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(OK_HELLO + (behind if number == 1 else b""))

    async with hostile_server(answer) as server:
        response = await post(http, server.url)
        assert await read_body(response) == b"hello"
        with anyio.CancelScope() as scope:
            scope.cancel()
            await response.aclose()
        assert await get(http, server.url) == (200, b"hello")
        await http.aclose()
        await server.until_all_left()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(http: UpstreamHttp, status: int) -> None:
    reply = b"HTTP/1.1 %d Elsewhere\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n" % status
    async with hostile_server(always(reply)) as server:
        assert await get(http, server.url) == (status, b"")
    assert len(server.requests) == 1


async def test_a_cookie_is_not_sent_back(http: UpstreamHttp) -> None:
    reply = b"HTTP/1.1 200 OK\r\nset-cookie: id=1; path=/\r\ncontent-length: 0\r\n\r\n"
    async with hostile_server(always(reply)) as server:
        await get(http, server.url)
        await get(http, server.url)
    assert "cookie" not in server.requests[1].headers


async def test_proxies_of_the_environment_are_not_used(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{closed_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nowhere)
    http = factory(None)
    async with hostile_server(always(OK_HELLO)) as server:
        assert await get(http, server.url) == (200, b"hello")
    await http.aclose()


async def test_interim_answers_are_skipped(http: UpstreamHttp) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with hostile_server(always(early + OK_HELLO)) as server:
        assert await get(http, server.url) == (200, b"hello")


async def test_a_slow_but_steady_body_outlasts_both_times(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(CHUNKED)
        for _ in range(8):
            await peer.pause(0.1)
            await peer.send(b"1\r\nx\r\n")
        await peer.send(b"0\r\n\r\n")

    async with hostile_server(answer) as server:
        assert await get(http, server.url) == (200, b"x" * 8)


async def _slow_answer(peer: Peer, request: Request, number: int) -> None:
    """Takes a few milliseconds over every part, so that a cancellation can fall anywhere."""
    try:
        await peer.pause(0.002)
        await peer.send(CHUNKED[:20])
        await peer.pause(0.002)
        await peer.send(CHUNKED[20:])
        for _ in range(3):
            await peer.pause(0.002)
            await peer.send(b"5\r\nhello\r\n")
        await peer.send(b"0\r\n\r\n")
    except PeerClosed:
        raise ConnectionError from None


async def test_a_storm_of_cancellations_leaves_the_client_usable_and_nothing_open(http: UpstreamHttp) -> None:
    async def cancelled_after(server: HostileServer, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await get(http, server.url, Timeouts())

    async with hostile_server(_slow_answer) as server:
        for round_number in range(6):
            async with anyio.create_task_group() as tasks:
                for index in range(40):
                    tasks.start_soon(cancelled_after, server, (index + round_number / 6) * 0.0007)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(_expect_fifteen_bytes, http, server)
        await http.aclose()
        await server.until_all_left()


async def _expect_fifteen_bytes(http: UpstreamHttp, server: HostileServer) -> None:
    assert await get(http, server.url, Timeouts()) == (200, b"hello" * 3)


async def test_a_task_that_is_cancelled_outright_leaves_nothing_open(http: UpstreamHttp) -> None:
    async with hostile_server(_slow_answer) as server:
        for delay_ms in range(8):  # the whole answer takes 10 ms
            task = asyncio.create_task(get(http, server.url, Timeouts()))
            await asyncio.sleep(delay_ms / 1000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await server.until_all_left()


async def test_two_hundred_calls_at_once_all_get_their_answer(http: UpstreamHttp) -> None:
    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.pause(0.05)
        body = request.target.encode()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def one(server: HostileServer, index: int) -> None:
        assert await get(http, f"{server.url}/{index}", Timeouts()) == (200, f"/{index}".encode())

    async with hostile_server(answer) as server, anyio.create_task_group() as tasks:
        for index in range(200):
            tasks.start_soon(one, server, index)
