"""A provider that answers from a tape, over real sockets: whatever the path, the next answer is sent as it is."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Thread

MAX_HEAD_BYTES = 64 * 1024
START_DEADLINE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class TapedAnswer:
    """An answer in pieces. With `cut` the connection is closed in the middle of it."""

    pieces: Sequence[bytes]
    status: int = 200
    content_type: str = "application/json"
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class TapedCall:
    """What arrived; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class TapedProvider:
    """What was asked so far, and what will be answered."""

    answers: list[TapedAnswer]
    calls: list[TapedCall] = field(default_factory=list)
    base_url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.calls.append(TapedCall(path=start.split(" ")[1], headers=headers, body=body))
            await self._answer(self.answers.pop(0), writer)
        finally:
            writer.close()

    async def _answer(self, answer: TapedAnswer, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 {answer.status} Taped\r\ncontent-type: {answer.content_type}\r\n"
            "transfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode()
        )
        for piece in answer.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)
        if not answer.cut:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def taped_provider(*answers: TapedAnswer) -> AsyncIterator[TapedProvider]:
    """A provider with these answers, one for each request."""
    provider = TapedProvider(list(answers))
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    async with server:
        provider.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield provider


@contextmanager
def running_tape() -> Iterator[TapedProvider]:
    """A provider in a thread of its own: the test puts answers on its tape as it goes."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, TapedProvider]] = Future()

    async def serve() -> None:
        async with taped_provider() as provider:
            stop = asyncio.Event()
            started.set_result((asyncio.get_running_loop(), stop, provider))
            await stop.wait()

    thread = Thread(target=lambda: asyncio.run(serve()), name="taped-provider", daemon=True)
    thread.start()
    loop, stop, provider = started.result(START_DEADLINE_S)
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_DEADLINE_S)
