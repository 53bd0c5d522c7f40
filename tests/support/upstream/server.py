"""The scripted upstream: one port, every wire format, and a ledger of everything that reached it."""

import asyncio
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.upstream.http1 import Malformed, Peer, PeerClosed, Severed, WatchedReader, read_request
from tests.support.upstream.ledger import Call, Ledger
from tests.support.upstream.routes import Listing, Routes
from tests.support.upstream.scripts import DEFAULT_MODELS

MAX_REQUESTS_PER_CONNECTION = 100_000
STOP_DEADLINE_S = 2.0


class ScriptedUpstream:
    """Serves while its `async with` block is open.

    `models` is what it lists; every script answers whether listed or not. `listing` may be changed at any time.
    `hold_s` bounds how long a silent or stalled answer is held open before the connection is closed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        models: Iterable[str] = DEFAULT_MODELS,
        listing: Listing = "ok",
        ledger_file: Path | None = None,
        hold_s: float = 300.0,
    ) -> None:
        self.host = host
        self.port = port
        self.ledger = Ledger(ledger_file)
        self._routes = Routes(tuple(models), listing, hold_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = count(1)
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        """What an Ollama client is given."""
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        """What an OpenAI client is given."""
        return f"{self.base_url}/v1"

    @property
    def listing(self) -> Listing:
        return self._routes.listing

    @listing.setter
    def listing(self, listing: Listing) -> None:
        self._routes.listing = listing

    def reset(self) -> None:
        """Forget all calls and all counts of `times` and `p`; from any thread."""
        self.ledger.clear()
        self._routes.forget()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                await self._server.wait_closed()
        except TimeoutError:
            return

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = WatchedReader()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer)

        return asyncio.StreamReaderProtocol(reader, serve)

    async def _serve(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        peer, connection = Peer(reader, writer), next(self._connections)
        try:
            for _ in range(MAX_REQUESTS_PER_CONNECTION):
                if not await self._serve_one(peer, connection):
                    return
        finally:
            writer.close()

    async def _serve_one(self, peer: Peer, connection: int) -> bool:
        """Answer one request; whether another may follow on this connection."""
        peer.begin()
        try:
            request = await read_request(peer)
        except (Malformed, ValueError, asyncio.LimitOverrunError):
            await peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return False
        if request is None:
            return False
        call = self.ledger.begin(
            connection=connection, method=request.method, path=request.path, headers=request.headers
        )
        try:
            await self._routes.answer(peer, request, call, self.ledger)
        except PeerClosed as error:
            self._note_close(peer, call, str(error))
            return False
        except Severed:
            call.completed = False
            return False
        except Exception as error:
            call.error = repr(error)
            raise
        finally:
            call.writes, call.bytes_sent = peer.writes, peer.bytes_sent
            self.ledger.end(call)
        return not request.wants_close and not peer.closed

    def _note_close(self, peer: Peer, call: Call, error: str) -> None:
        if not call.completed:
            call.peer_closed_at = peer.reader.gone_at
            call.error = call.error or error
