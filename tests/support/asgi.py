"""Drives an ASGI application in-process without buffering: each body chunk is seen as and when it is sent.

The HTTP test clients at hand return the first chunk of a stream only after the last one was sent, so they cannot
show that an application streams, nor leave in the middle of an answer.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Any, Any, Any], Awaitable[None]]
"""Parameters stay loose because every framework has its own types for scope, receive and send."""

type Headers = Mapping[str, str] | Iterable[tuple[str, str]]

GRACE_S = 2.0
"""How long an application may go on after its client has left before it is cancelled."""


@dataclass(frozen=True)
class Chunk:
    """One body message as sent, and how many seconds after the start of the request it came."""

    data: bytes
    at_s: float


@dataclass(frozen=True)
class Answer:
    """A finished answer."""

    status: int
    headers: dict[str, str]
    chunks: list[Chunk]

    @property
    def body(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """One request in flight: what the application has sent so far, and the client's end of the line."""

    raises_when_gone: bool = False
    status: int = 0
    header_pairs: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    finished: bool = False
    returned: bool = False
    error: Exception | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _began: float = field(default_factory=time.perf_counter)

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; of a repeated name the last value. `header_pairs` has them all."""
        return dict(self.header_pairs)

    async def head(self) -> int:
        """Wait for status and headers."""
        while not self.status:
            await self._next_news()
        return self.status

    async def chunk(self, number: int) -> Chunk | None:
        """Wait for the chunk of that number, counted from 0; None when the answer ends before it."""
        while number >= len(self.chunks) and not self.finished:
            await self._next_news()
        return self.chunks[number] if number < len(self.chunks) else None

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        number = 0
        while (chunk := await self.chunk(number)) is not None:
            yield chunk
            number += 1

    async def end(self) -> Answer:
        """Wait for the whole answer."""
        await self.head()
        async for _ in self:
            pass
        return Answer(self.status, self.headers, self.chunks)

    def disconnect(self) -> None:
        """Leave now: the application sees `http.disconnect`, and what it still sends is lost."""
        self._gone = True
        self._over.set()

    async def run(self, app: App, scope: Message, pieces: list[bytes], pause_s: float) -> None:
        """Call the application; an error it raises is kept for whoever waits for the answer."""
        delivered = 0

        async def receive() -> Message:
            nonlocal delivered
            if delivered == len(pieces):
                await self._over.wait()
            elif delivered:
                await asyncio.sleep(pause_s)
            if self._over.is_set():
                return {"type": "http.disconnect"}
            delivered += 1
            return {
                "type": "http.request",
                "body": pieces[delivered - 1],
                "more_body": delivered < len(pieces),
            }

        try:
            await app(scope, receive, self._take)
        except Exception as error:
            self.error = error
        finally:
            self.returned = True
            self._announce()

    async def _take(self, message: Message) -> None:
        # A real server yields to the loop when it writes; without this an endless stream could not be left.
        await asyncio.sleep(0)
        if self._gone:
            if self.raises_when_gone:
                raise OSError("the client has left")
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.header_pairs = [
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            if data := message.get("body", b""):
                self.chunks.append(Chunk(bytes(data), time.perf_counter() - self._began))
            if not message.get("more_body", False):
                self.finished = True
                self._over.set()
        self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _next_news(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.returned:
            raise EOFError("the application returned without finishing its answer")
        await self._news.wait()


def http_scope(
    method: str, url: str, headers: Headers = (), state: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The scope an HTTP/1.1 server on 127.0.0.1 would build for this request; `url` is a path with any query."""
    path, _, query = url.partition("?")
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not any(name.lower() == "host" for name, _ in pairs):
        pairs.insert(0, ("host", "127.0.0.1:11434"))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 11434),
        "state": dict(state or {}),
    }


@asynccontextmanager
async def exchange(
    app: App,
    method: str,
    url: str,
    *,
    headers: Headers = (),
    body: bytes | Iterable[bytes] = b"",
    pause_s: float = 0.0,
    state: dict[str, Any] | None = None,
    raises_when_gone: bool = False,
) -> AsyncIterator[Exchange]:
    """Send a request and follow its answer; leaving the block early is a client that hangs up.

    A body given as several pieces arrives in as many messages, `pause_s` seconds apart. With `raises_when_gone`,
    sending to a client that has left raises OSError as the ASGI specification has it; otherwise it does nothing,
    as uvicorn has it. An error of the application is raised where the test waits, or else on leaving the block.
    """
    pieces = [body] if isinstance(body, bytes) else list(body)
    going = Exchange(raises_when_gone)
    task = asyncio.create_task(going.run(app, http_scope(method, url, headers, state), pieces, pause_s))
    try:
        yield going
    finally:
        going.disconnect()
        await _finish(task)
    if going.error is not None:
        raise going.error


async def call(
    app: App, method: str, url: str, *, headers: Headers = (), body: bytes | Iterable[bytes] = b""
) -> Answer:
    """Send a request and wait for its whole answer."""
    async with exchange(app, method, url, headers=headers, body=body) as going:
        return await going.end()


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[dict[str, Any]]:
    """Start the application up, yield the state it offers to its requests, and shut it down."""
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    to_test: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.4"}, "state": state}

    async def run() -> None:
        await app(scope, to_app.get, to_test.put)

    async def step(name: str) -> None:
        await to_app.put({"type": f"lifespan.{name}"})
        reply = asyncio.create_task(to_test.get())
        await asyncio.wait({reply, task}, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            reply.cancel()
            await task
            raise RuntimeError(f"the application returned before {name} was complete")
        if reply.result()["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(f"{name} failed: {reply.result().get('message', '')}")

    task = asyncio.create_task(run())
    try:
        await step("startup")
        try:
            yield state
        finally:
            await step("shutdown")
    finally:
        await _finish(task)


async def _finish(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task}, timeout=GRACE_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
