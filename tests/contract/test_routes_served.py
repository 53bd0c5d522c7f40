"""The listener behind the real server on a socket: departures, slow readers, the order of a stop."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from relay.adapters.inbound.http.chat import Patience
from relay.adapters.inbound.http.server import Stop, serve
from relay.application.ports import Piece
from relay.domain.events import PartDelta, PartStarted
from tests.support.fakes_chat import Step, TapeBackend
from tests.support.raw_http import RawConnection, connected
from tests.unit.inbound_http.chatting import OLLAMA, OPENAI, asked, both, settled
from tests.unit.inbound_http.listener import (
    HELLO,
    USAGE,
    listening,
    openai_body,
    served,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop the relay is served by."""
    return "asyncio", {"use_uvloop": True}


ENDLESS: tuple[Step, ...] = (*HELLO[:2], 600.0)


def flood(megabytes: int) -> tuple[Step, ...]:
    """An answer of this size, in pieces of 64 KiB."""
    opening = Piece(events=(PartStarted(index=0, kind="text"), PartDelta(index=0, text="x")), raw=b": go\n\n")
    part = Piece(events=(), raw=b"data: %b\n\n" % (b"x" * 65_528))
    return (opening, *[part] * (megabytes * 16), Piece(events=(), raw=b"data: [DONE]\n\n", last=True))


@asynccontextmanager
async def asking(url: str, path: str = OPENAI, *, stream: bool = True) -> AsyncIterator[RawConnection]:
    async with connected(url) as connection:
        await connection.send("POST", path, openai_body(stream=stream))
        yield connection


@both
async def test_a_client_that_leaves_mid_stream_stops_its_provider_within_a_second(path: str) -> None:
    listener = listening(TapeBackend(ENDLESS))
    async with served(listener.api) as url:
        async with asking(url, path) as connection:
            assert (await connection.head()).status == 200
            assert await connection.piece()
        left = time.monotonic()
        await settled(listener)
        assert time.monotonic() - left < 1.0
    assert [ended.outcome for ended in listener.books.ended] == ["cancelled"]
    assert listener.backend.exchanges[0].closed


@both
async def test_a_client_that_leaves_before_the_first_byte_stops_its_provider(path: str) -> None:
    listener = listening(TapeBackend(HELLO, before=(600.0,)))
    async with served(listener.api) as url:
        async with asking(url, path):
            await asked(listener)
        await settled(listener)
    assert [ended.outcome for ended in listener.books.ended] == ["cancelled"]
    assert listener.lines[0].status == 499


async def test_a_call_that_is_not_streamed_goes_on_after_its_client_has_left() -> None:
    listener = listening(TapeBackend(HELLO, before=(0.3,)))
    async with served(listener.api) as url:
        async with asking(url, stream=False):
            await asked(listener)
        await settled(listener)
    (ended,) = listener.books.ended
    assert (ended.outcome, ended.usage, ended.usage_source) == ("cancelled", USAGE, "reported")


async def test_departures_leave_no_task_behind() -> None:
    listener = listening(TapeBackend(ENDLESS))
    async with served(listener.api) as url:
        before = asyncio.all_tasks()

        async def visit(number: int) -> None:
            async with asking(url, (OPENAI, OLLAMA)[number % 2]) as connection:
                if number % 3:
                    await connection.head()

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(visit, number)
        with anyio.fail_after(3):
            while asyncio.all_tasks() - before:
                await anyio.sleep(0.01)
        assert len(listener.lines) == 50
    assert len(listener.books.ended) == len(listener.books.started)


async def test_the_first_byte_leaves_while_the_provider_is_still_at_it() -> None:
    listener = listening(TapeBackend((*HELLO[:2], 0.5, *HELLO[2:])))
    async with served(listener.api) as url, asking(url) as connection:
        began = time.monotonic()
        await connection.head()
        await connection.piece()
        assert time.monotonic() - began < 0.4
        assert b"[DONE]" in await connection.body()
        assert connection.ending == "whole"


async def test_one_connection_serves_many_requests() -> None:
    listener = listening()
    async with served(listener.api) as url, connected(url) as connection:
        for number in range(5):
            await connection.send("POST", OPENAI, openai_body(stream=bool(number % 2)))
            assert (await connection.head()).status == 200
            await connection.body()
    assert [line.outcome for line in listener.lines] == ["ok"] * 5


async def test_a_percent_encoded_id_is_the_same_model_as_a_plain_one() -> None:
    async with served(listening().api) as url, connected(url) as connection:
        bodies = []
        for path in ("/v1/models/up/basic", "/v1/models/up%2Fbasic", "//v1/models/up%2fbasic/"):
            await connection.send("GET", path)
            assert (await connection.head()).status == 200
            bodies.append(await connection.body())
    assert len(set(bodies)) == 1


async def test_the_server_adds_nothing_to_the_answer() -> None:
    async with served(listening().api) as url, connected(url) as connection:
        await connection.send("GET", "/")
        head = await connection.head()
        assert await connection.body() == b"Ollama is running"
    assert set(head.headers) == {"content-type", "content-length", "x-request-id", "x-relay-version"}


async def test_a_slow_reader_is_waited_for_and_gets_everything() -> None:
    listener = listening(TapeBackend(flood(megabytes=16)))
    async with served(listener.api) as url, asking(url) as slow:
        await slow.head()
        await anyio.sleep(0.3)
        left = len(listener.backend.exchanges[0].steps)
        assert left > 16, "the provider is read only as fast as the client reads"
        async with asking(url, OLLAMA, stream=False) as other:
            assert (await other.head()).status == 200
        received = len(await slow.body())
        assert received > 16 * 1024 * 1024
        assert slow.ending == "whole"


async def test_a_reader_that_takes_nothing_is_cut() -> None:
    listener = listening(TapeBackend(flood(megabytes=64)), patience=Patience(keep_alive_s=0.1, stall_s=0.3))
    async with served(listener.api) as url, asking(url) as stuck:
        await stuck.head()
        await settled(listener)
        assert listener.lines[0].outcome == "cancelled"
        assert listener.api.traffic.in_flight == 0
        with anyio.fail_after(5):
            await stuck.body()
        assert stuck.ending in ("cut", "reset")


async def test_a_declared_huge_body_is_refused_before_it_is_sent() -> None:
    async with served(listening().api) as url, connected(url) as connection:
        await connection.send("POST", OPENAI, b"", headers={"content-length": str(10**9)})
        head = await connection.head()
        assert head.status == 413
        assert await connection.body()
        assert await connection.closed_by_peer()


async def test_whoever_sends_on_after_a_413_can_read_it() -> None:
    listener = listening(patience=Patience(body_bytes=1000))
    async with served(listener.api) as url, connected(url) as connection:
        head = b"POST /api/chat HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.writer.write(head + (b"2000\r\n" + b"x" * 0x2000 + b"\r\n") * 4)
        assert (await connection.head()).status == 413
        assert b"error" in await connection.body()


async def test_an_unread_body_does_not_spoil_the_next_request() -> None:
    listener = listening(mode="keys")
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send("POST", OPENAI, b"x" * 100_000)
        assert (await connection.head()).status == 401
        await connection.body()
        await connection.send("GET", "/")
        assert (await connection.head()).status == 200


async def test_garbage_on_the_wire_is_refused_and_nobody_called() -> None:
    listener = listening()
    async with served(listener.api) as url:
        for garbage in (
            b"GARBAGE\r\n\r\n",
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
            b"GET / HTTP/1.1\nhost: a\n\n",
        ):
            async with connected(url) as connection:
                await connection.send_bytes(garbage)
                assert (await connection.head()).status == 400
    assert listener.backend.calls == []


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/v1/models/%00%0d%0a", 400),
        (b"/v1/models/%ff%fe", 404),
        (b"/v1/models/" + b"x" * 10_000, 404),
        (b"/api/tags?" + b"key=" * 5000, 200),
        (b"/%2e%2e/api/tags", 404),
        (b"/api%2ftags", 200),
    ],
)
async def test_an_odd_path_is_an_ordinary_answer(target: bytes, status: int) -> None:
    listener = listening()
    async with served(listener.api) as url, connected(url) as connection:
        await connection.send_bytes(b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" % target)
        assert (await connection.head()).status == status
        assert b"\r" not in await connection.body()
    assert listener.events == []


async def test_a_stop_lets_streams_end_and_new_requests_know() -> None:
    listener, stop = listening(TapeBackend((*HELLO[:2], 0.6, *HELLO[2:]))), Stop()
    async with served(listener.api, stop=stop) as url, asking(url) as running:
        await running.head()
        await running.piece()
        stop.ask()
        await anyio.sleep(0.05)
        for path, status in (("/health/ready", 503), ("/health/live", 200), ("/api/tags", 503)):
            async with connected(url) as late:
                await late.send("GET", path)
                assert (await late.head()).status == status
        assert b"[DONE]" in await running.body()
        assert running.ending == "whole"
        assert await running.closed_by_peer(2.0)
    assert [ended.outcome for ended in listener.books.ended] == ["ok"]


@both
async def test_a_stream_that_outlives_the_drain_ends_in_band(path: str) -> None:
    listener, stop = listening(TapeBackend(ENDLESS)), Stop()
    async with served(listener.api, drain_s=0.2, stop=stop) as url, asking(url, path) as running:
        await running.head()
        stop.ask()
        with anyio.fail_after(3):
            said = await running.body()
        assert b"shutting down" in said
        assert running.ending == "whole"
    assert [ended.outcome for ended in listener.books.ended] == ["interrupted"]


async def test_asking_twice_does_not_wait() -> None:
    listener, stop = listening(TapeBackend(ENDLESS)), Stop()
    async with served(listener.api, drain_s=600.0, stop=stop) as url, asking(url) as running:
        await running.head()
        stop.ask()
        await anyio.sleep(0.05)
        stop.ask()
        with anyio.fail_after(2):
            assert b"shutting down" in await running.body()


async def test_an_idle_server_stops_at_once() -> None:
    stop = Stop()
    began = 0.0
    async with served(listening().api, drain_s=600.0, stop=stop) as url, connected(url) as idle:
        await idle.send("GET", "/")
        await idle.head()
        await idle.body()
        began = time.monotonic()
        stop.ask()
        assert await idle.closed_by_peer(2.0)
    assert time.monotonic() - began < 2.0


async def test_a_signal_asks_for_the_stop() -> None:
    listener = listening(TapeBackend((*HELLO[:2], 0.3, *HELLO[2:])))
    port, ready = socket.socket(), asyncio.Event()
    port.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{port.getsockname()[1]}"
    serving = asyncio.create_task(serve(listener.api, [port], ready.set))
    await ready.wait()
    async with asking(url) as running:
        await running.head()
        os.kill(os.getpid(), signal.SIGTERM)
        assert b"[DONE]" in await running.body()
    with anyio.fail_after(3):
        await serving
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
