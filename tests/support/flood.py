"""A provider that streams as much as is taken: long answers in large pieces, and no sooner than they are read."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread

PIECE_BYTES = 16_000
START_DEADLINE_S = 10.0

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)


class Flood:
    """Answers every POST with an OpenAI stream of `answer_bytes` of text. Counts may be read from any thread."""

    def __init__(self, answer_bytes: int) -> None:
        self.port = 0
        self.open = 0
        self.completed = 0
        self.bytes_sent = 0
        self._pieces = answer_bytes // PIECE_BYTES
        self._piece = _chunk(_event({"content": "x" * PIECE_BYTES}, None))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer."""
        self.open += 1
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who has left is counted by what was not completed
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        writer.write(HEAD)
        for _ in range(self._pieces):
            writer.write(self._piece)
            await writer.drain()
            self.bytes_sent += PIECE_BYTES
        writer.write(_chunk(_event({}, "stop")) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()
        self.completed += 1


@contextmanager
def running_flood(answer_bytes: int) -> Iterator[Flood]:
    """Serve from a thread of its own; answers under way are broken off at the end."""
    flood = Flood(answer_bytes)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        server = await asyncio.start_server(flood.serve, "127.0.0.1", 0, backlog=1024)
        flood.port = server.sockets[0].getsockname()[1]
        stop = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()

    thread = Thread(target=lambda: asyncio.run(serve()), name="flood", daemon=True)
    thread.start()
    loop, stop = started.result(START_DEADLINE_S)
    try:
        yield flood
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_DEADLINE_S)


def _event(delta: object, finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    about = {"id": "flood", "object": "chat.completion.chunk", "created": 1, "model": "flood"}
    return b"data: " + json.dumps({**about, "choices": [choice]}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
