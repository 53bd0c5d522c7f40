"""A server on a raw socket that answers as the test says, byte by byte, and counts who is connected."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.upstream.http1 import Peer, PeerClosed, Request, WatchedReader, read_request

POLL_S = 0.005

OK_HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

type Answering = Callable[[Peer, Request, int], Awaitable[None]]
"""Answers one request; the number counts the requests the server has had, from 1. Raising ends the connection."""


@dataclass
class HostileServer:
    """What reached the server so far."""

    answer: Answering
    greeting: bytes = b""
    url: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0

    async def serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        self.open_connections += 1
        peer = Peer(reader, writer)
        try:
            await peer.send(self.greeting)
            while (request := await read_request(peer)) is not None:
                self.requests.append(request)
                await self.answer(peer, request, len(self.requests))
                if writer.is_closing():
                    break
        except (ConnectionError, ValueError):
            pass
        finally:
            writer.close()
            self.open_connections -= 1

    async def until_all_left(self, timeout_s: float = 2.0) -> None:
        """Wait until nobody is connected any more."""
        async with asyncio.timeout(timeout_s):
            while self.open_connections:
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def hostile_server(
    answer: Answering, *, tls: ssl.SSLContext | None = None, greeting: bytes = b""
) -> AsyncIterator[HostileServer]:
    """Serve on a free port of loopback; `greeting` is said before anything was asked."""
    state = HostileServer(answer, greeting)
    tasks: set[asyncio.Task[None]] = set()

    def protocol() -> asyncio.StreamReaderProtocol:
        reader = WatchedReader()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if (task := asyncio.current_task()) is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await state.serve(reader, writer)

        return asyncio.StreamReaderProtocol(reader, connected)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls, backlog=1024)
    state.port = server.sockets[0].getsockname()[1]
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{state.port}"
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await server.wait_closed()


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that reads only as far as it is told to, for requests it does not care for; gives its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=65536)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def always(raw: bytes, *, then_close: bool = False) -> Answering:
    """The same bytes for every request."""

    async def answer(peer: Peer, request: Request, number: int) -> None:
        await peer.send(raw)
        if then_close:
            peer.close()

    return answer


async def wait_until_left(peer: Peer, timeout_s: float = 5.0) -> bool:
    """True when the other side closes within the time."""
    try:
        await peer.pause(timeout_s)
    except PeerClosed:
        return True
    return False


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
